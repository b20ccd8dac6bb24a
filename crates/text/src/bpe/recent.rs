//! Remembers the pieces that were merged a moment ago. Names and indentation come again and again: in source code
//! nine out of ten pieces that are not tokens occurred before.

use super::words::head;
use tokenbed_memory::{List, filled};

/// The pieces that are remembered while one text is encoded. Each piece has one place, which the newest piece takes.
pub(crate) struct Recent {
    /// Empty for short texts, where allocating it would cost more than it saves.
    places: Vec<Place>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Piece {
    /// The bytes of the piece, followed by zeros.
    bytes: [u64; LONGEST / 8],
    /// Number of bytes; 0 if the place is empty.
    length: u8,
}

#[derive(Clone, Copy, Default)]
struct Place {
    piece: Piece,
    /// Index of its first id in the output.
    start: usize,
    count: u8,
}

const PLACES: usize = 4096;
const LONGEST: usize = 32;
const SHORTEST_TEXT: usize = 16 << 10;

impl Recent {
    /// An empty memory for a text of `length` bytes.
    pub(crate) fn new(length: usize) -> Self {
        Self { places: filled(Place::default(), if length < SHORTEST_TEXT { 0 } else { PLACES }) }
    }

    /// Forgets all pieces. Call it when the output is emptied, because the places refer to ids there.
    pub(crate) fn forget(&mut self) {
        self.places.fill(Place::default());
    }

    /// Appends the ids of the piece `text[start..end]`. If they are not known, `merge` appends them.
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
