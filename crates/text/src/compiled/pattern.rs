//! Regular expressions of a file that no scanner knows, in linear time.

use super::NotNative;
use crate::file::limits::{Budget, Limits};
use crate::file::oniguruma::{Spent, translate};
use crate::file::pattern::Expression;
use tokenbed_memory::{List, owned};

/// A pattern of a normalizer or a pre-tokenizer.
pub(crate) struct Pattern {
    expression: Expression,
    source: String,
}

impl Pattern {
    /// Compiles a pattern in the syntax of Oniguruma. `part` is the kind of part that it belongs to.
    pub(crate) fn regex(part: &str, source: &str, limits: Limits, spent: &mut Spent) -> Result<Self, NotNative> {
        let not_native = || NotNative::new(format!("{part}: the pattern {source:?}"));
        let written = translate(source, spent).map_err(|_| not_native())?;
        // What regex-syntax reads needs no look-around, so the linear engine runs it.
        regex_syntax::parse(&written).map_err(|_| not_native())?;
        let expression = Expression::new(&written, limits).map_err(|_| not_native())?;
        Ok(Self { expression, source: owned(source) })
    }

    /// The pattern of a scanner. It is asked only for what is decided, so that it may look around.
    pub(crate) fn of_scanner(source: &str, limits: Limits) -> Option<Self> {
        let written = translate(source, &mut Spent::default()).ok()?;
        Some(Self { expression: Expression::new(&written, limits).ok()?, source: owned(source) })
    }

    /// Compiles a text that is searched for as it is.
    pub(crate) fn literal(part: &str, text: &str, limits: Limits) -> Result<Self, NotNative> {
        let expression = Expression::new(&fancy_regex::escape(text), limits);
        let expression = expression.map_err(|_| NotNative::new(format!("{part}: the pattern {text:?}")))?;
        Ok(Self { expression, source: String::new() })
    }

    /// The pattern as the file spells it; empty for a text.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// Finds all matches in order: start and end in bytes.
    pub(crate) fn find_all(&self, text: &str, budget: &Budget, found: &mut Vec<(usize, usize)>) -> Result<(), String> {
        found.clear();
        if !text.is_empty() {
            found.put_all(self.expression.matches(text, budget)?);
        }
        Ok(())
    }

    /// The place before which all attempts to match are decided, whatever follows the text. `None` if that is not
    /// known.
    pub(crate) fn decided(&self, text: &str) -> Option<usize> {
        self.expression.decided(text)
    }
}
