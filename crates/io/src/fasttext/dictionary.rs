//! The words and classes of a model, which stay in the file: an index knows their places.

use super::Wrong;
use super::header::Header;
use super::places::Places;
use std::hash::{BuildHasher, RandomState};
use std::hint::black_box;
use tokenbed_memory::{Gather, List, with_room, zeroed};

/// Bytes of an entry behind its text: a zero, the count and the kind.
const BEHIND: usize = 1 + 8 + 1;

/// An index of the entries, and the rows that pruning kept.
#[derive(Debug)]
pub struct Dictionary {
    /// The byte at which the entries begin, and at which they end.
    start: usize,
    end: usize,
    /// For each entry, the byte at which its text begins, counted from `start`.
    places: Vec<u32>,
    /// The number of an entry and one, and the upper half of its hash; 0 where there is no entry. Hashes have a key of
    /// their own in each process, so that no file can make all its words fall together.
    slots: Vec<u64>,
    keys: RandomState,
    /// Buckets whose rows were kept, in ascending order, and the rows.
    kept: Vec<(u32, u32)>,
}

/// An entry that waits to be entered.
#[derive(Clone, Copy, Debug, Default)]
struct Waiting {
    slot: usize,
    upper: u64,
    at: usize,
    len: usize,
    number: usize,
}

/// Entries that are entered together.
#[derive(Debug, Default)]
struct Batch {
    waiting: [Waiting; 32],
    count: usize,
}

impl Batch {
    fn put(&mut self, one: Waiting) {
        self.waiting[self.count] = one;
        self.count += 1;
    }

    fn is_full(&self) -> bool {
        self.count == self.waiting.len()
    }

    fn all(&self) -> &[Waiting] {
        &self.waiting[..self.count]
    }
}

/// Reads an entry at a byte, and returns its text, its kind, and the byte behind it.
#[inline]
fn entry(bytes: &[u8], at: usize, number: usize) -> Result<(&[u8], u8, usize), Wrong> {
    let rest = bytes.get(at..).unwrap_or_default();
    let cut = || (bytes.len(), format!("the dictionary ends before its entry {number}: damaged or cut short"));
    let len = memchr::memchr(0, rest).ok_or_else(cut)?;
    let kind = *rest.get(len + BEHIND - 1).ok_or_else(cut)?;
    Ok((&rest[..len], kind, at + len + BEHIND))
}

/// Passes all entries, and returns the byte behind them.
pub(super) fn pass(bytes: &[u8], header: &Header) -> Result<usize, Wrong> {
    let mut at = header.end;
    for number in 0..header.words + header.labels {
        (_, _, at) = entry(bytes, at, number)?;
    }
    Ok(at)
}

impl Dictionary {
    /// Walks through the entries, which must be as many as the header says, words before classes, no two alike, and
    /// must end where they should.
    pub(super) fn read(bytes: &[u8], header: &Header, places: &Places) -> Result<Self, Wrong> {
        let (start, end) = (header.end, places.entries_end);
        let entries = bytes.get(..end).unwrap_or_default();
        if u32::try_from(end - start).is_err() {
            return Err((start, "a dictionary of more than 4 GiB: it is not read".into()));
        }
        let count = header.words + header.labels;
        let slots = zeroed((count + count / 2 + 1).next_power_of_two());
        let mut made = Self { start, end, places: with_room(count), slots, keys: RandomState::new(), kept: Vec::new() };
        let mut at = start;
        let mut waiting = Batch::default();
        for number in 0..count {
            let (text, kind, next) = entry(entries, at, number)?;
            let wanted = u8::from(number >= header.words);
            if kind != wanted {
                let message = format!("entry {number} of the dictionary is of kind {kind}, where {wanted} is expected");
                return Err((next - 1, message));
            }
            if text.is_empty() {
                return Err((at, format!("entry {number} of the dictionary has no text: damaged")));
            }
            made.places.put((at - start) as u32);
            let (slot, upper) = made.hash(text);
            waiting.put(Waiting { slot, upper, at, len: text.len(), number });
            if waiting.is_full() || number + 1 == count {
                made.enter_all(entries, &mut waiting)?;
            }
            at = next;
        }
        if at != end {
            return Err((at, format!("{} bytes follow the entries of the dictionary: damaged", end - at)));
        }
        made.kept = kept(bytes, header, end)?;
        Ok(made)
    }

    /// Where the search for a text begins, and what its slot has in the upper half.
    #[inline]
    fn hash(&self, text: &[u8]) -> (usize, u64) {
        let hash = self.keys.hash_one(text);
        (hash as usize & (self.slots.len() - 1), hash & !0xffff_ffff)
    }

