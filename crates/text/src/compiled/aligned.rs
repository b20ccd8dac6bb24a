//! A text together with the place of each of its bytes in the text that it was made of.

use std::ops::Range;

use tokenbed_memory::{List, Text};

/// A text that was changed, and where its parts come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Aligned {
    pub(crate) text: String,
    /// For each byte of `text`: start and end, in bytes, of what it was made of in the original text. All bytes of a
    /// character have the same range. These are the alignments that the library's `NormalizedString` has.
    pub(crate) places: Vec<(u32, u32)>,
}

impl Aligned {
    /// The text as it is: each character stands for itself. `start` is its place in the original text.
    pub(crate) fn of(text: &str, start: u32) -> Self {
        let mut it = Self::default();
        it.text.put_str(text);
        it.places.make_room(text.len());
        for (at, c) in text.char_indices() {
            let place = (start + at as u32, start + (at + c.len_utf8()) as u32);
            it.places.put_all([place; 4].into_iter().take(c.len_utf8()));
        }
        it
    }

    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.places.clear();
    }

    /// Appends a character that was made of the bytes at `place`.
    pub(crate) fn put(&mut self, c: char, place: (u32, u32)) {
        self.text.put_char(c);
        self.places.put_all([place; 4].into_iter().take(c.len_utf8()));
    }

    /// Appends a part of another text with its places.
    pub(crate) fn put_part(&mut self, from: &Self, part: Range<usize>) {
        self.text.put_str(&from.text[part.clone()]);
        self.places.put_slice(&from.places[part]);
    }
}
