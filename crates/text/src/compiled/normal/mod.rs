//! The normalizer of a file.
//!
//! Each step is compiled into one of four kinds: changes of single characters with a normalization form among them
//! (`by_character`), SentencePiece's table (`charsmap`), replacements (`replace`), and what is done at the ends of a
//! text. Steps of the first kind that follow each other become one.

mod by_character;
mod charsmap;
mod letters;
mod replace;
mod steps;
mod table;

use serde_json::Value;

use super::{Aligned, MARK, NotNative, Room};
use crate::file::limits::{Budget, Limits};
use crate::file::oniguruma::Spent;
use steps::Step;
use tokenbed_memory::List;

/// A compiled normalizer.
pub(crate) struct Normal {
    /// The steps as they are in the file.
    steps: Vec<Step>,
    /// The steps with as many as possible joined into one. Empty if none can be joined.
    joined: Vec<Step>,
    /// The largest factor by which the joined steps let a text grow, even if later ones shorten it.
    growth: usize,
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
    /// Number of steps that replace something.
    pub(crate) replacements: usize,
}

/// The matches of a replacement in a section of a text.
pub(crate) struct Replacement<'a> {
    /// Which of the replacements it is, from 0.
    pub(crate) number: usize,
    /// The section before this step.
    pub(crate) text: &'a Aligned,
    /// Start and end of each match in `text`.
    pub(crate) found: &'a [(usize, usize)],
    pub(crate) pattern: &'a super::pattern::Pattern,
}

impl Normal {
    /// Compiles the `normalizer` of a file, which may be null.
    pub(crate) fn compile(part: &Value, limits: Limits, spent: &mut Spent) -> Result<Self, NotNative> {
        let mut steps = Vec::new();
        if !part.is_null() {
            steps::add(part, limits, spent, &mut steps)?;
        }
        let growth = steps.iter().filter_map(Step::growth).fold(1, usize::saturating_mul);
        let mut joined: Vec<Step> = Vec::new();
        // A step of another kind is moved to the joined list only if that is used, since it cannot be in both.
        if steps.windows(2).any(|pair| pair[0].joined_with(&pair[1]).is_some()) {
            let mut again = Vec::new();
            steps::add(part, limits, &mut Spent::default(), &mut again)?;
            for step in again {
                match joined.last().and_then(|last| last.joined_with(&step)) {
                    Some(both) => {
                        joined.pop();
                        joined.put(both);
                    }
                    None => joined.put(step),
                }
            }
        }
        Ok(Self { steps, joined, growth, limits })
    }

    /// What the steps mean for cuts.
    pub(crate) fn joins(&self) -> Joins {
        let mut joins = Joins::default();
        for step in &self.steps {
            match step {
                Step::ByCharacter(step) => joins.joins |= !step.changes().is_simple(),
                Step::Charsmap(_) => joins.joins = true,
                Step::Prepend(_) => {}
                Step::Replace(_) => joins.replacements += 1,
                Step::Strip { end, .. } => {
                    joins.strips_ends |= *end;
                    // An earlier replacement may make spaces, which this step strips.
                    joins.unknown |= joins.replacements > 0;
                }
            }
        }
        joins
    }

    /// The steps to take for a section of `bytes` bytes.
    fn steps(&self, bytes: usize, section: &Section<'_>) -> &[Step] {
        // What joined steps make in between is not measured, so nothing of it may exceed the limit.
        let fits = bytes.saturating_mul(self.growth) <= section.most;
        if fits && !self.joined.is_empty() { &self.joined } else { &self.steps }
    }

    fn fits(&self, bytes: usize, section: &Section<'_>) -> Result<(), String> {
        if bytes > section.most {
            return Err(self.limits.grows());
        }
        if section.budget.is_spent_by(bytes) { Err(self.limits.slow()) } else { Ok(()) }
    }

    /// Whether it puts the mark in the place of each space, and before that a text in front at most, and does nothing
    /// else.
    pub(crate) fn only_marks_spaces(&self) -> bool {
        match &*self.steps {
            [Step::Replace(replace)] | [Step::Prepend(_), Step::Replace(replace)] => replace.marks_spaces(),
            _ => false,
        }
    }

    /// Normalizes a section for a model that reads spaces as marks: they stay as they are. `None` if the marks might be
    /// too much for the limits. This is for a normalizer that [only marks spaces](Self::only_marks_spaces).
    pub(crate) fn run_unmarked<'a>(
        &self,
        text: &'a str,
        room: &'a mut Room,
        section: Section<'_>,
    ) -> Option<Result<&'a str, String>> {
        let before = self.steps.split_last()?.1;
        let front = if let [Step::Prepend(front)] = before { front.len() } else { 0 };
        let most = text.len().checked_add(front)?.checked_mul(MARK.len_utf8())?;
        (most <= section.most).then(|| self.take(before, text, room, section))
    }

    /// Normalizes a section of a text. The result is `text` itself if nothing changes, else it is in `room`.
    ///
    /// # Errors
    /// A reason such as [`Limits::grows`].
    pub(crate) fn run<'a>(&self, text: &'a str, room: &'a mut Room, section: Section<'_>) -> Result<&'a str, String> {
        self.take(self.steps(text.len(), &section), text, room, section)
    }

    fn take<'a>(
        &self,
        steps: &[Step],
        text: &'a str,
        room: &'a mut Room,
        section: Section<'_>,
    ) -> Result<&'a str, String> {
        let (mut now, mut next) = (&mut room.front, &mut room.back);
        // The part of `text`, or of `now` once a step changed something, that is left.
        let (mut in_room, mut part) = (false, 0..text.len());
        for step in steps {
            let before = if in_room { &now[part.clone()] } else { &text[part.clone()] };
            if let Step::Strip { front, end } = *step {
                let kept = steps::stripped(before, front && !section.goes_on, end);
                part = part.start + kept.start..part.start + kept.end;
            } else {
                next.clear();
                if step.run(before, &section, next)? {
                    std::mem::swap(&mut now, &mut next);
                    (in_room, part) = (true, 0..now.len());
                }
            }
            self.fits(part.len(), &section)?;
        }
        Ok(if in_room { &now[part] } else { &text[part] })
    }

    /// The same with the places of all bytes. On entry `text` holds the section with its places, on return the result.
    ///
    /// # Errors
    /// As `run`.
    pub(crate) fn run_aligned(&self, text: &mut Aligned, section: Section<'_>) -> Result<(), String> {
        self.aligned(self.steps(text.text.len(), &section), text, section, &mut |_| {})
    }

    /// The same; `note` gets the matches of each replacement.
    ///
    /// # Errors
    /// As `run`.
    pub(crate) fn run_noted(
        &self,
        text: &mut Aligned,
        section: Section<'_>,
        note: &mut dyn FnMut(Replacement<'_>),
    ) -> Result<(), String> {
        self.aligned(&self.steps, text, section, note)
    }

    fn aligned(
        &self,
        steps: &[Step],
        text: &mut Aligned,
        section: Section<'_>,
        note: &mut dyn FnMut(Replacement<'_>),
    ) -> Result<(), String> {
        let mut next = Aligned::default();
        let mut number = 0;
        for step in steps {
            if let Step::Replace(replace) = step {
                let mut found = Vec::new();
                replace.each(&text.text, section.budget, |place| found.put((place.start, place.end)))?;
                note(Replacement { number, text, found: &found, pattern: replace.pattern() });
                number += 1;
            }
            next.clear();
            if step.run_aligned(text, &section, &mut next)? {
                std::mem::swap(text, &mut next);
            }
            self.fits(text.text.len(), &section)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
