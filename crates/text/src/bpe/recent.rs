//! Pieces that had to be merged a moment ago. Names and indentation come again and again: in source code nine pieces
//! out of ten that are no token occurred before.

use super::words::head;
use tokenbed_memory::{List, filled};

/// What is remembered while one text is encoded. A piece has one place; the newest one there wins.
pub(crate) struct Recent {
    /// Empty for short texts, where making it would cost more than it saves.
    places: Vec<Place>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Piece {
    /// The bytes, zeros behind them.
    bytes: [u64; LONGEST / 8],
    /// How many there are; 0 if nothing is remembered.
    length: u8,
}

#[derive(Clone, Copy, Default)]
struct Place {
    piece: Piece,
    /// Where its ids are in the output.
    start: usize,
    count: u8,
}

const PLACES: usize = 4096;
const LONGEST: usize = 32;
const SHORTEST_TEXT: usize = 16 << 10;

impl Recent {
    /// Nothing is remembered yet. `length` is that of the whole text.
    pub(crate) fn new(length: usize) -> Self {
        Self { places: filled(Place::default(), if length < SHORTEST_TEXT { 0 } else { PLACES }) }
    }

    /// To be called when the output is emptied: what is remembered is where the ids stand there.
    pub(crate) fn forget(&mut self) {
        self.places.fill(Place::default());
    }

    /// Appends the ids of the piece `text[start..end]`, which `merge` appends if they are not known.
    #[inline]
    pub(crate) fn get_or(
        &mut self,
        text: &[u8],
        start: usize,
        end: usize,
        out: &mut Vec<u32>,
        merge: impl FnOnce(&mut Vec<u32>),
    ) {
        let length = end - start;
        if self.places.is_empty() || length > LONGEST {
            return merge(out);
        }
        let mut piece = Piece { bytes: [0; LONGEST / 8], length: length as u8 };
        let mut hash = 0;
        for (word, at) in piece.bytes.iter_mut().zip((start..end).step_by(8)) {
            *word = head(text, at, (end - at).min(8));
            hash = (hash ^ *word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        }
        let place = &mut self.places[hash as usize % PLACES];
        if place.piece == piece {
            out.put_within(place.start..place.start + usize::from(place.count));
            return;
        }
        let start = out.len();
        merge(out);
        *place = Place { piece, start, count: (out.len() - start) as u8 };
    }
}
