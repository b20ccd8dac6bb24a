//! What the encoding of two tokens side by side is: the two, or something else.

use super::pairs::Pairs;
use crate::vocabulary::Vocabulary;

/// Whether the encoding of the bytes of two tokens is these two tokens.
pub(crate) fn stay_apart(vocabulary: &Vocabulary, pairs: &Pairs, left: u32, right: u32) -> bool {
    no_merge_below(vocabulary, pairs, left, right, u32::MAX)
}

/// The first token, if any, that is not the encoding of its own bytes: its two halves are, but encoding does not come
/// to them, or does not join them to this token.
pub(crate) fn first_unreachable(vocabulary: &Vocabulary, pairs: &Pairs) -> Option<u32> {
    let mut merges = vocabulary.merges();
    let reached =
        |(id, left, right)| pairs.get(left, right) == id && no_merge_below(vocabulary, pairs, left, right, id);
    merges.find(|&merge| !reached(merge)).map(|(id, _, _)| id)
}

/// Whether encoding comes to two tokens as long as only merges of ranks below `limit` are done.
///
/// The merges that made the two are taken back, the latest first. If the tokens at the seam would ever merge before the
/// merge that was taken back last, encoding would not have come this way.
fn no_merge_below(vocabulary: &Vocabulary, pairs: &Pairs, mut left: u32, mut right: u32, mut limit: u32) -> bool {
    loop {
        if pairs.get(left, right) < limit {
            return false;
        }
        // Ranks of single bytes are the lowest: if the larger of the two is one, neither can be taken apart.
        let Some((first, second)) = vocabulary.halves(left.max(right)) else { return true };
        if left > right {
            limit = left;
            left = second;
        } else {
            // Of two equal ranks the one further left comes first, and that is the seam's.
            limit = right + 1;
            right = first;
        }
    }
}
