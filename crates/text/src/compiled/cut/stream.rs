//! What the steps mean for cuts of an unfinished text.

use std::sync::OnceLock;

use super::matcher::{Matcher, Split};
use super::{Cuts, Pieces, Prepend, Step};
use crate::certain::Certain;
use crate::compiled::certain::Portion;
use crate::compiled::pattern::Pattern;
use crate::file::limits::{Budget, Limits};
use crate::offsets::Place;
use tokenbed_memory::owned;

/// A pattern that a scanner matches, as an expression. Only a text in parts needs it.
pub(super) struct Decided {
    source: String,
    limits: Limits,
    pattern: OnceLock<Option<Pattern>>,
}

impl Decided {
    pub(super) fn new(source: &str, limits: Limits) -> Self {
        Self { source: owned(source), limits, pattern: OnceLock::new() }
    }

    fn pattern(&self) -> Option<&Pattern> {
        self.pattern.get_or_init(|| Pattern::of_scanner(&self.source, self.limits)).as_ref()
    }
}

impl Step {
    /// Whether the step's matches are recorded.
    fn has_matches(&self) -> bool {
        match self {
            Self::Scan(_, decided) => !decided.is_empty(),
            Self::Split(Split { matcher, .. }) => matches!(matcher, Matcher::Pattern(_)),
            _ => false,
        }
    }
}

impl Cuts {
    /// Records what all steps mean, and returns the number of the first pattern.
    pub(crate) fn begin_certain(&self, certain: &mut Certain) -> usize {
        for (number, step) in self.steps.iter().enumerate() {
            let later = self.steps.get(number + 1..).unwrap_or_default();
            match step {
                Step::Fixed(_) => certain.give_up(),
                Step::Metaspace { prepend: Prepend::Never, .. } => {}
                Step::Metaspace { mark, .. } => certain.adds(*mark),
                Step::Space => {
                    let is_spelled = later.iter().any(|step| matches!(step, Step::Letters));
                    certain.adds(if is_spelled { '\u{120}' } else { ' ' });
                }
                _ => {}
            }
        }
        certain.begin_patterns(self.steps.iter().filter(|step| step.has_matches()).count())
    }

    /// Cuts a section of an unfinished text, and records where it may be divided. `first` is the number of the first
    /// pattern.
    ///
    /// # Errors
    /// A reason such as [`Limits::grows`].
    #[allow(clippy::too_many_arguments, reason = "a section, and what belongs to the whole text")]
    pub(crate) fn run_certain(
        &self,
        section: &str,
        places: &[Place],
        goes_on: bool,
        budget: &Budget,
        pieces: &mut Pieces,
        certain: &mut Certain,
        first: usize,
    ) -> Result<(), String> {
        pieces.begin(section, Some(places));
        let mut number = first;
        for step in &self.steps {
            if let Step::Scan(_, decided) = step {
                for pattern in decided {
                    let Some(pattern) = pattern.pattern() else {
                        certain.give_up();
                        continue;
                    };
                    pieces.each_portion(section, |portion| certain.decide(portion, pattern));
                }
            }
            if let Step::Split(split @ Split { matcher: Matcher::Pattern(pattern), .. }) = step {
                let mut failed = None;
                pieces.each_portion(section, |portion| {
                    certain.decide(portion, pattern);
                    let mut found = Vec::new();
                    match split.matches(portion.text, budget, &mut found) {
                        Ok(()) => certain.matches(portion, number, found.into_iter()),
                        Err(reason) => failed = Some(reason),
                    }
                });
                if let Some(reason) = failed {
                    return Err(reason);
                }
            }
            self.take(step, section, !goes_on, budget, pieces)?;
            if matches!(step, Step::Scan(..)) && step.has_matches() {
                pieces.each_portion(section, |portion| {
                    certain.matches(portion, number, std::iter::once((0, portion.text.len())));
                });
            }
            number += usize::from(step.has_matches());
        }
        if budget.is_spent() { Err(self.limits.slow()) } else { Ok(()) }
    }
}

impl Pieces {
    fn each_portion(&self, section: &str, mut visit: impl FnMut(Portion<'_>)) {
        let text = self.text(section);
        for &(start, end) in &self.list {
            let place = start as usize..end as usize;
            let places = self.places.get(place.clone()).unwrap_or_default();
            visit(Portion::piece(text.get(place).unwrap_or_default(), places));
        }
    }
}
