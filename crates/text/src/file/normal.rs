//! The normalizer of a file, step by step, so that no step makes more of a text than the limits allow.

use std::cell::Cell;

use fancy_regex::escape;
use tokenbed_memory::{Gather, List};
use tokenizers::normalizers::Precompiled;
use tokenizers::normalizers::replace::Replace;
use tokenizers::tokenizer::pattern::Pattern;
use tokenizers::{NormalizedString, Normalizer, NormalizerWrapper, Offsets};

use super::added::Look;
use super::check;
use super::limits::Limits;
use super::pattern::{Expression, Parts};

/// The steps of a normalizer.
pub(crate) struct Normal {
    steps: Vec<Step>,
    limits: Limits,
}

enum Step {
    /// A step that makes a text a few times as long at most.
    Library(NormalizerWrapper),
    /// A table of replacements, and the number of bytes of the longest.
    Table(Box<Precompiled>, usize),
    Prepend(NormalizerWrapper, usize),
    /// Strips spaces from the front, the end, or both.
    Strip {
        front: bool,
        end: bool,
    },
    Replace(Box<Expression>, String),
}

impl Normal {
    pub(crate) fn new(normalizer: Option<&NormalizerWrapper>, limits: Limits) -> Result<Self, String> {
        let mut steps = Vec::new();
        if let Some(normalizer) = normalizer {
            add(normalizer, limits, &mut steps)?;
        }
        Ok(Self { steps, limits })
    }

    /// Records where a text may be cut, before its parts are normalized.
    pub(crate) fn begin(&self, look: Look<'_>) {
        let Some(certain) = look.certain else { return };
        let mut certain = certain.borrow_mut();
        for (i, step) in self.steps.iter().enumerate() {
            match step {
                Step::Library(NormalizerWrapper::Lowercase(_) | NormalizerWrapper::ByteLevel(_))
                | Step::Prepend(..) => {}
                Step::Library(_) | Step::Table(..) => certain.joins = true,
                Step::Replace(..) => drop(certain.begin_patterns(1)),
                Step::Strip { end, .. } => {
                    certain.strips_ends |= *end;
                    // An earlier replacement may make spaces, which this step strips.
                    if self.steps[..i].iter().any(|step| matches!(step, Step::Replace(..))) {
                        certain.give_up();
                    }
                }
            }
        }
    }

    /// Normalizes a part of a text. `made` is the number of bytes that the other parts have become.
    pub(crate) fn run(&self, text: &mut NormalizedString, made: &Cell<usize>, look: Look<'_>) -> Result<(), String> {
        let budget = look.budget;
        // What stands at the front of a text is not added where a text continues.
        let goes_on = look.goes_on && text.offsets_original().0 == 0;
        let room = budget.bytes.saturating_sub(made.get());
        let fits = |bytes: usize| if bytes > room { Err(self.limits.grows()) } else { Ok(()) };
        let mut patterns = 0;
        for step in &self.steps {
            match step {
                Step::Library(normalizer) => normalizer.normalize(text).map_err(|error| error.to_string())?,
                Step::Table(table, longest) => {
                    if text.len().saturating_mul(*longest) > room {
                        fits(check::table_bytes(table, text.get()))?;
                    }
                    table.normalize(text).map_err(|error| error.to_string())?;
                }
                Step::Prepend(..) if goes_on => {}
                Step::Strip { front, end } => {
                    if *front && !goes_on {
                        text.lstrip();
                    }
                    if *end {
                        text.rstrip();
                    }
                }
                Step::Prepend(normalizer, bytes) => {
                    fits(text.len().saturating_add(*bytes))?;
                    normalizer.normalize(text).map_err(|error| error.to_string())?;
                }
                Step::Replace(pattern, content) => {
                    let parts = pattern.within(budget).find_matches(text.get()).map_err(|error| error.to_string())?;
                    let size =
                        |&((start, end), found): &(Offsets, bool)| if found { content.len() } else { end - start };
                    fits(parts.iter().map(size).fold(0, usize::saturating_add))?;
                    if let Some(certain) = look.certain {
                        let found = parts.iter().filter(|(_, found)| *found).map(|&(place, _)| place).into_list();
                        certain.borrow_mut().pattern(text, pattern, patterns, &found);
                        patterns += 1;
                    }
                    text.replace(Parts::of(parts), content).map_err(|error| error.to_string())?;
                }
            }
            fits(text.len())?;
            if budget.is_spent() {
                return Err(self.limits.slow());
            }
        }
        made.set(made.get() + text.len());
        Ok(())
    }
}

fn add(normalizer: &NormalizerWrapper, limits: Limits, steps: &mut Vec<Step>) -> Result<(), String> {
    use NormalizerWrapper as N;
    match normalizer {
        N::Sequence(sequence) => sequence.as_ref().iter().try_for_each(|one| add(one, limits, steps))?,
        N::Precompiled(table) => {
            let longest = check::longest_entry(table)?;
            steps.put(Step::Table(Box::new(table.clone()), longest));
        }
        N::Prepend(prepend) => steps.put(Step::Prepend(normalizer.clone(), prepend.prepend.len())),
        N::StripNormalizer(strip) => steps.put(Step::Strip { front: strip.strip_left, end: strip.strip_right }),
        N::Replace(replace) => steps.put(Step::Replace(Box::new(replaced(replace, limits)?), replace.content.clone())),
        _ => steps.put(Step::Library(normalizer.clone())),
    }
    Ok(())
}

/// The pattern of a replacement, as an expression.
pub(crate) fn replaced(replace: &Replace, limits: Limits) -> Result<Expression, String> {
    let written = serde_json::to_value(replace).map_err(|error| error.to_string())?;
    let pattern = &written["pattern"];
    match (pattern["String"].as_str(), pattern["Regex"].as_str()) {
        (Some(text), _) => Expression::new(&escape(text), limits),
        (None, Some(expression)) => Expression::new(expression, limits),
        _ => Err("a Replace without a pattern".into()),
    }
}
