//! Whether two tokens side by side stay as they are when their bytes are encoded.

use super::pairs::Pairs;
use crate::vocabulary::Vocabulary;

/// Whether the encoding of the bytes of two tokens is these two tokens.
pub(crate) fn stay_apart(vocabulary: &Vocabulary, pairs: &Pairs, left: u32, right: u32) -> bool {
    no_merge_below(vocabulary, pairs, left, right, u32::MAX)
}

/// The first token, if any, that is not the encoding of its own bytes: encoding does not reach its two halves, or
/// does not join them into this token.
pub(crate) fn first_unreachable(vocabulary: &Vocabulary, pairs: &Pairs) -> Option<u32> {
    let mut merges = vocabulary.merges();
    let reached =
        |(id, left, right)| pairs.get(left, right) == id && no_merge_below(vocabulary, pairs, left, right, id);
    merges.find(|&merge| !reached(merge)).map(|(id, _, _)| id)
}

/// Whether encoding reaches two tokens if only merges of ranks below `limit` are done.
///
/// The merges that made the two are undone, the latest first. If the tokens at the seam merged before the merge that
/// was undone last, encoding would not have gone this way.
fn no_merge_below(vocabulary: &Vocabulary, pairs: &Pairs, mut left: u32, mut right: u32, mut limit: u32) -> bool {
    loop {
        if pairs.get(left, right) < limit {
            return false;
        }
        // Single bytes have the lowest ranks: if the larger of the two is a byte, neither can be taken apart.
        let Some((first, second)) = vocabulary.halves(left.max(right)) else { return true };
        if left > right {
            limit = left;
            left = second;
        } else {
            // Of two equal ranks the leftmost comes first, which is the seam's.
            limit = right + 1;
            right = first;
        }
    }
}
