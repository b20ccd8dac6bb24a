//! Tokenizers and sliding windows: text in, ids and offsets out. Nothing here knows tensors or Node.
//!
//! - [`Tokenizer`] is one of two kinds. An encoding gives the ids that tiktoken gives, on every input. Its parts, from the
//!   text to the ids: `special` finds special tokens, `split` cuts what lies between them into pieces, `bpe` turns a
//!   piece into ids. A file (`file`) gives the ids that the Hugging Face library gives, by that library's crate.
//! - [`TextStream`] gives the same ids for a text that comes in parts.
//! - [`TokenDecoder`] turns ids into text as they come; [`EncodedBatch::pad`] makes texts a rectangle.
//! - [`Windows`] cuts batches of inputs and targets out of one buffer of ids.

#![cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_macros))]
#![forbid(unsafe_code)]

mod batch;
mod bpe;
mod decoder;
mod documents;
mod encoding;
mod error;
mod file;
mod padding;
pub mod panics;
mod special;
mod split;
mod stream;
mod tiktoken;
mod tokenizer;
mod utf8;
mod vocabulary;
mod windows;

pub use batch::EncodedBatch;
pub use decoder::TokenDecoder;
pub use documents::{Division, Documents};
pub use encoding::{Encoding, encodings};
pub use error::TextError;
pub use file::{Frame, Habits, Limits, Origin};
pub use padding::{PaddedBatch, Side};
pub use special::{SpecialPolicy, SpecialSet};
pub use split::Pattern;
pub use stream::TextStream;
pub use tokenizer::{RowOptions, Tokenizer};
pub use windows::{WindowId, Windows};
