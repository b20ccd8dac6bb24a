//! Patterns of a file, matched in bounded steps: the library gives up in silence, and leaves the rest of a text as it is.

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
    /// Compiled for more and more steps: an attempt that takes many is begun anew, so that time is looked at in between.
    levels: [OnceLock<Option<Regex>>; 4],
    limits: Limits,
    /// Made when a text comes in parts.
    outlook: OnceLock<Option<Box<Outlook>>>,
}

/// Of each level, how much of the next it takes.
const DIVISORS: [usize; 4] = [512, 64, 8, 1];

/// Matches between two looks at the clock.
const MATCHES: usize = 32;

impl Expression {
    pub(super) fn new(source: &str, limits: Limits) -> Result<Self, String> {
        let it = Self {
            source: source.to_owned(),
            levels: [const { OnceLock::new() }; 4],
            limits,
            outlook: OnceLock::new(),
        };
        let regex = it.build(0).map_err(|error| format!("the pattern {source:?} cannot be used: {error}"))?;
        // The first to set it.
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

    /// Up to where attempts to match are decided, whatever follows the text; nothing where what stands before them matters.
    pub(super) fn decided(&self, text: &str) -> Option<usize> {
        let outlook = self.outlook.get_or_init(|| Outlook::of(&self.source).map(Box::new));
        outlook.as_ref().map(|outlook| outlook.decided(text))
    }

    /// All matches, in their order, as the library's engine gives them one after the other.
    pub(super) fn matches(&self, text: &str, budget: &Budget) -> Result<Vec<(usize, usize)>, String> {
        let mut found = Vec::new();
        let mut from = 0;
        let mut last = None;
        while from <= text.len() {
            if found.len() % MATCHES == 0 && budget.is_spent() {
                return Err(self.limits.slow());
            }
            let Some((start, end)) = self.next(text, from, budget)? else { break };
            // Nothing is not found where something ends. What is found next may begin where nothing was found.
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

    /// As the library's methods take it.
    pub(super) fn within<'a>(&'a self, budget: &'a Budget) -> Within<'a> {
        Within { expression: self, budget, inverted: false }
    }
}

/// An expression with what it may spend.
pub(super) struct Within<'a> {
    expression: &'a Expression,
    budget: &'a Budget,
    inverted: bool,
}

impl Within<'_> {
    pub(super) fn inverted(self, inverted: bool) -> Self {
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

/// Parts that were found before, as the library's methods take a pattern.
pub(super) struct Parts(RefCell<Vec<(Offsets, bool)>>);

impl Parts {
    pub(super) fn of(parts: Vec<(Offsets, bool)>) -> Self {
        Self(RefCell::new(parts))
    }
}

impl Pattern for Parts {
    fn find_matches(&self, _: &str) -> tokenizers::Result<Vec<(Offsets, bool)>> {
        Ok(self.0.take())
    }
}
