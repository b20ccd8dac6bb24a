//! Remembers the ids of pieces that were seen before. Each thread has memories of its own, so that there is no lock.

use std::ops::Range;
use tokenbed_memory::{List, zeroed};

/// Length of the longest piece that is remembered, in bytes.
pub(crate) const LONGEST: usize = 32;
/// Largest number of bytes and of ids in the table of middle pieces.
const MIDDLE: usize = 16;
const MIDDLE_IDS: usize = 5;
/// Largest number of ids that are remembered for a longer piece.
const MOST_IDS: usize = 7;
/// Number of bits of an id in the table of middle pieces.
const BITS: u32 = 21;
/// Largest number of ids of a short piece, and the number of bits of each where there are several.
const SHORT_IDS: usize = 3;
const SHORT_BITS: u32 = 19;
/// Where the number of bytes and the number of ids of a short piece are, above its ids.
const SHORT_LENGTH: u32 = 58;
const SHORT_COUNT: u32 = 62;
/// Largest number of lines of the table of short pieces, a power of two; the other tables have twice as many. Together
/// they take 1.25 MB.
const MOST_LINES: usize = 1 << 12;
/// The same at first: 80 KB.
const FIRST_LINES: usize = 1 << 8;
/// By how much the tables grow at a time.
const GROWTH: usize = 4;

/// A bounded memory of one model, which is small until it has met many pieces.
///
/// It has a table of short pieces with up to three ids, of which a line of the cache holds four, one of pieces up to
/// [`MIDDLE`] bytes, two in a line, and one of longer pieces. A piece has several places to be at in its table, side by
/// side. A new piece takes the last of them, and moves forward when it comes again, so that a word of every sentence is
/// not forgotten for a word that comes once.
pub(crate) struct Memo {
    /// In each line the numbers of four pieces, then for each its ids, and above them its number of bytes and of ids; 0
    /// if the place is empty.
    short: Vec<u64>,
    /// Two numbers with the bytes of a piece, then up to three ids, then up to two ids, the number of bytes and the
    /// number of ids. The last one is 0 if the place is empty.
    middle: Vec<u64>,
    /// Four numbers with the bytes of a piece, then its ids, two in each number. The upper half of the last one has the
    /// number of bytes in its low byte, and above it the number of ids. It is 0 if the place is empty.
    long: Vec<u64>,
    /// Number of lines of the table of short pieces.
    lines: usize,
    /// Number of pieces that were remembered since the tables grew.
    kept: usize,
}

impl Memo {
    pub(crate) fn new() -> Self {
        Self::of_lines(FIRST_LINES)
    }

    fn of_lines(lines: usize) -> Self {
        let of = |lines: usize| zeroed(lines * 8);
        Self { short: of(lines), middle: of(2 * lines), long: of(2 * lines), lines, kept: 0 }
    }

    /// Makes the tables larger. What they hold stays.
    #[cold]
    fn grow(&mut self) {
        let before = std::mem::replace(self, Self::of_lines(self.lines * GROWTH));
        for line in before.short.as_chunks::<8>().0 {
            for at in (0..4).filter(|&at| line[at + 4] != 0) {
                self.keep_short(line[at], line[at + 4]);
            }
        }
        for place in before.middle.as_chunks::<4>().0.iter().filter(|place| place[3] != 0) {
            self.keep_middle(*place, hash_of(&place[..2], (place[3] >> 42) as u8 as usize));
        }
        for place in before.long.as_chunks::<8>().0.iter().filter(|place| place[7] != 0) {
            self.keep_long(*place, hash_of(&place[..4], (place[7] >> 32) as u8 as usize));
        }
    }

    /// Forgets all pieces.
    pub(crate) fn forget(&mut self) {
        *self = Self::new();
    }

