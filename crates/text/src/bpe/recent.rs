//! Pieces that had to be merged a moment ago. Names and indentation come again and again: in source code nine pieces
//! out of ten that are no token occurred before.
//!
//! What is remembered never changes an id: a piece has one encoding in a vocabulary. So each thread keeps one memory from
//! text to text, of a fixed size, and short texts profit from those before them.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use super::words::head;

/// What is remembered of one vocabulary. A piece has one place; the newest one there wins.
pub(crate) struct Recent {
    /// Whose ids these are.
    vocabulary: u64,
    places: Vec<Place>,
    /// The ids of all places, end to end, those of pieces that lost their place among them.
    ids: Vec<u32>,
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
    /// Where its ids are in `ids`.
    start: u32,
    count: u8,
}

/// Under half a megabyte of places and ids together: it stays in the second cache of a core.
const PLACES: usize = 4096;
const MOST_IDS: usize = 1 << 16;
const LONGEST: usize = 32;

thread_local! {
    /// That of the last text, until the thread ends.
    static KEPT: Cell<Option<Recent>> = const { Cell::new(None) };
}

/// A number for a vocabulary that no other one has in this process.
pub(crate) fn new_vocabulary() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Recent {
    /// Calls `work` with what this thread remembers of the vocabulary, and keeps that for the next time. A panic, or a
    /// call within the call, only forgets.
    pub(crate) fn with<T>(vocabulary: u64, work: impl FnOnce(&mut Self) -> T) -> T {
        // A thread that is about to end has nothing any more.
        let kept = KEPT.try_with(Cell::take).ok().flatten();
        let mut recent = match kept {
            Some(recent) if recent.vocabulary == vocabulary => recent,
            Some(mut other) => {
                other.vocabulary = vocabulary;
                other.forget();
                other
            }
            None => Self { vocabulary, places: Vec::new(), ids: Vec::new() },
        };
        let result = work(&mut recent);
        let _ = KEPT.try_with(|kept| kept.set(Some(recent)));
        result
    }

    #[cold]
    fn forget(&mut self) {
        self.places.clear();
        self.places.resize(PLACES, Place::default());
        self.ids.clear();
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
        if length > LONGEST {
            return merge(out);
        }
        let mut piece = Piece { bytes: [0; LONGEST / 8], length: length as u8 };
        let mut hash = 0;
        for (word, at) in piece.bytes.iter_mut().zip((start..end).step_by(8)) {
            *word = head(text, at, (end - at).min(8));
            hash = (hash ^ *word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        }
        let at = hash as usize % PLACES;
        if let Some(place) = self.places.get(at).filter(|place| place.piece == piece) {
            let ids = place.start as usize..place.start as usize + usize::from(place.count);
            out.extend_from_slice(self.ids.get(ids).unwrap_or_default());
            return;
        }
        let before = out.len();
        merge(out);
        if self.places.is_empty() || self.ids.len() > MOST_IDS - LONGEST {
            self.forget();
        }
        let ids = &out[before..];
        self.places[at] = Place { piece, start: self.ids.len() as u32, count: ids.len() as u8 };
        self.ids.extend_from_slice(ids);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `merge` was called for, and the ids that came out.
    fn look_up(recent: &mut Recent, text: &str, id: u32) -> (bool, Vec<u32>) {
        let (mut merged, mut out) = (false, vec![7]);
        recent.get_or(text.as_bytes(), 0, text.len(), &mut out, |out| {
            merged = true;
            out.extend([id, id + 1]);
        });
        (merged, out)
    }

    #[test]
    fn a_thread_remembers_from_text_to_text_until_the_vocabulary_changes() {
        let (one, other) = (new_vocabulary(), new_vocabulary());
        assert_ne!(one, other);
        assert_eq!(Recent::with(one, |it| look_up(it, "piece", 1)), (true, vec![7, 1, 2]));
        assert_eq!(Recent::with(one, |it| look_up(it, "piece", 5)), (false, vec![7, 1, 2]));
        assert_eq!(Recent::with(other, |it| look_up(it, "piece", 3)), (true, vec![7, 3, 4]));
        assert_eq!(Recent::with(one, |it| look_up(it, "piece", 1)), (true, vec![7, 1, 2]));
        let inner = Recent::with(one, |_| Recent::with(one, |it| look_up(it, "piece", 1)));
        assert_eq!(inner, (true, vec![7, 1, 2]));
    }

    #[test]
    fn memory_is_bounded_and_what_is_forgotten_is_merged_again() {
        Recent::with(new_vocabulary(), |it| {
            for round in 0..200_000 {
                let (_, ids) = look_up(it, &format!("piece {round}"), round);
                assert_eq!(ids, [7, round, round + 1]);
                assert!(it.ids.len() <= MOST_IDS && it.places.len() == PLACES);
            }
        });
    }
}
