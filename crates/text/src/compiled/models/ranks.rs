//! The merges of BPE: which two tokens become one, and in which order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use tokenbed_memory::{Gather, Heap, List, filled, with_room};

use super::super::{NotNative, Tokens};
use super::Merges;

/// A hash table from pairs of tokens to their ranks.
///
/// A slot is one machine word, the scrambled pair and below it the rank, so that a look-up touches one line of the
/// cache. The slots in use are in the order of the scrambled pairs, with gaps: a pair that is not there is missed as
/// soon as a larger one is met, so the table may be almost full.
#[derive(Debug)]
pub(crate) struct Ranks {
    slots: Vec<u64>,
    /// Number of places where pairs begin to be searched for. The slots behind them are for what is pushed out.
    homes: u64,
    /// The token that each merge makes, by rank.
    merged: Vec<u32>,
}

const EMPTY: u64 = u64::MAX;
const RANK_BITS: u32 = 22;
const ID_BITS: u32 = 21;
/// No pair is farther than this from where its search begins: the library's crate takes merges made for such a table.
const FARTHEST: usize = 4096;

/// The rank of a pair that does not merge. It is larger than every rank.
pub(crate) const NO_MERGE: u32 = u32::MAX;

/// Length of the longest piece that is merged without a heap.
pub(crate) const SHORT: usize = 64;

impl Ranks {
    /// The table of `merges`, whose order is their rank. A merged token is spelled as its two halves, the second one
    /// without its first `prefix` bytes. If a pair occurs twice, its last rank counts.
    pub(crate) fn new(merges: &Merges, tokens: &Tokens, prefix: usize) -> Result<Self, NotNative> {
        if tokens.end() >= 1 << ID_BITS || merges.len() + 1 >= 1 << RANK_BITS {
            return Err(NotNative::new("model: more than two million tokens or four million merges"));
        }
        let homes = merges.len() + merges.len() / 4 + 1;
        let mut it = Self { slots: filled(EMPTY, homes + 128), homes: homes as u64, merged: with_room(merges.len()) };
        let mut spelled = Vec::new();
        for (&(left, right), rank) in merges.iter().zip(0u64..) {
            let (Some(first), Some(second)) = (tokens.token(left), tokens.token(right)) else {
                return Err(NotNative::new("model: a merge without its tokens"));
            };
            let Some(second) = second.get(prefix..).filter(|second| !first.is_empty() && !second.is_empty()) else {
                return Err(NotNative::new("model: a merge of an empty token"));
            };
            let is_made = |id: &u32| {
                let token = tokens.token(*id).filter(|token| token.len() == first.len() + second.len());
                token.is_some_and(|token| token.starts_with(first) && token.ends_with(second))
            };
            // Most files have their merges in the order of the tokens that they make, so that nothing is searched for.
            let last = it.merged.last().copied().unwrap_or(0);
            let merged = [last, last + 1].into_iter().find(is_made).or_else(|| {
                spelled.clear();
                spelled.put_slice(first);
                spelled.put_slice(second);
                tokens.get(&spelled)
            });
            it.merged.put(merged.ok_or_else(|| NotNative::new("model: a merge without its token"))?);
            it.insert(scrambled(left, right) << RANK_BITS | rank)?;
        }
        Ok(it)
    }

    /// Puts a slot in its place, and moves those that are larger.
    fn insert(&mut self, mut slot: u64) -> Result<(), NotNative> {
        let home = self.home(slot);
        for at in home..home + FARTHEST {
            if at + 1 >= self.slots.len() {
                // The last one stays empty.
                self.slots.put(EMPTY);
            }
            let there = self.slots[at];
            if there == EMPTY || there >> RANK_BITS == slot >> RANK_BITS {
                self.slots[at] = slot;
                return Ok(());
            }
            if slot < there {
                self.slots[at] = slot;
                slot = there;
            }
        }
        Err(NotNative::new("model: merges that are hard to find"))
    }

    /// The rank of two neighbours, or [`NO_MERGE`].
    #[inline]
    pub(crate) fn get(&self, left: u32, right: u32) -> u32 {
        let least = scrambled(left, right) << RANK_BITS;
        let mut at = self.home(least);
        loop {
            let slot = self.slots.get(at).copied().unwrap_or(EMPTY);
            if slot >= least {
                let found = slot >> RANK_BITS == least >> RANK_BITS && slot != EMPTY;
                return if found { slot as u32 & ((1 << RANK_BITS) - 1) } else { NO_MERGE };
            }
            at += 1;
        }
    }

    /// The token that the merge of this rank makes.
    #[inline]
    pub(crate) fn merged(&self, rank: u32) -> u32 {
        self.merged.get(rank as usize).copied().unwrap_or(0)
    }

    /// Where the search for a slot begins.
    #[inline]
    fn home(&self, slot: u64) -> usize {
        ((u128::from(slot) * u128::from(self.homes)) >> 64) as usize
    }

