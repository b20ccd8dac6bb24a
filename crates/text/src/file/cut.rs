//! The pre-tokenizer of a file, step by step: no step makes more of a text than the limits allow, and patterns are
//! bounded.

use std::sync::OnceLock;

use tokenbed_memory::List;
use tokenizers::{
    OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer, PreTokenizerWrapper, SplitDelimiterBehavior,
};

use super::added::Look;
use super::limits::Limits;
use super::pattern::{Expression, Parts};

use fancy_regex::escape;
use tokenbed_memory::Gather;
use tokenizers::Offsets;
use tokenizers::pre_tokenizers::metaspace::PrependScheme;
use tokenizers::pre_tokenizers::split::SplitPattern;
use tokenizers::tokenizer::pattern::Pattern;

/// The steps of a pre-tokenizer.
pub(super) struct Cuts {
    steps: Vec<Step>,
    /// Whether several steps make texts longer. One step alone cannot make a text much longer.
    grows: bool,
    limits: Limits,
    /// The built-in pattern of the byte level step. Only a text in parts needs it.
    own: OnceLock<Option<Expression>>,
}

/// The pattern by which the library's byte level step cuts.
const BYTE_LEVEL: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

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
        Ok(Self { steps, grows, limits, own: OnceLock::new() })
    }

    /// Whether there are no steps.
    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    pub(super) fn run(&self, pieces: &mut PreTokenizedString, look: Look<'_>) -> Result<(), String> {
        let budget = look.budget;
        for (i, step) in self.steps.iter().enumerate() {
            match step {
                Step::Library(pre_tokenizer) => {
                    self.learn(pre_tokenizer, i + 1 == self.steps.len(), pieces, look);
                    pre_tokenizer.pre_tokenize(pieces)
                }
                Step::Split { pattern, behavior, invert } => {
                    let number = look.certain.map(|certain| certain.borrow_mut().begin_patterns(1));
                    pieces.split(|_, piece| {
                        let found = pattern.within(budget).inverted(*invert).find_matches(piece.get())?;
                        if let (Some(certain), Some(number)) = (look.certain, number) {
                            let is_match = |(_, found): &&(Offsets, bool)| *found != *invert;
                            let places = found.iter().filter(is_match).map(|&(place, _)| place).into_list();
                            certain.borrow_mut().pattern(&piece, pattern, number, &places);
                        }
                        piece.split(Parts::of(found), *behavior)
                    })
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

impl Cuts {
    /// Records what a step of the library means for cuts. Most steps look at one character at a time.
    fn learn(&self, step: &PreTokenizerWrapper, is_last: bool, pieces: &mut PreTokenizedString, look: Look<'_>) {
        use PreTokenizerWrapper as P;
        let Some(certain) = look.certain else { return };
        match step {
            P::FixedLength(_) | P::UnicodeScripts(_) => certain.borrow_mut().give_up(),
            P::Metaspace(it) if it.get_prepend_scheme() != PrependScheme::Never => {
                certain.borrow_mut().adds(it.get_replacement());
            }
            P::ByteLevel(it) => {
                if it.add_prefix_space {
                    // This is the space in byte level form.
                    certain.borrow_mut().adds('\u{120}');
                }
                let own = self.own.get_or_init(|| Expression::new(BYTE_LEVEL, self.limits).ok());
                let (true, Some(pattern)) = (it.use_regex, own) else { return };
                certain.borrow_mut().only_edges = true;
                if !is_last {
                    // A later step could cut within its matches.
                    certain.borrow_mut().give_up();
                }
                // This splits nothing, but gives access to the pieces. It cannot fail.
                let _ = pieces.split(|_, piece| {
                    certain.borrow_mut().pattern(&piece, pattern, usize::MAX, &[]);
                    Ok::<_, tokenizers::Error>([piece])
                });
            }
            _ => {}
        }
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
