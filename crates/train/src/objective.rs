//! The objectives as users know them: their names, and all options of each.

use crate::classify::ClassifyOptions;
use crate::next_token::NextTokenOptions;
use crate::pairs::{CbowOptions, PairOptions};
use tokenbed_core::{Error, Result};
use tokenbed_memory::Gather;
use tokenbed_nn::options::{Field, Options, Usual, Values, size};

/// The maximal number of elements in a vector: thirty times that of the widest model.
const MOST_DIM: u64 = 1 << 20;
/// The largest count that fits into 31 bits.
pub(crate) const MOST: u64 = (1 << 31) - 1;
/// The largest integer that JavaScript distinguishes from its neighbours.
pub(crate) const MOST_SAFE: u64 = (1 << 53) - 1;

tokenbed_nn::options! {
    /// What every objective has.
    pub struct RunOptions {
        /// Of a corpus of ids: how many there may be. Default: that of the tokenizer.
        pub vocab_size: usize [size(0, MOST)] = Usual::Missing,
        /// Elements of a vector.
        pub dim: usize [size(1, MOST_DIM)] = Usual::NumberBy(100.0, &[("next-token", 64.0)]),
        /// How often the corpus is gone through.
        pub epochs: u64 [size(1, MOST)] = Usual::NumberBy(5.0, &[("next-token", 1.0)]),
        /// Tokens that come less often are left out.
        pub min_count: u64 [size(0, MOST_SAFE)] = Usual::NumberBy(5.0, &[("next-token", 1.0), ("classify", 1.0)]),
        /// The seed of all draws. The same seed, corpus and options give the same bits, at any number of threads.
        pub seed: u64 [size(0, MOST_SAFE)] = 1.0,
    }
}

/// An objective with all of its options.
#[derive(Clone, Copy, Debug)]
pub enum Plan {
    /// Skip-gram and CBOW: vectors are learned from neighbouring words.
    Pairs(PairOptions),
    /// Predicts the next token in a window.
    NextToken(NextTokenOptions),
    /// Predicts a class for each text.
    Classify(ClassifyOptions),
}

/// An objective as users know it.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// Its name.
    pub name: &'static str,
    /// The name of the options that it shares with objectives of the same kind.
    pub kind: &'static str,
    /// Its description, in sentences.
    pub about: &'static str,
    /// Its options.
    pub fields: Vec<Field>,
}

impl Plan {
    /// All objectives.
    pub fn definitions() -> Vec<Definition> {
        let cbow = PairOptions::fields().into_iter().chain(CbowOptions::fields()).into_list();
        Vec::from([
            Definition { name: "skip-gram", kind: "Pair", about: PairOptions::ABOUT, fields: PairOptions::fields() },
            Definition { name: "cbow", kind: "Pair", about: PairOptions::ABOUT, fields: cbow },
            Definition {
                name: "next-token",
                kind: "NextToken",
                about: NextTokenOptions::ABOUT,
                fields: NextTokenOptions::fields(),
            },
            Definition {
                name: "classify",
                kind: "Classify",
                about: ClassifyOptions::ABOUT,
                fields: ClassifyOptions::fields(),
            },
        ])
    }

    /// The objective that the option `objective` names, with the options that JavaScript passed.
    ///
    /// # Errors
    /// [`Error::Usage`] for an unknown objective, and for missing options; TypeScript has already checked both.
    pub fn read(options: &dyn Values) -> Result<Self> {
        Ok(match options.word("objective").as_deref() {
            Some("skip-gram" | "cbow") => Plan::Pairs(PairOptions::read(options)?),
            Some("next-token") => Plan::NextToken(NextTokenOptions::read(options)?),
            Some("classify") => Plan::Classify(ClassifyOptions::read(options)?),
            other => return Err(Error::Usage(format!("there is no objective {other:?}"))),
        })
    }

    /// The options that every objective has.
    pub fn run(&self) -> &RunOptions {
        match self {
            Plan::Pairs(options) => &options.run,
            Plan::NextToken(options) => &options.run,
            Plan::Classify(options) => &options.run,
        }
    }
}
