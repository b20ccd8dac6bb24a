//! Byte pair encoding of one piece: the pair with the lowest rank is merged, the leftmost among equals, until no pair
//! merges. Few tokens are merged by looking at all pairs each time, many with a queue.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::pairs::{NO_MERGE, Pairs};
use tokenbed_memory::{Gather, Heap, List};

/// Largest number of tokens for [`few`].
const FEW: usize = 48;

/// Merges the tokens of `ids` from `start` on until nothing merges.
#[inline]
pub(crate) fn merge(pairs: &Pairs, ids: &mut Vec<u32>, start: usize) {
    let tokens = &mut ids[start..];
    let kept = if tokens.len() <= FEW { few::<false>(pairs, tokens, &mut []) } else { many(pairs, tokens, &mut []) };
    ids.truncate(start + kept);
}

/// The same with the number of bytes of each token. `lengths` belongs to the tokens from `start` on.
pub(crate) fn merge_lengths(pairs: &Pairs, ids: &mut Vec<u32>, start: usize, lengths: &mut Vec<u32>) {
    let tokens = &mut ids[start..];
    let kept = if tokens.len() <= FEW { few::<true>(pairs, tokens, lengths) } else { many(pairs, tokens, lengths) };
    ids.truncate(start + kept);
    lengths.truncate(kept);
}

/// Merges up to [`FEW`] tokens in place, and returns how many remain. If `LENGTHS`, `lengths` is as long as `ids`.
fn few<const LENGTHS: bool>(pairs: &Pairs, ids: &mut [u32], lengths: &mut [u32]) -> usize {
    let mut count = ids.len();
    // ranks[i] is the rank of the merge of ids[i] and ids[i + 1].
    let mut ranks = [NO_MERGE; FEW];
    for (rank, pair) in ranks.iter_mut().zip(ids.windows(2)) {
        *rank = pairs.get(pair[0], pair[1]);
    }
    while count > 1 {
        let (mut best, mut at) = (NO_MERGE, 0);
        for (i, &rank) in ranks[..count - 1].iter().enumerate() {
            if rank < best {
                (best, at) = (rank, i);
            }
        }
        if best == NO_MERGE {
            break;
        }
        let made = pairs.made(best);
        ids[at] = made;
        ids.copy_within(at + 2..count, at + 1);
        if LENGTHS {
            lengths[at] += lengths[at + 1];
            lengths.copy_within(at + 2..count, at + 1);
        }
        ranks.copy_within(at + 1..count, at);
        count -= 1;
        ranks[at] = if at + 1 < count { pairs.get(made, ids[at + 1]) } else { NO_MERGE };
        if at > 0 {
            ranks[at - 1] = pairs.get(ids[at - 1], made);
        }
    }
    count
}

/// Merges any number of tokens in place in n log n, and returns how many remain. `lengths` is as long as `ids`, or
/// empty.
fn many(pairs: &Pairs, ids: &mut [u32], lengths: &mut [u32]) -> usize {
    /// The id of a token that was merged into the one before it, and the index before the first token.
    const NONE: u32 = u32::MAX;
    let count = ids.len();
    let mut next: Vec<u32> = (1..=count as u32).into_list();
    let mut prev: Vec<u32> = (0..count as u32).map(|i| i.wrapping_sub(1)).into_list();
    let mut ranks: Vec<u32> = ids.windows(2).map(|pair| pairs.get(pair[0], pair[1])).into_list();
    ranks.put(NO_MERGE);
    let first = ranks.iter().zip(0u32..).filter(|&(&rank, _)| rank != NO_MERGE);
    let mut queue: BinaryHeap<_> = first.map(|(&rank, i)| Reverse(u64::from(rank) << 32 | u64::from(i))).into_list().into();
    while let Some(Reverse(top)) = queue.pop() {
        let (rank, at) = ((top >> 32) as u32, top as u32);
        let i = at as usize;
        // One of the two may have been merged since the pair was queued; then this is another pair.
        if ranks[i] != rank {
            continue;
        }
        let gone = next[i] as usize;
        let made = pairs.made(rank);
        (ids[i], ids[gone]) = (made, NONE);
        (ranks[i], ranks[gone]) = (NO_MERGE, NO_MERGE);
        next[i] = next[gone];
        if let Some(&after) = ids.get(next[i] as usize) {
            prev[next[i] as usize] = at;
            ranks[i] = pairs.get(made, after);
            if ranks[i] != NO_MERGE {
                queue.put(Reverse(u64::from(ranks[i]) << 32 | u64::from(at)));
            }
        }
        if prev[i] != NONE {
            let before = prev[i] as usize;
            ranks[before] = pairs.get(ids[before], made);
            if ranks[before] != NO_MERGE {
                queue.put(Reverse(u64::from(ranks[before]) << 32 | u64::from(prev[i])));
            }
        }
    }
    // The first token is never merged into another one, so `kept` is at least 1 where it is used.
    let mut kept = 0;
    for i in 0..count {
        if ids[i] != NONE {
            ids[kept] = ids[i];
            if !lengths.is_empty() {
                lengths[kept] = lengths[i];
            }
            kept += 1;
        } else if !lengths.is_empty() {
            lengths[kept - 1] += lengths[i];
        }
    }
    kept
}
