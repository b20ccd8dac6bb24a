//! Numbers, alone or in groups.

use super::classes::{Classes, Set};

/// End of `\p{N}{1,3}`, whose first character ends at `at`.
#[inline]
pub(crate) fn end_of_three(classes: &Classes, text: &[u8], mut at: usize) -> usize {
    for _ in 0..2 {
        let Some((_, after)) = classes.at(text, at).filter(|&(class, _)| Set::NUMBER.has(class)) else { break };
        at = after;
    }
    at
}

/// How many numbers a piece has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// `\p{N}`
    One,
    /// `\p{N}{1,3}`
    Three,
    /// `\p{N}+`
    All,
}

impl Numbers {
    /// End of the piece whose first number ends at `at`.
    #[inline]
    pub(crate) fn end(self, classes: &Classes, text: &[u8], at: usize) -> usize {
        match self {
            Self::One => at,
            Self::Three => end_of_three(classes, text, at),
            Self::All => classes.end_of_run(text, at, Set::NUMBER),
        }
    }
}