    /// Bytes of memory.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        8 * self.slots.capacity() + 4 * self.merged.capacity()
    }

    /// Merges up to [`SHORT`] tokens, and returns how many are left at the front of `ids`.
    pub(crate) fn merge_short(&self, ids: &mut [u32]) -> usize {
        let mut length = ids.len();
        // ranks[i] is the rank of ids[i] and ids[i + 1].
        let mut ranks = [NO_MERGE; SHORT];
        for (rank, pair) in ranks.iter_mut().zip(ids.windows(2)) {
            *rank = self.get(pair[0], pair[1]);
        }
        while length > 1 {
            let (mut best, mut at) = (NO_MERGE, 0);
            for (i, &rank) in ranks[..length - 1].iter().enumerate() {
                if rank < best {
                    (best, at) = (rank, i);
                }
            }
            if best == NO_MERGE {
                break;
            }
            let merged = self.merged(best);
            ids[at] = merged;
            ids.copy_within(at + 2..length, at + 1);
            ranks.copy_within(at + 1..length, at);
            length -= 1;
            ranks[at] = if at + 1 < length { self.get(merged, ids[at + 1]) } else { NO_MERGE };
            if at > 0 {
                ranks[at - 1] = self.get(ids[at - 1], merged);
            }
        }
        length
    }

    /// Merges any number of tokens in n log n. Afterwards a token that was merged into the one before it is
    /// [`GONE`].
    pub(crate) fn merge_long(&self, ids: &mut [u32]) {
        const NONE: u32 = u32::MAX;
        let length = ids.len();
        let mut next: Vec<u32> = (1..=length as u32).into_list();
        let mut prev: Vec<u32> = (0..length as u32).map(|i| i.wrapping_sub(1)).into_list();
        let mut ranks: Vec<u32> = ids.windows(2).map(|pair| self.get(pair[0], pair[1])).into_list();
        ranks.put(NO_MERGE);
        let first = ranks.iter().zip(0u32..).filter(|&(&rank, _)| rank != NO_MERGE);
        let mut queue: BinaryHeap<_> = first.map(|(&rank, i)| Reverse((rank, i))).into_list().into();
        while let Some(Reverse((rank, at))) = queue.pop() {
            let i = at as usize;
            // One of the two neighbours may have been merged since the pair was queued; then this is another pair.
            if ranks[i] != rank {
                continue;
            }
            let merged = self.merged(rank);
            let gone = next[i] as usize;
            (ids[i], ids[gone]) = (merged, GONE);
            (ranks[i], ranks[gone]) = (NO_MERGE, NO_MERGE);
            next[i] = next[gone];
            if (next[i] as usize) < length {
                prev[next[i] as usize] = at;
                ranks[i] = self.get(merged, ids[next[i] as usize]);
                if ranks[i] != NO_MERGE {
                    queue.put(Reverse((ranks[i], at)));
                }
            }
            if prev[i] != NONE {
                let before = prev[i] as usize;
                ranks[before] = self.get(ids[before], merged);
                if ranks[before] != NO_MERGE {
                    queue.put(Reverse((ranks[before], prev[i])));
                }
            }
        }
    }
}

/// Stands for a token that was merged into the one before it.
pub(crate) const GONE: u32 = u32::MAX;

/// A pair of tokens as a number of 42 bits that looks random. No other pair has it: each step can be undone.
#[inline]
fn scrambled(left: u32, right: u32) -> u64 {
    const PAIR: u64 = (1 << (2 * ID_BITS)) - 1;
    let pair = u64::from(left) << ID_BITS | u64::from(right);
    let pair = pair.wrapping_mul(0x9e37_79b9_7f4a_7c15) & PAIR;
    (pair ^ pair >> ID_BITS).wrapping_mul(0xd6e8_feb8_6659_fd93) & PAIR
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pairs_have_their_last_ranks(pairs in prop::collection::vec((0..40u32, 0..40u32), 0..300), base in 0..1u32 << 20) {
            // Tokens of one letter and of two, so that every pair is a merge.
            let letters: Vec<char> = (0..40).map(|i| char::from_u32(0x3041 + i).unwrap()).collect();
            let (mut bytes, mut places) = (String::new(), Vec::new());
            let mut put = |token: &[char]| {
                let start = bytes.len() as u32;
                bytes.extend(token);
                places.push((start, bytes.len() as u32, places.len() as u32));
            };
            letters.iter().for_each(|&c| put(&[c]));
            letters.iter().for_each(|&a| letters.iter().for_each(|&b| put(&[a, b])));
            let tokens = Tokens::new(bytes.into_bytes(), &places).unwrap();
            let it = Ranks::new(&pairs, &tokens, 0).unwrap();
            let expected: HashMap<_, _> = pairs.iter().copied().zip(0u32..).collect();
            for left in 0..40 {
                for right in 0..40 {
                    let rank = it.get(left, right);
                    prop_assert_eq!(rank, expected.get(&(left, right)).copied().unwrap_or(NO_MERGE));
                    if rank != NO_MERGE {
                        prop_assert_eq!(it.merged(rank), 40 + 40 * left + right);
                    }
                }
            }
            prop_assert_eq!(it.get(base + 40, base), NO_MERGE);
        }
    }

    #[test]
    fn no_two_pairs_are_scrambled_alike() {
        let ids = [0, 1, 2, 3, 255, 256, 1 << 12, (1 << 21) - 2, (1 << 21) - 1];
        let all: std::collections::HashSet<_> =
            ids.iter().flat_map(|&left| ids.iter().map(move |&right| scrambled(left, right))).collect();
        assert_eq!(all.len(), ids.len() * ids.len());
        assert!(all.iter().all(|pair| pair >> 42 == 0));
    }
}
