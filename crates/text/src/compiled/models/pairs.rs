//! A table of merges: at which rank two neighbouring tokens merge, and into which token.

use tokenbed_memory::{filled, with_room};
use tokenbed_memory::List;

/// A hash table from pairs of ids to the rank of their merge, and the token of each rank.
///
/// A slot is one machine word, `left << 43 | right << 22 | rank`, so that a look-up touches one cache line, almost
/// always the first one it tries: most look-ups find nothing.
pub(crate) struct Pairs {
    slots: Vec<u64>,
    /// The token that the merge of each rank makes.
    made: Vec<u32>,
}

/// Marks an empty slot. No pair has these bits, because no rank is this large.
const EMPTY: u64 = u64::MAX;

/// The rank of a pair that does not merge. It is larger than every rank.
pub(crate) const NO_MERGE: u32 = u32::MAX;

/// Ids must stay below this.
pub(crate) const MOST_IDS: usize = 1 << 21;
/// There must be fewer merges than this.
pub(crate) const MOST_MERGES: usize = (1 << 22) - 1;

impl Pairs {
    /// A table of the merges `[left, right, made]`, in the order of their ranks. If a pair occurs twice, the last one
    /// counts. `None` if there are more ids or merges than the table has room for.
    pub(crate) fn new(merges: impl ExactSizeIterator<Item = [u32; 3]>) -> Option<Self> {
        let count = merges.len();
        if count >= MOST_MERGES {
            return None;
        }
        // A third of the slots stays empty at least.
        let size = (count + count / 2).max(8);
        let mut it = Self { slots: filled(EMPTY, size), made: with_room(count) };
        for ([left, right, made], rank) in merges.zip(0u64..) {
            if [left, right, made].into_iter().any(|id| id as usize >= MOST_IDS) {
                return None;
            }
            let key = key(left, right);
            let mut slot = it.home(key);
            while it.slots[slot] != EMPTY && it.slots[slot] >> 22 != key {
                slot = if slot + 1 == size { 0 } else { slot + 1 };
            }
            it.slots[slot] = key << 22 | rank;
            it.made.put(made);
        }
        Some(it)
    }

    /// The rank of the merge of `left` and `right`, or [`NO_MERGE`].
    #[inline]
    pub(crate) fn get(&self, left: u32, right: u32) -> u32 {
        let key = key(left, right);
        let mut slot = self.home(key);
        // This ends because not all slots are in use.
        loop {
            let Some(&found) = self.slots.get(slot) else {
                slot = 0;
                continue;
            };
            if found >> 22 == key {
                return (found & 0x3f_ffff) as u32;
            }
            if found == EMPTY {
                return NO_MERGE;
            }
            slot += 1;
        }
    }

    /// The token that the merge of this rank makes.
    #[inline]
    pub(crate) fn made(&self, rank: u32) -> u32 {
        self.made.get(rank as usize).copied().unwrap_or(0)
    }

    /// A slot for the key: its hash, scaled to the number of slots.
    #[inline]
    fn home(&self, key: u64) -> usize {
        let hash = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        (hash * self.slots.len() as u64 >> 32) as usize
    }
}

#[inline]
fn key(left: u32, right: u32) -> u64 {
    u64::from(left) << 21 | u64::from(right)
}