    /// Enters all that wait.
    fn enter_all(&mut self, bytes: &[u8], batch: &mut Batch) -> Result<(), Wrong> {
        // Slots are far from one another, and memory answers many questions in the time of one.
        black_box(batch.all().iter().fold(0, |sum, one| sum ^ self.slots[one.slot]));
        for &waiting in batch.all() {
            if let Err(other) = self.enter(bytes, waiting) {
                let Waiting { at, number, .. } = waiting;
                return Err((
                    at,
                    format!("entries {other} and {number} of the dictionary have the same text: damaged"),
                ));
            }
        }
        batch.count = 0;
        Ok(())
    }

    /// Enters a text, unless an entry has it, whose number is the error.
    #[inline]
    fn enter(&mut self, bytes: &[u8], waiting: Waiting) -> Result<(), usize> {
        let Waiting { mut slot, upper, at, len, number } = waiting;
        let text = &bytes[at..at + len];
        loop {
            match self.slots[slot] {
                0 => break,
                taken if taken & !0xffff_ffff == upper => {
                    let other = (taken as u32 - 1) as usize;
                    if self.is(bytes, other, text) {
                        return Err(other);
                    }
                }
                _ => {}
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        self.slots[slot] = upper | (number as u64 + 1);
        Ok(())
    }

    /// Whether an entry has this text.
    #[inline]
    fn is(&self, bytes: &[u8], number: usize, text: &[u8]) -> bool {
        let from = self.start + self.places[number] as usize;
        let rest = bytes.get(from..).unwrap_or_default();
        rest.get(text.len()) == Some(&0) && rest.starts_with(text)
    }

    /// The number of the entry with this text, a word or a class. `bytes` is the file.
    #[inline]
    pub fn find(&self, bytes: &[u8], text: &[u8]) -> Option<usize> {
        let (mut slot, upper) = self.hash(text);
        // The table has free slots, so that this ends.
        loop {
            let taken = self.slots[slot];
            if taken == 0 {
                return None;
            }
            let number = (taken as u32).wrapping_sub(1) as usize;
            if taken & !0xffff_ffff == upper && self.is(bytes, number, text) {
                return Some(number);
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }

    /// The text of an entry, which may not be UTF-8.
    #[inline]
    pub fn text<'a>(&self, bytes: &'a [u8], number: usize) -> &'a [u8] {
        let Some(&place) = self.places.get(number) else { return &[] };
        let rest = bytes.get(self.start + place as usize..self.end).unwrap_or_default();
        &rest[..memchr::memchr(0, rest).unwrap_or(0)]
    }

    /// The byte at which an entry begins.
    pub fn place(&self, number: usize) -> usize {
        self.start + self.places.get(number).map_or(0, |&place| place as usize)
    }

    /// How often an entry was seen in training.
    pub fn count(&self, bytes: &[u8], number: usize) -> i64 {
        let Some(&place) = self.places.get(number) else { return 0 };
        let at = self.start + place as usize + self.text(bytes, number).len() + 1;
        bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |count| i64::from_le_bytes(*count))
    }

    /// The row, counted from the first behind the words, that pruning left of a bucket, if it left one.
    #[inline]
    pub fn kept(&self, bucket: u32) -> Option<u32> {
        let at = self.kept.binary_search_by_key(&bucket, |&(from, _)| from).ok()?;
        Some(self.kept[at].1)
    }

    /// Number of bytes that the index takes.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.places) + size_of_val(&*self.slots) + size_of_val(&*self.kept)
    }
}

/// Reads the pairs that pruning left: a bucket, and its row.
fn kept(bytes: &[u8], header: &Header, start: usize) -> Result<Vec<(u32, u32)>, Wrong> {
    let count = header.pruned.unwrap_or(0);
    let (pairs, _) = bytes.get(start..start + count * 8).unwrap_or_default().as_chunks::<8>();
    let read = |(place, pair): (usize, &[u8; 8])| {
        let [a, b, c, d, e, f, g, h] = *pair;
        let (bucket, row) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        if bucket < header.bucket && (row as usize) < count {
            return Ok((bucket, row));
        }
        Err((start + place * 8, format!("pruning kept row {row} of {count} for bucket {bucket} of {}", header.bucket)))
    };
    let mut kept = pairs.iter().enumerate().map(read).try_into_list()?;
    kept.sort_unstable();
    if let Some(two) = kept.windows(2).find(|two| two[0].0 == two[1].0) {
        return Err((start, format!("pruning kept two rows for bucket {}: damaged", two[0].0)));
    }
    Ok(kept)
}
