//! The words of a file, each once.

use super::lines::Wrong;
use super::{InvalidUtf8, escape::unescaped};
use crate::names::Names;
use std::borrow::Cow;
use tokenbed_memory::{TextList, lossy};

/// Takes the words of a file, and tells which are new.
pub(super) struct Words {
    names: Names,
    invalid: InvalidUtf8,
    escape: bool,
}

impl Words {
    pub(super) fn new(invalid: InvalidUtf8, escape: bool) -> Self {
        Self { names: Names::new(), invalid, escape }
    }

    pub(super) fn into_list(self) -> TextList {
        self.names.list
    }

    /// Takes a word that stands at byte `at`, and returns whether it is new.
    pub(super) fn take(&mut self, bytes: &[u8], at: u64) -> Result<bool, Wrong> {
        let bytes = if self.escape { unescaped(bytes) } else { bytes.into() };
        let word = match (lossy(&bytes), self.invalid) {
            (word, InvalidUtf8::Replace) => word,
            (word @ Cow::Borrowed(_), InvalidUtf8::Refuse) => word,
            (word, InvalidUtf8::Refuse) => {
                let message = format!("the word {word:?} is not UTF-8, unless invalidUtf8 is 'replace'");
                return Err(Wrong::At(at, message));
            }
        };
        if word.is_empty() {
            return Err(Wrong::At(at, format!("word {} is missing", self.names.list.len())));
        }
        let put = self.names.put(&word).map_err(|_| Wrong::At(at, "more words than 32 bits count".into()));
        put.map(|(_, is_new)| is_new)
    }
}
