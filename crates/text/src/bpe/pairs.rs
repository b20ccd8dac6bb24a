//! A table of merges: which token two neighbouring tokens become.

use tokenbed_memory::filled;

/// A hash table from pairs of ids to the id of their merge.
///
/// A slot is one machine word, `left << 42 | right << 21 | merged`, so that a look-up touches one cache line, almost
/// always the first one it tries: about two slots out of three are empty, and most look-ups find nothing.
///
/// Pairs of single bytes, half of all look-ups, have a table of their own. It has a quarter of a megabyte, of which a
/// script uses a few rows that stay in the nearest cache. The hash table is too large for that.
pub(crate) struct Pairs {
    slots: Vec<u64>,
    shift: u32,
    /// The merge of two of the first 256 tokens, at `left << 8 | right`.
    first: Vec<u32>,
}

/// Marks an empty slot. No pair has these bits: ids stay below 2^21, so the top bit is clear.
const EMPTY: u64 = u64::MAX;

/// Returned for a pair that does not merge. It is larger than every id, so that it loses every comparison of ranks.
pub(crate) const NO_MERGE: u32 = u32::MAX;

impl Pairs {
    /// A table of `count` merges, given as `(merged, left, right)`. If a pair occurs twice, the first one counts.
    pub(crate) fn new(count: usize, merges: impl Iterator<Item = (u32, u32, u32)>) -> Self {
        let size = (count.max(8) * 2).next_power_of_two();
        let (slots, shift) = (filled(EMPTY, size), 64 - size.trailing_zeros());
        let mut pairs = Self { slots, shift, first: filled(NO_MERGE, 1 << 16) };
        for (merged, left, right) in merges {
            let key = key(left, right);
            let mut slot = pairs.home(key);
            while pairs.slots[slot] != EMPTY && pairs.slots[slot] >> 21 != key {
                slot = (slot + 1) & (size - 1);
            }
            if pairs.slots[slot] == EMPTY {
                pairs.slots[slot] = key << 21 | u64::from(merged);
                if left < 256 && right < 256 {
                    pairs.first[(left << 8 | right) as usize] = merged;
                }
            }
        }
        pairs
    }

    /// The token that `left` and `right` merge into, or [`NO_MERGE`].
    #[inline]
    pub(crate) fn get(&self, left: u32, right: u32) -> u32 {
        let key = key(left, right);
        let mask = self.slots.len() - 1;
        let mut slot = self.home(key);
        loop {
            // The mask shows the compiler that the index is in bounds. The loop ends because the table is at most
            // half full.
            let found = self.slots[slot & mask];
            if found >> 21 == key {
                return (found & 0x1f_ffff) as u32;
            }
            if found == EMPTY {
                return NO_MERGE;
            }
            slot += 1;
        }
    }

    /// Like [`Pairs::get`] for two tokens that are single bytes, whose ids are below 256.
    #[inline]
    pub(crate) fn of_bytes(&self, left: u32, right: u32) -> u32 {
        debug_assert!(left < 256 && right < 256);
        self.first.get((left << 8 | right) as usize).copied().unwrap_or(NO_MERGE)
    }

    #[inline]
    fn home(&self, key: u64) -> usize {
        (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift) as usize
    }
}

#[inline]
fn key(left: u32, right: u32) -> u64 {
    u64::from(left) << 21 | u64::from(right)
}
