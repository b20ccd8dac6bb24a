//! The normalizer of a file, step by step, so that no step makes more of a text than the limits allow.

use std::cell::{Cell, RefCell};

use fancy_regex::escape;
use tokenbed_memory::List;
use tokenizers::normalizers::Precompiled;
use tokenizers::normalizers::replace::Replace;
use tokenizers::tokenizer::pattern::Pattern;
use tokenizers::{NormalizedString, Normalizer, NormalizerWrapper, Offsets};

use super::check;
use super::limits::{Budget, Limits};
use super::pattern::Expression;

/// A normalizer as its steps.
pub(super) struct Normal {
    steps: Vec<Step>,
    limits: Limits,
}

enum Step {
    /// One whose text is a few times as long at most.
    Library(NormalizerWrapper),
    /// A table whose longest entry has so many bytes.
    Table(Box<Precompiled>, usize),
    Prepend(NormalizerWrapper, usize),
    Replace(Box<Expression>, String),
}

impl Normal {
    pub(super) fn new(normalizer: Option<&NormalizerWrapper>, limits: Limits) -> Result<Self, String> {
        let mut steps = Vec::new();
        if let Some(normalizer) = normalizer {
            add(normalizer, limits, &mut steps)?;
        }
        Ok(Self { steps, limits })
    }

    /// Normalizes a part of a text; `made` are the bytes that its other parts became.
    pub(super) fn run(&self, text: &mut NormalizedString, made: &Cell<usize>, budget: &Budget) -> Result<(), String> {
        let room = budget.bytes.saturating_sub(made.get());
        let fits = |bytes: usize| if bytes > room { Err(self.limits.grows()) } else { Ok(()) };
        for step in &self.steps {
            match step {
                Step::Library(normalizer) => normalizer.normalize(text).map_err(|error| error.to_string())?,
                Step::Table(table, longest) => {
                    if text.len().saturating_mul(*longest) > room {
                        fits(check::table_bytes(table, text.get()))?;
                    }
                    table.normalize(text).map_err(|error| error.to_string())?;
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
                    text.replace(Parts(RefCell::new(parts)), content).map_err(|error| error.to_string())?;
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

/// Parts that were found before.
struct Parts(RefCell<Vec<(Offsets, bool)>>);

impl Pattern for Parts {
    fn find_matches(&self, _: &str) -> tokenizers::Result<Vec<(Offsets, bool)>> {
        Ok(self.0.take())
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
        N::Replace(replace) => steps.put(Step::Replace(Box::new(replaced(replace, limits)?), replace.content.clone())),
        _ => steps.put(Step::Library(normalizer.clone())),
    }
    Ok(())
}

/// What is replaced, as an expression.
pub(super) fn replaced(replace: &Replace, limits: Limits) -> Result<Expression, String> {
    let written = serde_json::to_value(replace).map_err(|error| error.to_string())?;
    let pattern = &written["pattern"];
    match (pattern["String"].as_str(), pattern["Regex"].as_str()) {
        (Some(text), _) => Expression::new(&escape(text), limits),
        (None, Some(expression)) => Expression::new(expression, limits),
        _ => Err("a Replace without a pattern".into()),
    }
}
