//! Added tokens: they are found before the model sees a text.

use serde_json::Value;

use super::NotNative;
use super::models::Model;
use super::normal::Normal;
use crate::file::limits::Limits;
use tokenbed_memory::List;

/// The added tokens of a file.
pub(crate) struct Added {
    plain: Finder,
    normalized: Finder,
}

/// Finds added tokens of one kind.
#[derive(Default)]
pub(crate) struct Finder {}

/// A part of a text: an added token with the spaces that it takes, or what lies between two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// The id, if it is a token.
    pub(crate) id: Option<u32>,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Added {
    /// Compiles the `added_tokens` of a file. Ids are those that the library gives: the model's, or the next ones.
    pub(crate) fn compile(
        list: &Value,
        _model: &Model,
        _normal: &Normal,
        _limits: Limits,
    ) -> Result<Self, NotNative> {
        match list {
            Value::Null => Ok(Self { plain: Finder::default(), normalized: Finder::default() }),
            Value::Array(tokens) if tokens.is_empty() => {
                Ok(Self { plain: Finder::default(), normalized: Finder::default() })
            }
            _ => Err(NotNative::new("added_tokens")),
        }
    }

    /// Those that are found in the text as it is.
    pub(crate) fn plain(&self) -> &Finder {
        &self.plain
    }

    /// Those that are found in the normalized text.
    pub(crate) fn normalized(&self) -> &Finder {
        &self.normalized
    }

    /// The text of an added token.
    pub(crate) fn token(&self, _id: u32) -> Option<&str> {
        None
    }

    /// The id of an added token.
    pub(crate) fn id_of(&self, _token: &str) -> Option<u32> {
        None
    }

    /// All added tokens: id, text, and whether it is special.
    pub(crate) fn all(&self) -> impl Iterator<Item = (u32, &str, bool)> {
        std::iter::empty()
    }
}

impl Finder {
    /// Whether there are no tokens to find.
    pub(crate) fn is_empty(&self) -> bool {
        true
    }

    /// Puts the parts of a text into `parts`: they cover all of it, and there are none for an empty text. Special
    /// tokens for which `spared` is true are plain text.
    pub(crate) fn find(&self, text: &str, _spared: &dyn Fn(u32) -> bool, parts: &mut Vec<Part>) {
        parts.clear();
        if !text.is_empty() {
            parts.put(Part { id: None, start: 0, end: text.len() });
        }
    }

    /// Number of bytes of the longest token.
    pub(crate) fn longest(&self) -> usize {
        0
    }

    /// Whether a token takes the spaces before it.
    pub(crate) fn strips_before(&self) -> bool {
        false
    }

    /// Calls `place(start, end)` for all places where a token may be, whatever stands around it.
    pub(crate) fn each_possible(&self, _text: &str, _place: impl FnMut(usize, usize)) {}
}
