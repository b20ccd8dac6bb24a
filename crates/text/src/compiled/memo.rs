//! Remembers the ids of pieces that were seen before. Each thread has memories of its own, so that there is no lock.

use tokenbed_memory::{List, zeroed};

/// Length of the longest piece that is remembered, in bytes.
pub(crate) const LONGEST: usize = 32;
/// Largest number of ids that are remembered for a piece.
const MOST_IDS: usize = 7;
/// Number of pieces that are remembered, a power of two: 2 MB, of which the system gives what is used.
const PLACES: usize = 1 << 15;

/// A bounded memory of one model.
///
/// A piece has two places to be at, side by side. A new piece takes the second. When it comes again, it moves to the
/// first, so that a word of every sentence is not forgotten for a word that comes once.
pub(crate) struct Memo {
    places: Vec<u64>,
}

/// Eight numbers for each place, which is a line of the cache: [`WORDS`] with the bytes of the piece, then its ids, two
/// in each number. The upper half of the last one has the length of the piece in its low byte, and above it the number
/// of ids. The length is 0 if the place is empty.
type Place = [u64; 8];

/// The bytes of a piece as numbers, followed by zeros.
type Words = [u64; WORDS];

const WORDS: usize = LONGEST / 8;

impl Memo {
    pub(crate) fn new() -> Self {
        Self { places: zeroed(PLACES * size_of::<Place>() / 8) }
    }

    /// Forgets all pieces.
    pub(crate) fn forget(&mut self) {
        self.places = zeroed(self.places.len());
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

    /// Appends the ids of a piece if they are known, and returns whether they are.
    #[inline]
    pub(crate) fn get(&mut self, piece: &[u8], out: &mut Vec<u32>) -> bool {
        if piece.len() > LONGEST {
            return false;
        }
        let (words, hash) = key(piece);
        let Some([first, second]) = self.pair(hash) else { return false };
        if is(first, &words, piece.len()) {
            put_ids(first, out);
            return true;
        }
        if is(second, &words, piece.len()) {
            put_ids(second, out);
            std::mem::swap(first, second);
            return true;
        }
        false
    }

    /// Remembers the ids of a piece that is not known, unless it is too long or has too many.
    pub(crate) fn keep(&mut self, piece: &[u8], ids: &[u32]) {
        if piece.is_empty() || piece.len() > LONGEST || ids.len() > MOST_IDS {
            return;
        }
        let (words, hash) = key(piece);
        let Some([first, second]) = self.pair(hash) else { return };
        let place = if first[7] == 0 { first } else { second };
        let (bytes, places) = place.split_at_mut(WORDS);
        bytes.copy_from_slice(&words);
        places.fill(0);
        for (at, &id) in ids.iter().enumerate() {
            places[at / 2] |= u64::from(id) << (at % 2 * 32);
        }
        places[3] |= (piece.len() as u64 | (ids.len() as u64) << 8) << 32;
    }

    /// Both places of a piece.
    #[inline]
    fn pair(&mut self, hash: u64) -> Option<&mut [Place; 2]> {
        let at = (hash >> 32) as usize % (PLACES / 2);
        self.places.as_chunks_mut::<8>().0.as_chunks_mut::<2>().0.get_mut(at)
    }
}

/// Whether a place has this piece.
#[inline]
fn is(place: &Place, words: &Words, length: usize) -> bool {
    let differ = (place[0] ^ words[0]) | (place[1] ^ words[1]) | (place[2] ^ words[2]) | (place[3] ^ words[3]);
    // An empty piece is nowhere: an empty place would have it.
    differ == 0 && length != 0 && (place[7] >> 32) as u8 as usize == length
}

/// Appends the ids of a place.
#[inline]
fn put_ids(place: &Place, out: &mut Vec<u32>) {
    let count = (place[7] >> 40) as usize;
    if count == 1 {
        out.put(place[4] as u32);
        return;
    }
    out.make_room(MOST_IDS);
    for at in 0..count.min(MOST_IDS) {
        out.put((place[WORDS + at / 2] >> (at % 2 * 32)) as u32);
    }
}

/// The bytes of a piece of at most [`LONGEST`] bytes as numbers, and a hash of them.
#[inline]
fn key(piece: &[u8]) -> (Words, u64) {
    let mut words = [0; WORDS];
    let mut hash = piece.len() as u64;
    for (word, bytes) in words.iter_mut().zip(piece.chunks(8)) {
        *word = head(bytes);
        hash = mix(hash ^ *word);
    }
    (words, hash)
}

#[inline]
fn mix(value: u64) -> u64 {
    let product = value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    product ^ product >> 32
}

/// Up to eight bytes as a number, little endian, with zeros above.
#[inline]
pub(crate) fn head(bytes: &[u8]) -> u64 {
    let four = |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()).map(|four| u32::from_le_bytes(*four));
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
