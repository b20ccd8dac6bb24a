//! The rows of a table that lies elsewhere, as many as a number of bytes holds.
//!
//! Rows lie end to end in slots. A table of places, at most half full, finds the slot of an id: a product with a random
//! odd number scatters ids, so that nobody can choose ids that meet, and a row is at that place or in one of the next.
//!
//! When all slots are taken, a hand goes around them. It passes over a row that was found since the hand was last
//! there, once, and takes the first that was not (second chance). A row that is read once does not drive out one that
//! is read again and again.

use std::hash::{BuildHasher, RandomState};
use tokenbed_core::{Error, Result};
use tokenbed_kernels::ids::CheckedIds;
use tokenbed_memory::{List, zeroed};

/// What a slot takes beside its row: id, time, state, and at most four places.
const SLOT_BYTES: usize = size_of::<u32>() + size_of::<f64>() + size_of::<Slot>() + 4 * size_of::<u32>();

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Free,
    Taken,
    /// Taken, and found since the hand was last here.
    Found,
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Ids whose row was here.
    pub hits: u64,
    /// Ids whose row was not here, or was too old.
    pub misses: u64,
    /// Rows that made room for others.
    pub evicted: u64,
    /// Rows that are here.
    pub rows: usize,
    /// Rows for which there is room.
    pub room: usize,
}

/// A bounded cache of rows of one length.
#[derive(Debug)]
pub struct RowCache {
    row_bytes: usize,
    room: usize,
    bytes: Vec<u8>,
    ids: Vec<u32>,
    /// When each row was put here.
    since: Vec<f64>,
    slots: Vec<Slot>,
    /// The slots from here on were never taken.
    fresh: usize,
    /// Slots that were given back.
    free: Vec<u32>,
    /// Numbers of slots plus one; 0 is an empty place. A power of two of them.
    places: Vec<u32>,
    multiplier: u64,
    hand: usize,
    counts: Counts,
}

impl RowCache {
    /// A cache that takes at most `max_bytes`, for a table of `rows` rows. The system gives its pages when they are
    /// used.
    ///
    /// # Errors
    /// [`Error::Shape`] for rows without bytes.
    pub fn new(rows: usize, row_bytes: usize, max_bytes: usize) -> Result<Self> {
        if row_bytes == 0 {
            return Err(Error::Shape("a row must have at least one byte".into()));
        }
        let room = (max_bytes / row_bytes.saturating_add(SLOT_BYTES)).min(rows).min(u32::MAX as usize / 4);
        Ok(Self {
            row_bytes,
            room,
            bytes: zeroed(room * row_bytes),
            ids: zeroed(room),
            since: zeroed(room),
            slots: tokenbed_memory::filled(Slot::Free, room),
            fresh: 0,
            free: Vec::new(),
            places: zeroed((2 * room).next_power_of_two()),
            multiplier: RandomState::new().hash_one(0) | 1,
            hand: 0,
            counts: Counts { room, ..Counts::default() },
        })
    }

    /// Number of bytes of a row.
    pub fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    /// What happened so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Number of bytes that were allocated.
    pub fn bytes(&self) -> usize {
        self.room * (self.row_bytes + SLOT_BYTES)
    }

    /// Copies the rows that are here, and were put here no earlier than `oldest`, into their places in `out`, (ids,
    /// `row_bytes`). Appends the other ids to `missing`, each with its place.
    ///
    /// # Errors
    /// [`Error::Shape`] if `out` has not the size of the rows.
    pub fn gather(
        &mut self,
        ids: CheckedIds<'_>,
        oldest: f64,
        out: &mut [u8],
        missing: &mut Vec<(u32, u32)>,
    ) -> Result<()> {
        let ids = ids.ids();
        self.check(ids, out)?;
        let before = missing.len();
        for ((at, &id), to) in ids.iter().enumerate().zip(out.chunks_exact_mut(self.row_bytes)) {
            match self.slot_of(id) {
                Some(slot) if self.since[slot] >= oldest => {
                    self.slots[slot] = Slot::Found;
                    to.copy_from_slice(&self.bytes[slot * self.row_bytes..][..self.row_bytes]);
                }
                _ => missing.put((id, at as u32)),
            }
        }
        let missed = missing.len() - before;
        self.counts.misses += missed as u64;
        self.counts.hits += (ids.len() - missed) as u64;
        Ok(())
    }

