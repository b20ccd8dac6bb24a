//! The normalizer of a file.

use serde_json::Value;

use super::{Aligned, NotNative, Room};
use crate::file::limits::{Budget, Limits};
use crate::file::oniguruma::Spent;

/// A compiled normalizer.
pub(crate) struct Normal {
    limits: Limits,
}

/// What a normalizer needs to know about a section of a text.
#[derive(Clone, Copy)]
pub(crate) struct Section<'a> {
    pub(crate) budget: &'a Budget,
    /// Whether the section continues a text that was cut before it, so that nothing is added or stripped at its
    /// front.
    pub(crate) goes_on: bool,
    /// Largest number of bytes that the section may become.
    pub(crate) most: usize,
}

/// What the steps of a normalizer mean for cuts of a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Joins {
    /// Whether neighbouring characters change each other.
    pub(crate) joins: bool,
    /// Whether spaces are stripped from the end.
    pub(crate) strips_ends: bool,
    /// Whether nothing is known, so that no cut can be made.
    pub(crate) unknown: bool,
}

impl Normal {
    /// Compiles the `normalizer` of a file, which may be null.
    pub(crate) fn compile(part: &Value, limits: Limits, _spent: &mut Spent) -> Result<Self, NotNative> {
        match part {
            Value::Null => Ok(Self { limits }),
            other => Err(NotNative::new(format!("normalizer: {}", other["type"].as_str().unwrap_or("unknown")))),
        }
    }

    /// Whether every text stays as it is.
    pub(crate) fn is_nothing(&self) -> bool {
        true
    }

    /// What the steps mean for cuts.
    pub(crate) fn joins(&self) -> Joins {
        Joins::default()
    }

    /// Normalizes a section of a text. The result is `text` itself if nothing changes, else it is in `room`.
    ///
    /// # Errors
    /// A reason such as [`Limits::grows`].
    pub(crate) fn run<'a>(&self, text: &'a str, _room: &'a mut Room, section: Section<'_>) -> Result<&'a str, String> {
        if text.len() > section.most { Err(self.limits.grows()) } else { Ok(text) }
    }

    /// The same with the places of all bytes. On entry `text` holds the section with its places, on return the result.
    pub(crate) fn run_aligned(&self, text: &mut Aligned, section: Section<'_>) -> Result<(), String> {
        if text.text.len() > section.most { Err(self.limits.grows()) } else { Ok(()) }
    }
}
