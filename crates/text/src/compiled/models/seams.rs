//! Where a text may be cut so that byte pair encoding gives the ids of the whole.
//!
//! Some files have no pre-tokenizer that cuts words apart: a text of any size is one piece. But a merge across the
//! place between two characters joins a token that ends with the first to a token that begins with the second. If no
//! merge of the file does, no token ever crosses the place, and both sides can be encoded on their own: merges on one
//! side neither need nor change anything on the other, and on each side their order stays the same. Most words are
//! apart in this sense, so each is encoded by itself and remembered.

use super::alphabet::{Alphabet, NO_TOKEN};
use crate::compiled::Tokens;
use tokenbed_memory::{List, filled, with_room};

/// Which characters are never joined.
pub(crate) struct Seams {
    /// For each of the first [`CLASSES`] classes the classes that may be joined to it, as bits.
    near: Vec<[u64; ROW]>,
    /// Bits of pairs of other characters, by a hash. A bit that is set for another pair means a cut less.
    far: Vec<u64>,
    shift: u32,
    /// Whether an unknown character may be joined to a known one, or to another unknown one.
    unknown: (bool, bool),
}

/// How unknown characters behave.
#[derive(Clone, Copy)]
pub(crate) struct Unknown {
    /// Whether they may be joined to known characters.
    pub(crate) joins_known: bool,
    /// Whether they may be joined to each other.
    pub(crate) joins_unknown: bool,
}

/// ASCII characters are their own classes; this is the class of [`MARK`].
const MARK_CLASS: u32 = 128;
/// The character that stands for a space in most files.
const MARK: char = '\u{2581}';
/// The first byte of [`MARK`].
const FRONT_OF_MARK: u8 = 0xe2;
const CLASSES: u32 = 129;
const ROW: usize = 3;
/// The class of an unknown character other than ASCII. Others have their ids behind the classes.
const UNKNOWN: u32 = u32::MAX;

impl Seams {
    /// The seams of a model in which each character is a token, or unknown.
    pub(crate) fn new(tokens: &Tokens, alphabet: &Alphabet, merges: &[(u32, u32)], unknown: Unknown) -> Self {
        let mut far = filled(0u64, (merges.len() / 32).next_power_of_two().clamp(1 << 9, 1 << 14));
        let shift = 64 - (far.len() * 64).trailing_zeros();
        let mut near = filled([0; ROW], CLASSES as usize);
        // The classes of the first and the last character of each token, by id.
        let mut edges = filled((UNKNOWN, UNKNOWN), tokens.end());
        for (id, token) in tokens.iter() {
            let text = std::str::from_utf8(token).unwrap_or_default();
            let class = |c: Option<char>| c.map_or(UNKNOWN, |c| class(alphabet, c));
            edges[id as usize] = (class(text.chars().next()), class(text.chars().next_back()));
        }
        for &(left, right) in merges {
            let ((_, before), (after, _)) = (edges[left as usize], edges[right as usize]);
            // A token with an unknown character is never made of characters.
            if before == UNKNOWN || after == UNKNOWN {
                continue;
            }
            if before < CLASSES && after < CLASSES {
                near[before as usize][after as usize >> 6] |= 1 << (after & 63);
            } else {
                let bit = spot(before, after, shift);
                far[bit >> 6] |= 1 << (bit & 63);
            }
        }
        let mut it = Self { near, far, shift, unknown: (unknown.joins_known, unknown.joins_unknown) };
        it.unknown_near(alphabet);
        it
    }

    /// Sets the bits of ASCII characters that are unknown.
    fn unknown_near(&mut self, alphabet: &Alphabet) {
        let is_unknown =
            |class: u32| alphabet.get(if class == MARK_CLASS { MARK } else { class as u8 as char }) == NO_TOKEN;
        let mut all: Vec<bool> = with_room(CLASSES as usize);
        all.put_all((0..CLASSES).map(is_unknown));
        for (before, row) in self.near.iter_mut().enumerate() {
            for after in 0..CLASSES as usize {
                let joined = match (all[before], all[after]) {
                    (false, false) => continue,
                    (true, true) => self.unknown.1,
                    _ => self.unknown.0,
                };
                row[after >> 6] |= u64::from(joined) << (after & 63);
            }
        }
    }

