//! The pre-tokenizer of a file, step by step: no step makes more of a text than the limits allow, and patterns are bounded.

use tokenbed_memory::List;
use tokenizers::{
    OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer, PreTokenizerWrapper, SplitDelimiterBehavior,
};

use super::limits::{Budget, Limits};
use super::pattern::Expression;

use fancy_regex::escape;
use tokenizers::pre_tokenizers::split::SplitPattern;

/// A pre-tokenizer as its steps.
pub(super) struct Cuts {
    steps: Vec<Step>,
    /// Whether several steps make texts longer: one alone cannot make much of one.
    grows: bool,
    limits: Limits,
}

enum Step {
    Library(PreTokenizerWrapper),
    Split { pattern: Box<Expression>, behavior: SplitDelimiterBehavior, invert: bool },
}

impl Cuts {
    pub(super) fn new(pre_tokenizer: Option<&PreTokenizerWrapper>, limits: Limits) -> Result<Self, String> {
        let mut steps = Vec::new();
        if let Some(pre_tokenizer) = pre_tokenizer {
            add(pre_tokenizer, limits, &mut steps)?;
        }
        let makes_longer = |step: &&Step| {
            matches!(step, Step::Library(PreTokenizerWrapper::ByteLevel(_) | PreTokenizerWrapper::Metaspace(_)))
        };
        let grows = steps.iter().filter(makes_longer).count() > 1;
        Ok(Self { steps, grows, limits })
    }

    pub(super) fn run(&self, pieces: &mut PreTokenizedString, budget: &Budget) -> Result<(), String> {
        for step in &self.steps {
            match step {
                Step::Library(pre_tokenizer) => pre_tokenizer.pre_tokenize(pieces),
                Step::Split { pattern, behavior, invert } => {
                    pieces.split(|_, piece| piece.split(pattern.within(budget).inverted(*invert), *behavior))
                }
            }
            .map_err(|error| error.to_string())?;
            if self.grows {
                let pieces = pieces.get_splits(OffsetReferential::Normalized, OffsetType::None);
                if pieces.iter().map(|(piece, ..)| piece.len()).sum::<usize>() > budget.bytes {
                    return Err(self.limits.grows());
                }
            }
            if budget.is_spent() {
                return Err(self.limits.slow());
            }
        }
        Ok(())
    }
}

fn add(pre_tokenizer: &PreTokenizerWrapper, limits: Limits, steps: &mut Vec<Step>) -> Result<(), String> {
    match pre_tokenizer {
        PreTokenizerWrapper::Sequence(sequence) => {
            sequence.as_ref().iter().try_for_each(|one| add(one, limits, steps))?;
        }
        PreTokenizerWrapper::Split(split) => {
            let pattern = match &split.pattern {
                SplitPattern::String(text) => Expression::new(&escape(text), limits),
                SplitPattern::Regex(expression) => Expression::new(expression, limits),
            };
            steps.put(Step::Split { pattern: Box::new(pattern?), behavior: split.behavior, invert: split.invert });
        }
        _ => steps.put(Step::Library(pre_tokenizer.clone())),
    }
    Ok(())
}