    /// Appends the ids of a piece. If they are not known, `encode` appends them.
    ///
    /// # Errors
    /// Those of `encode`. Then nothing is remembered.
    #[inline]
    pub(crate) fn get_or<E>(
        &mut self,
        piece: &[u8],
        out: &mut Vec<u32>,
        encode: impl FnOnce(&mut Vec<u32>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.get(piece, out) {
            return Ok(());
        }
        let start = out.len();
        encode(out)?;
        self.keep(piece, &out[start..]);
        Ok(())
    }

    /// As `get_or`, of a piece at a place in a text. It is faster, as all of the text may be read.
    ///
    /// # Errors
    /// Those of `encode`. Then nothing is remembered.
    #[inline]
    pub(crate) fn get_or_in<E>(
        &mut self,
        text: &[u8],
        place: Range<usize>,
        out: &mut Vec<u32>,
        encode: impl FnOnce(&mut Vec<u32>) -> Result<(), E>,
    ) -> Result<(), E> {
        let length = place.end - place.start;
        if let Some(sixteen) = text.get(place.start..).and_then(|rest| rest.first_chunk::<16>())
            && length <= MIDDLE
        {
            let all = u128::from_le_bytes(*sixteen);
            let all = if length < MIDDLE { all & !(u128::MAX << (8 * length)) } else { all };
            let words = (all as u64, (all >> 64) as u64);
            let found = if words.0 as u32 & 0xff_ffff == MARK_BYTES && length <= 10 {
                self.get_short((all >> 16) as u64 | 0xff, length, out) || self.get_middle(words.into(), length, out)
            } else {
                self.get_word(words, length, out)
            };
            if found {
                return Ok(());
            }
        } else if self.get(&text[place.clone()], out) {
            return Ok(());
        }
        let start = out.len();
        encode(out)?;
        self.keep(&text[place], &out[start..]);
        Ok(())
    }

    /// Appends the ids of a piece if they are known, and returns whether they are.
    #[inline]
    pub(crate) fn get(&mut self, piece: &[u8], out: &mut Vec<u32>) -> bool {
        if let Some(number) = number(piece)
            && self.get_short(number, piece.len(), out)
        {
            return true;
        }
        if piece.len() <= MIDDLE {
            self.get_middle(key::<2>(piece).0, piece.len(), out)
        } else {
            self.get_long(piece, out)
        }
    }

    /// `get` of a short piece of `length` bytes.
    #[inline]
    fn get_short(&mut self, number: u64, length: usize, out: &mut Vec<u32>) -> bool {
        let Some(line) = self.short_line(number) else { return false };
        for at in 0..4 {
            let ids = line[at + 4];
            if line[at] == number && (ids >> SHORT_LENGTH) as usize & 15 == length {
                if at > 0 {
                    line.swap(at, at - 1);
                    line.swap(at + 4, at + 3);
                }
                let count = (ids >> SHORT_COUNT) as usize;
                if count == 1 {
                    out.put(ids as u32);
                    return true;
                }
                out.make_room(SHORT_IDS);
                for at in 0..count {
                    out.put((ids >> (at as u32 * SHORT_BITS)) as u32 & ((1 << SHORT_BITS) - 1));
                }
                return true;
            }
        }
        false
    }

    /// `get` of a piece of one to sixteen bytes other than the mark for a space. `words` are its bytes with zeros
    /// behind them.
    #[inline]
    pub(crate) fn get_word(&mut self, words: (u64, u64), length: usize, out: &mut Vec<u32>) -> bool {
        if length <= 8 && self.get_short(words.0, length, out) {
            return true;
        }
        self.get_middle(words.into(), length, out)
    }

    fn get_middle(&mut self, words: [u64; 2], length: usize, out: &mut Vec<u32>) -> bool {
        let Some([first, second]) = self.middle_line(hash_of(&words, length)) else { return false };
        // An empty piece is nowhere: its length is that of an empty place.
        let is = |place: &[u64; 4]| {
            place[0] == words[0] && place[1] == words[1] && (place[3] >> 42) as u8 as usize == length
        };
        let is_first = is(first);
        if length == 0 || !is_first && !is(second) {
            return false;
        }
        if !is_first {
            std::mem::swap(first, second);
        }
        let count = (first[3] >> 50) as usize;
        out.make_room(MIDDLE_IDS);
        for at in 0..count.min(MIDDLE_IDS) {
            out.put((first[2 + at / 3] >> (at % 3 * BITS as usize)) as u32 & ((1 << BITS) - 1));
        }
        true
    }

    fn get_long(&mut self, piece: &[u8], out: &mut Vec<u32>) -> bool {
        if piece.len() > LONGEST {
            return false;
        }
        let (words, hash) = key::<4>(piece);
        let Some([first, second]) = self.long_lines(hash) else { return false };
        let is = |place: &[u64; 8]| place[..4] == words && (place[7] >> 32) as u8 as usize == piece.len();
        let is_first = is(first);
        if !is_first && !is(second) {
            return false;
        }
        if !is_first {
            std::mem::swap(first, second);
        }
        let count = (first[7] >> 40) as usize;
        out.make_room(MOST_IDS);
        for at in 0..count.min(MOST_IDS) {
            out.put((first[4 + at / 2] >> (at % 2 * 32)) as u32);
        }
        true
    }

    /// Remembers the ids of a piece that is not known, unless it is too long or has too many.
    pub(crate) fn keep(&mut self, piece: &[u8], ids: &[u32]) {
        self.kept += 1;
        if self.kept > 2 * self.lines && self.lines < MOST_LINES {
            self.grow();
        }
        if let (Some(number), Some(packed)) = (number(piece), short_ids(ids)) {
            return self.keep_short(number, packed | (piece.len() as u64) << SHORT_LENGTH);
        }
        let (bytes, count) = (piece.len() as u64, ids.len() as u64);
        match piece.len() {
            1..=MIDDLE if ids.len() <= MIDDLE_IDS && ids.iter().all(|id| id >> BITS == 0) => {
                let (words, hash) = key::<2>(piece);
                let mut place = [words[0], words[1], 0, bytes << 42 | count << 50];
                for (at, &id) in ids.iter().enumerate() {
                    place[2 + at / 3] |= u64::from(id) << (at % 3 * BITS as usize);
                }
                self.keep_middle(place, hash);
            }
            17..=LONGEST if ids.len() <= MOST_IDS => {
                let (words, hash) = key::<4>(piece);
                let mut place = [words[0], words[1], words[2], words[3], 0, 0, 0, (bytes | count << 8) << 32];
                for (at, &id) in ids.iter().enumerate() {
                    place[4 + at / 2] |= u64::from(id) << (at % 2 * 32);
                }
                self.keep_long(place, hash);
            }
            _ => {}
        }
    }

    fn keep_short(&mut self, number: u64, value: u64) {
        let Some(line) = self.short_line(number) else { return };
        let at = (0..3).find(|&at| line[at + 4] == 0).unwrap_or(3);
        (line[at], line[at + 4]) = (number, value);
    }

    fn keep_middle(&mut self, place: [u64; 4], hash: u64) {
        let Some([first, second]) = self.middle_line(hash) else { return };
        *(if first[3] == 0 { first } else { second }) = place;
    }

    fn keep_long(&mut self, place: [u64; 8], hash: u64) {
        let Some([first, second]) = self.long_lines(hash) else { return };
        *(if first[7] == 0 { first } else { second }) = place;
    }

    /// The line of a short piece.
    #[inline]
    fn short_line(&mut self, number: u64) -> Option<&mut [u64; 8]> {
        self.short.as_chunks_mut().0.get_mut((mix(number) >> 40) as usize & (self.lines - 1))
    }

    /// Both places of a middle piece.
    #[inline]
    fn middle_line(&mut self, hash: u64) -> Option<&mut [[u64; 4]; 2]> {
        self.middle.as_chunks_mut().0.as_chunks_mut().0.get_mut((hash >> 40) as usize & (2 * self.lines - 1))
    }

    /// Both places of a long piece.
    #[inline]
    fn long_lines(&mut self, hash: u64) -> Option<&mut [[u64; 8]; 2]> {
        self.long.as_chunks_mut().0.as_chunks_mut().0.get_mut((hash >> 40) as usize & (self.lines - 1))
    }
}

/// The ids of a short piece as a number, with how many they are; `None` if there are none, too many or too large ones.
fn short_ids(ids: &[u32]) -> Option<u64> {
    match ids {
        &[id] => Some(1 << SHORT_COUNT | u64::from(id)),
        [_, _] | [_, _, _] if ids.iter().all(|id| id >> SHORT_BITS == 0) => {
            let packed = ids.iter().rev().fold(0, |packed, &id| packed << SHORT_BITS | u64::from(id));
            Some((ids.len() as u64) << SHORT_COUNT | packed)
        }
        _ => None,
    }
}

/// The bytes of the mark for a space, little endian.
const MARK_BYTES: u32 = 0x81_96e2;

/// A short piece as a number. Many pieces begin with a mark for a space, which counts as one byte that no text has.
#[inline]
fn number(piece: &[u8]) -> Option<u64> {
    match piece {
        [0xe2, 0x96, 0x81, rest @ ..] if rest.len() < 8 => Some(head(rest) << 8 | 0xff),
        [] => None,
        _ if piece.len() <= 8 => Some(head(piece)),
        _ => None,
    }
}

/// The bytes of a piece as `N` numbers, followed by zeros, and a hash of them.
#[inline]
fn key<const N: usize>(piece: &[u8]) -> ([u64; N], u64) {
    let mut words = [0; N];
    for (word, bytes) in words.iter_mut().zip(piece.chunks(8)) {
        *word = head(bytes);
    }
    (words, hash_of(&words, piece.len()))
}

/// The hash of a piece of `length` bytes.
#[inline]
fn hash_of(words: &[u64], length: usize) -> u64 {
    words.iter().take(length.div_ceil(8)).fold(length as u64, |hash, word| mix(hash ^ word))
}

#[inline]
fn mix(value: u64) -> u64 {
    let product = value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    product ^ product >> 32
}

/// Up to eight bytes as a number, little endian, with zeros above.
#[inline]
pub(crate) fn head(bytes: &[u8]) -> u64 {
    let four =
        |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()).map(|four| u32::from_le_bytes(*four));
    match bytes.len() {
        8.. => bytes.first_chunk::<8>().map_or(0, |eight| u64::from_le_bytes(*eight)),
        // The two halves overlap, which changes nothing.
        length @ 4..=7 => {
            let (low, high) = (four(0).unwrap_or(0), four(length - 4).unwrap_or(0));
            u64::from(low) | u64::from(high) << (8 * (length - 4))
        }
        _ => bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever was remembered before, a piece has its own ids.
        #[test]
        fn pieces_have_their_own_ids(pieces in prop::collection::vec("[ab\0]{0,3}|\u{2581}[ab\0]{0,9}|[ab]{6,34}", 0..400)) {
            let ids_of = |piece: &str| -> Vec<u32> {
                let sum: u32 = piece.bytes().fold(7, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
                // Large ids and small ones, of which a short piece may have several.
                (0..sum % 9).map(|i| (sum ^ i) >> (sum % 25)).chain([sum >> (sum % 25)]).collect()
            };
            let mut memo = Memo::new();
            for piece in &pieces {
                let mut out = vec![1];
                memo.get_or(piece.as_bytes(), &mut out, |out| {
                    out.extend(ids_of(piece));
                    Ok::<_, ()>(())
                }).unwrap();
                prop_assert_eq!(&out[1..], ids_of(piece));
            }
        }
    }

    #[test]
    fn pieces_stay_when_the_tables_grow() {
        let pieces = |count: u32| {
            (0..count).map(|number| match number % 4 {
                0 => (format!("{number}"), vec![number]),
                1 => (format!("{number} more"), vec![number, 7]),
                2 => (format!("{number} of some number"), vec![1, number, 2]),
                _ => (format!("\u{2581}{number}"), vec![number]),
            })
        };
        let mut memo = Memo::new();
        for (piece, ids) in pieces(600) {
            memo.keep(piece.as_bytes(), &ids);
        }
        let known = |memo: &mut Memo| {
            let known = pieces(600).filter(|(piece, ids)| {
                let mut out = Vec::new();
                memo.get(piece.as_bytes(), &mut out) && out == *ids
            });
            known.count()
        };
        let before = known(&mut memo);
        assert!(before > 550 && memo.lines > FIRST_LINES, "{before}");
        memo.grow();
        assert!(known(&mut memo) >= before);
    }

    #[test]
    fn a_piece_is_remembered() {
        let mut memo = Memo::new();
        for piece in ["a", "\0", "\u{2581}a", "\u{2581}", "abcdefgh", "\u{2581}abcdefghij"] {
            let largest = (1 << SHORT_BITS) - 1;
            let several = [&[largest, 0][..], &[0, 7, largest], &[largest + 1, 2], &[1, 2, 3, 4, (1 << 21) - 1]];
            for ids in [&[5][..], &[]].into_iter().chain(several) {
                memo.forget();
                memo.keep(piece.as_bytes(), ids);
                let mut out = Vec::new();
                assert!(memo.get(piece.as_bytes(), &mut out), "{piece:?}");
                assert_eq!(out, ids);
                assert!(!memo.get(&piece.as_bytes()[1..], &mut out));
            }
        }
        memo.keep(b"abcdefgh", &[u32::MAX]);
        let mut out = Vec::new();
        assert!(memo.get(b"abcdefgh", &mut out) && out == [u32::MAX]);
    }
}
