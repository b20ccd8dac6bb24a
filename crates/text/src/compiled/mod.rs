//! Files of the Hugging Face library, compiled into engines of this crate.
//!
//! A `tokenizer.json` is read part by part (`read`). Its normalizer (`normal`), its pre-tokenizer (`cut`), its model
//! (`models`) and its added tokens (`added`) are each compiled into a form that works on bytes and tables. A part that
//! is not known here makes the file [`NotNative`]: then the library's crate does all of the work, as `file` says.

mod added;
mod aligned;
mod certain;
mod cut;
mod desk;
mod eight;
mod engine;
mod memo;
mod models;
mod normal;
mod pattern;
pub(crate) mod read;
mod room;
mod stream;
#[cfg(test)]
mod tests;
mod tokens;
mod words;

pub(crate) use aligned::Aligned;
pub(crate) use engine::{Compiled, Fault};
pub(crate) use memo::Memo;
pub(crate) use room::Room;
pub(crate) use tokens::Tokens;

/// The character that stands for a space in the tokens of many files.
pub(crate) const MARK: char = '\u{2581}';

/// Names the part of a file that only the library's crate knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotNative {
    /// The part, such as `pre_tokenizer: UnicodeScripts`.
    pub(crate) part: String,
}

impl NotNative {
    pub(crate) fn new(part: impl Into<String>) -> Self {
        Self { part: part.into() }
    }
}
