//! Byte pair encoding of one piece: the pair with the smallest rank is merged, the leftmost of equals first, until no
//! pair merges (tiktoken: `_byte_pair_merge`).
//!
//! [`short`] looks at every pair for every merge, [`heap`] keeps the pairs in order; both take any vocabulary.
//! What they do to a long piece is left to `join`, which cuts it up for them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::pairs::{NO_MERGE, Pairs};

/// The longest piece for [`short`], in bytes.
pub(crate) const SHORT: usize = 1 << SHORT_BITS;
const SHORT_BITS: u32 = 6;

/// Merges tokens, appends what is left of them to `out`.
pub(crate) fn merge(pairs: &Pairs, ids: &mut [u32], out: &mut Vec<u32>) {
    if ids.len() <= SHORT { short(pairs, ids, out) } else { heap(pairs, ids, out) }
}

/// For up to [`SHORT`] tokens.
fn short(pairs: &Pairs, ids: &mut [u32], out: &mut Vec<u32>) {
    let length = ids.len();
    // keys[i]: what token i and the one after it merge into, with i in the low bits. So the smallest key says at once
    // which pair is next, and a plain minimum, which compiles to vector code, finds it.
    let mut keys = [NO_KEY; SHORT];
    for (i, pair) in ids.windows(2).enumerate() {
        keys[i] = key(pairs.get(pair[0], pair[1]), i);
    }
    // A bit for each token that is still there. Nothing moves when two are merged: the right one's bit is cleared.
    let mut there = u64::MAX >> (SHORT - length.clamp(1, SHORT));
    let scanned = length.next_multiple_of(8).min(SHORT);
    loop {
        let smallest = keys[..scanned].iter().fold(NO_KEY, |smallest, &key| smallest.min(key));
        if smallest == NO_KEY {
            break;
        }
        let (merged, at) = (smallest >> SHORT_BITS, smallest as usize % SHORT);
        let above = |i: usize| (there >> i >> 1).trailing_zeros() as usize + i + 1;
        let gone = above(at) % SHORT;
        let after = above(gone);
        there &= !(1 << gone);
        keys[gone] = NO_KEY;
        ids[at] = merged;
        keys[at] = if after < length { key(pairs.get(merged, ids[after]), at) } else { NO_KEY };
        let below = there & ((1 << at) - 1);
        if below != 0 {
            let before = below.ilog2() as usize;
            keys[before] = key(pairs.get(ids[before], merged), before);
        }
    }
    while there != 0 {
        out.push(ids[there.trailing_zeros() as usize]);
        there &= there - 1;
    }
}

/// No pair here: larger than every key.
const NO_KEY: u32 = u32::MAX;

/// Ids stay under 2^21, so that there is room for the place.
fn key(merged: u32, at: usize) -> u32 {
    if merged == NO_MERGE { NO_KEY } else { merged << SHORT_BITS | at as u32 }
}

/// For any number of tokens, in n log n.
fn heap(pairs: &Pairs, ids: &mut [u32], out: &mut Vec<u32>) {
    /// The id of a token that went into the one before it, and the place before the first one.
    const NONE: u32 = u32::MAX;
    let length = ids.len();
    let mut next: Vec<u32> = (1..=length as u32).collect();
    let mut prev: Vec<u32> = (0..length as u32).map(|i| i.wrapping_sub(1)).collect();
    let mut merges: Vec<u32> = ids.windows(2).map(|pair| pairs.get(pair[0], pair[1])).collect();
    merges.push(NO_MERGE);
    let first = merges.iter().zip(0u32..).filter(|&(&merge, _)| merge != NO_MERGE);
    let mut queue: BinaryHeap<_> = first.map(|(&merge, i)| Reverse((merge, i))).collect();
    while let Some(Reverse((merge, at))) = queue.pop() {
        let i = at as usize;
        // One of the two neighbours may have been merged since the pair was queued: then it is no longer this pair.
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
                queue.push(Reverse((merges[i], at)));
            }
        }
        if prev[i] != NONE {
            let before = prev[i] as usize;
            merges[before] = pairs.get(ids[before], merge);
            if merges[before] != NO_MERGE {
                queue.push(Reverse((merges[before], prev[i])));
            }
        }
    }
    out.extend(ids.iter().filter(|&&id| id != NONE));
}
