//! What can be wrong with a draw that is asked for, and with a state that is loaded.

/// A draw that PyTorch refuses too, or that this crate cannot give.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DrawError {
    /// The standard deviation is negative or NaN.
    #[error("a normal draw needs std >= 0, not {std}")]
    Std {
        /// What was asked for.
        std: f64,
    },
    /// The bounds are not in order, or not finite in f32, or so far apart that their difference is not.
    #[error("a uniform draw needs low <= high with a difference that f32 holds, not [{low}, {high})")]
    Bounds {
        /// The lower bound.
        low: f64,
        /// The upper bound.
        high: f64,
    },
    /// More samples than u32 can number.
    #[error("a permutation of {len} samples is longer than 2^32")]
    PermutationTooLong {
        /// The length that was asked for.
        len: usize,
    },
}

/// Bytes that are no state of a CPU generator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// Of another size.
    #[error("a generator's state has {expected} bytes, not {len}", expected = crate::STATE_BYTES)]
    Length {
        /// The bytes that were given.
        len: usize,
    },
    /// The flag that says that the engine was seeded is not set.
    #[error("the engine of this state was never seeded (its flag is {flag}, not 1)")]
    NotSeeded {
        /// The flag.
        flag: i32,
    },
    /// `left`, the draws until the next twist, is not from 1 to 624.
    #[error("the state's count of draws left is {left}, not from 1 to 624")]
    Left {
        /// The count.
        left: i32,
    },
    /// `next`, the index of the next word, is above 624.
    #[error("the state's next word is {next}, above 624")]
    Next {
        /// The index.
        next: u64,
    },
    /// More draws are left than there are words from `next` on.
    #[error("the state has {left} draws left from word {next} on: they do not add up to 625")]
    Inconsistent {
        /// The count of draws until the next twist.
        left: u32,
        /// The index of the next word.
        next: u32,
    },
    /// A word of the engine has more than 32 bits.
    #[error("word {index} of the state is {value}: above 32 bits")]
    Word {
        /// Which of the 624.
        index: usize,
        /// What stands there.
        value: u64,
    },
}
