//! Numbers in groups of up to three characters.

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