    /// The end of the part that begins at `start`: the next place where the text may be cut, or its end.
    #[inline]
    pub(crate) fn next(&self, alphabet: &Alphabet, text: &str, start: usize) -> usize {
        let bytes = text.as_bytes();
        let mut at = start;
        let mut before = None;
        while let Some(&byte) = bytes.get(at) {
            let (class, length) = if byte < 128 {
                (u32::from(byte), 1)
            } else if bytes.get(at..at + 3) == Some(&[0xe2, 0x96, 0x81]) {
                (MARK_CLASS, 3)
            } else {
                match text.get(at..).and_then(|rest| rest.chars().next()) {
                    Some(c) => (class(alphabet, c), c.len_utf8()),
                    None => return bytes.len(),
                }
            };
            if before.is_some_and(|before| !self.joined(alphabet, before, class)) {
                return at;
            }
            before = Some(class);
            at += length;
        }
        at
    }

    /// The end of the word that begins at `start`: the next [`MARK`] before which the text may be cut, or its end.
    #[inline]
    pub(crate) fn word(&self, alphabet: &Alphabet, text: &str, start: usize) -> usize {
        let bytes = text.as_bytes();
        // A mark at the front begins the word.
        let mut at = start + 1;
        loop {
            let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr(FRONT_OF_MARK, rest)) else {
                return bytes.len();
            };
            at += found;
            if self.is_cut(alphabet, text, at) {
                return at;
            }
            at += 1;
        }
    }

    /// Whether there is a mark at `at` before which the text may be cut.
    #[inline]
    fn is_cut(&self, alphabet: &Alphabet, text: &str, at: usize) -> bool {
        let (before, after) = text.as_bytes().split_at(at);
        if !after.starts_with(MARK.encode_utf8(&mut [0; 4]).as_bytes()) {
            return false;
        }
        let before = match before.last() {
            Some(&byte) if byte < 128 => u32::from(byte),
            _ => match text.get(..at).and_then(|text| text.chars().next_back()) {
                Some(c) => class(alphabet, c),
                None => return false,
            },
        };
        !self.joined(alphabet, before, MARK_CLASS)
    }

    #[inline]
    fn joined(&self, alphabet: &Alphabet, before: u32, after: u32) -> bool {
        if after < CLASSES
            && let Some(row) = self.near.get(before as usize)
        {
            return row[after as usize >> 6] >> (after & 63) & 1 != 0;
        }
        // A class that is a character may be unknown, too.
        let is_unknown = |class: u32| match class {
            UNKNOWN => true,
            MARK_CLASS => alphabet.get(MARK) == NO_TOKEN,
            0..MARK_CLASS => alphabet.get(class as u8 as char) == NO_TOKEN,
            _ => false,
        };
        match (is_unknown(before), is_unknown(after)) {
            (false, false) => {}
            (true, true) => return self.unknown.1,
            _ => return self.unknown.0,
        }
        let bit = spot(before, after, self.shift);
        self.far[bit >> 6] >> (bit & 63) & 1 != 0
    }

    /// Whether no token crosses the place between two characters.
    pub(crate) fn keep_apart(&self, alphabet: &Alphabet, before: char, after: char) -> bool {
        !self.joined(alphabet, class(alphabet, before), class(alphabet, after))
    }
}

/// The class of a character.
#[inline]
fn class(alphabet: &Alphabet, c: char) -> u32 {
    match c {
        '\0'..='\x7f' => c as u32,
        MARK => MARK_CLASS,
        _ => match alphabet.get(c) {
            NO_TOKEN => UNKNOWN,
            id => CLASSES + id,
        },
    }
}

/// The bit of a pair of classes.
#[inline]
fn spot(before: u32, after: u32, shift: u32) -> usize {
    ((u64::from(before) << 32 | u64::from(after)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> shift) as usize
}
