//! Errors of draws and of loading a state.

/// A draw that PyTorch refuses too, or that this crate does not support.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DrawError {
    /// The standard deviation is negative or NaN.
    #[error("a normal draw needs std >= 0, not {std}")]
    Std {
        /// The standard deviation that was requested.
        std: f64,
    },
    /// The bounds are not in order, are not finite in f32, or have a difference that is not.
    #[error("a uniform draw needs low <= high with a difference that f32 holds, not [{low}, {high})")]
    Bounds {
        /// The lower bound.
        low: f64,
        /// The upper bound.
        high: f64,
    },
    /// There are more samples than a u32 can number.
    #[error("a permutation of {len} samples is longer than 2^32")]
    PermutationTooLong {
        /// The length that was requested.
        len: usize,
    },
}

/// Bytes that are not a state of a CPU generator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The number of bytes is wrong.
    #[error("a generator's state has {expected} bytes, not {len}", expected = crate::STATE_BYTES)]
    Length {
        /// Number of bytes that were given.
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
        /// The count of draws.
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
        /// Index of the word, from 0 to 623.
        index: usize,
        /// The value of the word.
        value: u64,
    },
}