    /// Keeps rows as of the time `now`, (ids, `row_bytes`); they replace others of the same ids.
    ///
    /// # Errors
    /// [`Error::Shape`] if `rows` has not the size of the rows.
    pub fn put(&mut self, ids: &[u32], rows: &[u8], now: f64) -> Result<()> {
        self.check(ids, rows)?;
        if self.room == 0 {
            return Ok(());
        }
        for (&id, row) in ids.iter().zip(rows.chunks_exact(self.row_bytes)) {
            let slot = self.slot_of(id).unwrap_or_else(|| self.take(id));
            self.since[slot] = now;
            self.bytes[slot * self.row_bytes..][..self.row_bytes].copy_from_slice(row);
        }
        Ok(())
    }

    /// Forgets the rows of these ids.
    pub fn remove(&mut self, ids: &[u32]) {
        for &id in ids {
            if let Some(place) = self.place_of(id) {
                let slot = self.places[place] as usize - 1;
                // If there is no room, nothing has changed yet.
                self.free.make_room(1);
                self.empty(place);
                self.slots[slot] = Slot::Free;
                self.free.put(slot as u32);
                self.counts.rows -= 1;
            }
        }
    }

    /// Forgets all rows. The counts go on.
    pub fn clear(&mut self) {
        self.places.fill(0);
        self.slots.fill(Slot::Free);
        self.free.clear();
        (self.fresh, self.hand, self.counts.rows) = (0, 0, 0);
    }

    fn check(&self, ids: &[u32], rows: &[u8]) -> Result<()> {
        if Some(rows.len()) == ids.len().checked_mul(self.row_bytes) {
            return Ok(());
        }
        Err(Error::Shape(format!("{} rows of {} bytes are not {} bytes", ids.len(), self.row_bytes, rows.len())))
    }

    /// The first place at which an id is looked for.
    fn home(&self, id: u32) -> usize {
        let bits = self.places.len().trailing_zeros();
        // The upper bits of a product depend on all bits of the id.
        (u64::from(id).wrapping_mul(self.multiplier) >> 32) as usize >> (32 - bits)
    }

    fn after(&self, place: usize) -> usize {
        (place + 1) & (self.places.len() - 1)
    }

    fn place_of(&self, id: u32) -> Option<usize> {
        let mut place = self.home(id);
        loop {
            let slot = (self.places[place] as usize).checked_sub(1)?;
            if self.ids[slot] == id {
                return Some(place);
            }
            place = self.after(place);
        }
    }

    fn slot_of(&self, id: u32) -> Option<usize> {
        self.place_of(id).map(|place| self.places[place] as usize - 1)
    }

    /// A slot for an id that has none.
    fn take(&mut self, id: u32) -> usize {
        let slot = if let Some(slot) = self.free.pop() {
            slot as usize
        } else if self.fresh < self.room {
            self.fresh += 1;
            self.fresh - 1
        } else {
            self.evict()
        };
        let mut place = self.home(id);
        while self.places[place] != 0 {
            place = self.after(place);
        }
        self.places[place] = slot as u32 + 1;
        self.ids[slot] = id;
        self.slots[slot] = Slot::Taken;
        self.counts.rows += 1;
        slot
    }

    /// Frees the slot of a row that was not found lately. All slots are taken.
    fn evict(&mut self) -> usize {
        loop {
            let slot = self.hand;
            self.hand = if slot + 1 < self.room { slot + 1 } else { 0 };
            if self.slots[slot] == Slot::Found {
                self.slots[slot] = Slot::Taken;
                continue;
            }
            if let Some(place) = self.place_of(self.ids[slot]) {
                self.empty(place);
            }
            self.counts.evicted += 1;
            self.counts.rows -= 1;
            return slot;
        }
    }

