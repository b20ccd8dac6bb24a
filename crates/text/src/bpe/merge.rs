//! Byte pair encoding of one piece: the pair with the smallest rank is merged, the leftmost among equals, until no
//! pair merges (tiktoken: `_byte_pair_merge`).
//!
//! [`short`] looks at every pair for each merge, [`heap`] keeps the pairs in order; both work with any vocabulary.
//! Long pieces are cut up by `join` first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::pairs::{NO_MERGE, Pairs};
use tokenbed_memory::{Gather, Heap, List};

/// Length of the longest piece for [`short`], in bytes.
pub(crate) const SHORT: usize = 64;

/// Merges tokens, which are single bytes at first, and appends the result to `out`.
pub(crate) fn merge(pairs: &Pairs, ids: &mut [u32], out: &mut Vec<u32>) {
    if ids.len() <= SHORT { short(pairs, ids, out) } else { heap(pairs, ids, out) }
}

/// Merges up to [`SHORT`] tokens.
fn short(pairs: &Pairs, ids: &mut [u32], out: &mut Vec<u32>) {
    let mut length = ids.len();
    // merges[i] is the token that ids[i] and ids[i + 1] merge into.
    let mut merges = [NO_MERGE; SHORT];
    for (merge, pair) in merges.iter_mut().zip(ids.windows(2)) {
        *merge = pairs.of_bytes(pair[0], pair[1]);
    }
    while length > 1 {
        let mut best = NO_MERGE;
        let mut at = 0;
        for (i, &merge) in merges[..length - 1].iter().enumerate() {
            if merge < best {
                (best, at) = (merge, i);
            }
        }
        if best == NO_MERGE {
            break;
        }
        ids[at] = best;
        ids.copy_within(at + 2..length, at + 1);
        merges.copy_within(at + 1..length, at);
        length -= 1;
        merges[at] = if at + 1 < length { pairs.get(best, ids[at + 1]) } else { NO_MERGE };
        if at > 0 {
            merges[at - 1] = pairs.get(ids[at - 1], best);
        }
    }
    out.put_slice(&ids[..length]);
}

/// Merges any number of tokens in n log n.
fn heap(pairs: &Pairs, ids: &mut [u32], out: &mut Vec<u32>) {
    /// The id of a token that was merged into the one before it, and the index before the first token.
    const NONE: u32 = u32::MAX;
    let length = ids.len();
    let mut next: Vec<u32> = (1..=length as u32).into_list();
    let mut prev: Vec<u32> = (0..length as u32).map(|i| i.wrapping_sub(1)).into_list();
    let mut merges: Vec<u32> = ids.windows(2).map(|pair| pairs.of_bytes(pair[0], pair[1])).into_list();
    merges.put(NO_MERGE);
    let first = merges.iter().zip(0u32..).filter(|&(&merge, _)| merge != NO_MERGE);
    let mut queue: BinaryHeap<_> = first.map(|(&merge, i)| Reverse((merge, i))).into_list().into();
    while let Some(Reverse((merge, at))) = queue.pop() {
        let i = at as usize;
        // One of the two neighbours may have been merged since the pair was queued; then this is another pair.
        if merges[i] != merge {
            continue;
        }
        let gone = next[i] as usize;
        (ids[i], ids[gone]) = (merge, NONE);
        (merges[i], merges[gone]) = (NO_MERGE, NO_MERGE);
        next[i] = next[gone];
        if (next[i] as usize) < length {
            prev[next[i] as usize] = at;
            merges[i] = pairs.get(merge, ids[next[i] as usize]);
            if merges[i] != NO_MERGE {
                queue.put(Reverse((merges[i], at)));
            }
        }
        if prev[i] != NONE {
            let before = prev[i] as usize;
            merges[before] = pairs.get(ids[before], merge);
            if merges[before] != NO_MERGE {
                queue.put(Reverse((merges[before], prev[i])));
            }
        }
    }
    out.put_all(ids.iter().copied().filter(|&id| id != NONE));
}
