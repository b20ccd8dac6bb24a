//! Pieces that had to be merged a moment ago. Names and line beginnings come again and again: in source code nine pieces
//! out of ten that are no token occurred before.

use super::words::head;

/// What is remembered while one text is encoded. A piece has one place; the newest one there wins.
pub(crate) struct Recent {
    /// Empty for short texts, where making it would cost more than it saves.
    places: Vec<Place>,
}

#[derive(Clone, Copy, Default)]
struct Place {
    /// The piece, zeros behind it.
    bytes: [u64; 2],
    /// Its length; 0 if nothing is remembered here.
    length: u8,
    count: u8,
    ids: [u32; MOST_IDS],
}

const PLACES: usize = 4096;
const LONGEST: usize = 16;
const MOST_IDS: usize = 7;
const SHORTEST_TEXT: usize = 16 << 10;

impl Recent {
    /// Nothing is remembered yet. `length` is that of the whole text.
    pub(crate) fn new(length: usize) -> Self {
        Self { places: vec![Place::default(); if length < SHORTEST_TEXT { 0 } else { PLACES }] }
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
        let bytes = [head(text, start, length.min(8)), if length > 8 { head(text, start + 8, length - 8) } else { 0 }];
        let hash = (bytes[0] ^ bytes[1].rotate_left(23)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let place = &mut self.places[(hash >> 40) as usize % PLACES];
        if place.bytes == bytes && usize::from(place.length) == length {
            out.extend_from_slice(&place.ids[..usize::from(place.count) % (MOST_IDS + 1)]);
            return;
        }
        let before = out.len();
        merge(out);
        let ids = &out[before..];
        if ids.len() <= MOST_IDS {
            *place = Place { bytes, length: length as u8, count: ids.len() as u8, ids: [0; MOST_IDS] };
            place.ids[..ids.len()].copy_from_slice(ids);
        }
    }
}