    /// Empties a place, and moves those behind it that would not be found any more.
    fn empty(&mut self, place: usize) {
        let (mut hole, mut next) = (place, self.after(place));
        let last = self.places.len() - 1;
        while self.places[next] != 0 {
            let home = self.home(self.ids[self.places[next] as usize - 1]);
            // Distances go around the end of the table.
            if next.wrapping_sub(home) & last >= next.wrapping_sub(hole) & last {
                self.places[hole] = self.places[next];
                hole = next;
            }
            next = self.after(next);
        }
        self.places[hole] = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;
    use tokenbed_kernels::dispatch;

    const ROWS: usize = 40;
    const BYTES: usize = 3;

    fn gather(cache: &mut RowCache, ids: &[u32], oldest: f64) -> (Vec<u8>, Vec<(u32, u32)>) {
        let (mut out, mut missing) = (vec![0; ids.len() * BYTES], Vec::new());
        let checked = CheckedIds::new(dispatch::active(), ids, ROWS).unwrap();
        cache.gather(checked, oldest, &mut out, &mut missing).unwrap();
        (out, missing)
    }

    fn room_for(rows: usize) -> RowCache {
        RowCache::new(ROWS, BYTES, rows * (BYTES + SLOT_BYTES)).unwrap()
    }

    #[derive(Clone, Debug)]
    enum Step {
        Gather(Vec<u32>, u8),
        Put(Vec<u32>, u8, u8),
        Remove(Vec<u32>),
        Clear,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let ids = || prop::collection::vec(0..ROWS as u32, 0..12);
        prop::collection::vec(
            prop_oneof![
                (ids(), 0..9u8).prop_map(|(ids, oldest)| Step::Gather(ids, oldest)),
                (ids(), any::<u8>(), 0..9u8).prop_map(|(ids, value, now)| Step::Put(ids, value, now)),
                ids().prop_map(Step::Remove),
                Just(Step::Clear),
            ],
            0..60,
        )
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_was_put_last(room in 0..30usize, steps in steps()) {
            let mut cache = room_for(room);
            let mut put = HashMap::new();
            for step in steps {
                match step {
                    Step::Gather(ids, oldest) => {
                        let (out, missing) = gather(&mut cache, &ids, f64::from(oldest));
                        for (at, id) in ids.iter().enumerate() {
                            if missing.contains(&(*id, at as u32)) {
                                continue;
                            }
                            let (value, since) = put[id];
                            prop_assert_eq!(&out[at * BYTES..][..BYTES], &[value; BYTES]);
                            prop_assert!(since >= oldest);
                        }
                        // What there was room for is not lost.
                        if room >= ROWS {
                            let lost = missing.iter().filter(|(id, _)| put.get(id).is_some_and(|it| it.1 >= oldest));
                            prop_assert_eq!(lost.count(), 0);
                        }
                    }
                    Step::Put(ids, value, now) => {
                        cache.put(&ids, &vec![value; ids.len() * BYTES], f64::from(now)).unwrap();
                        put.extend(ids.iter().map(|id| (*id, (value, now))));
                    }
                    Step::Remove(ids) => {
                        cache.remove(&ids);
                        prop_assert_eq!(gather(&mut cache, &ids, 0.0).1.len(), ids.len());
                        for id in &ids {
                            put.remove(id);
                        }
                    }
                    Step::Clear => {
                        cache.clear();
                        put.clear();
                    }
                }
                prop_assert!(cache.counts().rows <= room);
                prop_assert_eq!(cache.counts().rows, cache.places.iter().filter(|place| **place > 0).count());
            }
        }
    }

    #[test]
    fn rows_that_are_found_again_stay_while_others_pass_through() {
        let mut cache = room_for(8);
        let hot: Vec<u32> = (0..4).collect();
        cache.put(&hot, &[7; 4 * BYTES], 0.0).unwrap();
        for cold in 4..ROWS as u32 {
            assert_eq!(gather(&mut cache, &hot, 0.0).1, []);
            cache.put(&[cold], &[1; BYTES], 0.0).unwrap();
        }
        let counts = cache.counts();
        assert_eq!((counts.hits, counts.misses, counts.rows, counts.room), (4 * 36, 0, 8, 8));
        assert_eq!(counts.evicted, 32);
    }

    #[test]
    fn its_bytes_are_bounded() {
        assert_eq!(RowCache::new(1 << 30, 3072, 1 << 26).unwrap().counts().room, (1 << 26) / (3072 + SLOT_BYTES));
        assert!(RowCache::new(1 << 30, 3072, 1 << 26).unwrap().bytes() <= 1 << 26);
        assert_eq!(RowCache::new(10, 4, 1 << 26).unwrap().counts().room, 10);
        let mut none = RowCache::new(10, 4, 0).unwrap();
        none.put(&[1], &[0; 4], 0.0).unwrap();
        assert_eq!(none.counts().rows, 0);
        assert!(RowCache::new(10, 0, 9).is_err() && none.put(&[1], &[0; 5], 0.0).is_err());
    }
}
