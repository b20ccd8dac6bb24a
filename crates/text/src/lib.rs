//! Tokenizers and sliding windows: text in, ids and offsets out. Nothing here knows tensors or Node.
//!
//! - [`Tokenizer`] gives the ids that tiktoken gives, on every input. Its parts, from the text to the ids: `special`
//!   finds special tokens, `split` cuts what lies between them into pieces, `bpe` turns a piece into ids.
//! - [`TextStream`] gives the same ids for a text that comes in parts.
//! - [`Windows`] cuts batches of inputs and targets out of one buffer of ids.

#![forbid(unsafe_code)]

mod batch;
mod bpe;
mod encoding;
mod error;
mod special;
mod split;
mod stream;
mod tiktoken;
mod tokenizer;
mod vocabulary;
mod windows;

pub use batch::EncodedBatch;
pub use encoding::{Encoding, encodings};
pub use error::TextError;
pub use special::{SpecialPolicy, SpecialSet};
pub use split::Pattern;
pub use stream::TextStream;
pub use tokenizer::Tokenizer;
pub use windows::{WindowId, Windows};
