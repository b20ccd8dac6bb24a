//! Tokenizers and sliding windows: text in, ids and offsets out. Nothing here uses tensors or Node.
//!
//! - A [`Tokenizer`] is one of two kinds. An encoding gives tiktoken's ids on every input. It has three parts:
//!   `special` finds special tokens, `split` cuts the text between them into pieces, and `bpe` turns a piece into
//!   ids. A tokenizer from a file (`file`) gives the ids of the Hugging Face library, by that library's crate.
//! - [`TextStream`] gives the same ids for a text that comes in parts.
//! - [`TokenDecoder`] turns ids into text as they come; [`EncodedTexts::pad`] writes texts as a rectangle.
//! - [`Located`] says where the tokens of a text stand in it.
//! - [`Windows`] cuts batches of inputs and targets out of one buffer of ids.

#![cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_macros))]
#![forbid(unsafe_code)]

mod around;
mod arrange;
mod batch;
mod bpe;
mod certain;
mod compiled;
mod decoder;
mod documents;
mod encoding;
mod error;
mod file;
mod offsets;
mod padding;
pub mod panics;
mod parts;
mod special;
mod split;
mod stream;
mod tiktoken;
mod tokenizer;
mod utf8;
mod vocabulary;
mod windows;

pub use arrange::{Arranged, Arrangement};
pub use batch::{EncodedTexts, GoOn};
pub use decoder::TokenDecoder;
pub use documents::{Division, Documents};
pub use encoding::{Encoding, encodings};
pub use error::TextError;
pub use file::{Frame, Habits, Limits, Origin, PairFrame};
pub use offsets::{Located, NO_WORD};
pub use padding::{PaddedRows, Padding, Side};
pub use special::{SpecialPolicy, SpecialSet};
pub use split::Pattern;
pub use stream::TextStream;
pub use tokenizer::{Encoder, Engine, RowOptions, Tokenizer};
pub use windows::{WindowId, Windows};
