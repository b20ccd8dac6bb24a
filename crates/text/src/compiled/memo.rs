//! Remembers the ids of pieces that were seen before. Each thread has memories of its own, so that there is no lock.

use tokenbed_memory::{List, filled};

/// Length of the longest piece that is remembered, in bytes.
pub(crate) const LONGEST: usize = 32;
/// Largest number of ids that are remembered for a piece.
const MOST_IDS: usize = 7;
/// Number of pieces that are remembered.
const PLACES: usize = 8192;

/// A bounded memory of one model: each piece has one place, which the newest piece takes.
pub(crate) struct Memo {
    places: Vec<Place>,
}

/// 64 bytes, which is a line of the cache.
#[derive(Clone, Copy, Default)]
struct Place {
    /// The bytes of the piece, followed by zeros.
    piece: [u64; LONGEST / 8],
    ids: [u32; MOST_IDS],
    /// Number of bytes; 0 if the place is empty.
    length: u8,
    count: u8,
}

impl Memo {
    pub(crate) fn new() -> Self {
        Self { places: filled(Place::default(), PLACES) }
    }

    /// Forgets all pieces.
    pub(crate) fn forget(&mut self) {
        self.places.fill(Place::default());
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
        if piece.len() > LONGEST || piece.is_empty() {
            return encode(out);
        }
        let (words, hash) = key(piece);
        let length = piece.len() as u8;
        let place = &mut self.places[hash as usize % PLACES];
        if place.length == length && place.piece == words {
            let ids = place.ids.get(..usize::from(place.count)).unwrap_or_default();
            out.put_slice(ids);
            return Ok(());
        }
        let start = out.len();
        encode(out)?;
        let made = &out[start..];
        if let Some(ids) = place.ids.get_mut(..made.len()) {
            ids.copy_from_slice(made);
            (place.piece, place.length, place.count) = (words, length, made.len() as u8);
        }
        Ok(())
    }
}

/// The bytes of a piece of at most [`LONGEST`] bytes as numbers, and a hash of them.
#[inline]
fn key(piece: &[u8]) -> ([u64; LONGEST / 8], u64) {
    let mut words = [0; LONGEST / 8];
    let mut hash = piece.len() as u64;
    for (word, bytes) in words.iter_mut().zip(piece.chunks(8)) {
        *word = head(bytes);
        hash = (hash ^ *word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
    (words, hash)
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
