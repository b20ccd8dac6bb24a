//! Patterns of a file, matched in a bounded number of steps. The library itself gives up silently and leaves the rest
//! of a text as it is.

use std::cell::RefCell;
use std::sync::OnceLock;

use fancy_regex::{Error, Regex, RegexBuilder, RuntimeError};
use tokenbed_memory::{List, with_room};
use tokenizers::Offsets;
use tokenizers::tokenizer::pattern::Pattern;

use super::limits::{Budget, Limits};
use super::outlook::Outlook;

/// A pattern of the file.
pub(crate) struct Expression {
    source: String,
    /// The pattern compiled with larger and larger step limits. An attempt that takes many steps is started again, so
    /// that the time can be checked in between.
    levels: [OnceLock<Option<Regex>>; 4],
    limits: Limits,
    /// Computed when a text comes in parts.
    outlook: OnceLock<Option<Box<Outlook>>>,
}

/// Divisors of the step limit for each level.
const DIVISORS: [usize; 4] = [512, 64, 8, 1];

impl Expression {
    pub(crate) fn new(source: &str, limits: Limits) -> Result<Self, String> {
        let it = Self {
            source: source.to_owned(),
            levels: [const { OnceLock::new() }; 4],
            limits,
            outlook: OnceLock::new(),
        };
        let regex = it.build(0).map_err(|error| format!("the pattern {source:?} cannot be used: {error}"))?;
        // This is the first value, so setting it cannot fail.
        let _ = it.levels[0].set(Some(regex));
        Ok(it)
    }

    fn build(&self, level: usize) -> Result<Regex, Box<Error>> {
        let steps = (self.limits.pattern_steps / DIVISORS[level]).max(1);
        RegexBuilder::new(&self.source).backtrack_limit(steps).build().map_err(Box::new)
    }

    fn level(&self, level: usize) -> Option<&Regex> {
        self.levels[level].get_or_init(|| self.build(level).ok()).as_ref()
    }

    /// The place before which all attempts to match are decided, whatever follows the text. `None` if the pattern
    /// depends on the text before a match.
    pub(crate) fn decided(&self, text: &str) -> Option<usize> {
        let outlook = self.outlook.get_or_init(|| Outlook::of(&self.source).map(Box::new));
        outlook.as_ref().map(|outlook| outlook.decided(text))
    }

    /// All matches in order, as the library's engine finds them one after the other.
    pub(crate) fn matches(&self, text: &str, budget: &Budget) -> Result<Vec<(usize, usize)>, String> {
        let mut found = Vec::new();
        let mut from = 0;
        let mut last = None;
        while from <= text.len() {
            let next = self.next(text, from, budget)?;
            if budget.is_spent_by_steps(next.map_or(text.len(), |(_, end)| end) - from) {
                return Err(self.limits.slow());
            }
            let Some((start, end)) = next else { break };
            // An empty match does not count directly after a match. The next match may begin where an empty one was
            // found.
            if start == end && last == Some(end) {
                from += text[from..].chars().next().map_or(1, char::len_utf8);
                continue;
            }
            from = end;
            last = Some(end);
            found.put((start, end));
        }
        Ok(found)
    }

    fn next(&self, text: &str, from: usize, budget: &Budget) -> Result<Option<(usize, usize)>, String> {
        for level in 0..DIVISORS.len() {
            let Some(regex) = self.level(level) else { break };
            match regex.find_from_pos(text, from) {
                Ok(found) => return Ok(found.map(|found| (found.start(), found.end()))),
                Err(Error::RuntimeError(RuntimeError::BacktrackLimitExceeded)) => {}
                Err(error) => return Err(format!("its pattern: {error}")),
            }
            if budget.is_spent() {
                return Err(self.limits.slow());
            }
        }
        Err(self.limits.backtracks())
    }

    /// The expression as a pattern for the library's methods.
    pub(crate) fn within<'a>(&'a self, budget: &'a Budget) -> Within<'a> {
        Within { expression: self, budget, inverted: false }
    }
}

/// An expression with its budget.
pub(crate) struct Within<'a> {
    expression: &'a Expression,
    budget: &'a Budget,
    inverted: bool,
}

impl Within<'_> {
    pub(crate) fn inverted(self, inverted: bool) -> Self {
        Self { inverted, ..self }
    }
}

impl Pattern for Within<'_> {
    fn find_matches(&self, inside: &str) -> tokenizers::Result<Vec<(Offsets, bool)>> {
        if inside.is_empty() {
            return Ok(Vec::from([((0, 0), self.inverted)]));
        }
        let found = self.expression.matches(inside, self.budget)?;
        let mut parts = with_room(found.len() + 1);
        let mut before = 0;
        for (start, end) in found {
            if before != start {
                parts.put(((before, start), self.inverted));
            }
            parts.put(((start, end), !self.inverted));
            before = end;
        }
        if before != inside.len() {
            parts.put(((before, inside.len()), self.inverted));
        }
        Ok(parts)
    }
}

/// Parts that were found before, as a pattern for the library's methods.
pub(crate) struct Parts(RefCell<Vec<(Offsets, bool)>>);

impl Parts {
    pub(crate) fn of(parts: Vec<(Offsets, bool)>) -> Self {
        Self(RefCell::new(parts))
    }
}

impl Pattern for Parts {
    fn find_matches(&self, _: &str) -> tokenizers::Result<Vec<(Offsets, bool)>> {
        Ok(self.0.take())
    }
}
