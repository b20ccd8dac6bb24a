//! Where a text may be cut so that byte pair encoding gives the ids of the whole.
//!
//! Some files have no pre-tokenizer that cuts words apart: a text of any size is one piece. But a merge across the
//! place between two characters joins a token that ends with the first to a token that begins with the second. If no
//! merge of the file does, no token ever crosses the place, and both sides can be encoded on their own: merges on one
//! side neither need nor change anything on the other, and on each side their order stays the same. Most words are
//! apart in this sense, so each is encoded by itself and remembered.

use super::alphabet::{Alphabet, NO_TOKEN};
use crate::compiled::eight::small_letters;
use crate::compiled::{MARK, Tokens};
use tokenbed_memory::filled;

/// Which characters are never joined.
pub(crate) struct Seams {
    /// For each of the first [`CLASSES`] classes the classes that may be joined to it, as bits.
    near: Vec<[u64; ROW]>,
    /// Bits of pairs of other characters, by a hash. A bit that is set for another pair means a cut less.
    far: Vec<u64>,
    shift: u32,
    /// Bits of the first classes that are unknown.
    unknown_near: [u64; ROW],
    unknown: Unknown,
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
        let mut it = Self { near, far, shift, unknown_near: [0; ROW], unknown };
        it.set_unknown(alphabet);
        it
    }

    /// Bytes of memory.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        8 * ROW * self.near.capacity() + 8 * self.far.capacity()
    }

    /// Sets the bits of characters that are their own classes and unknown.
    fn set_unknown(&mut self, alphabet: &Alphabet) {
        for class in 0..CLASSES {
            let c = if class == MARK_CLASS { MARK } else { class as u8 as char };
            let is_unknown = alphabet.get(c) == NO_TOKEN;
            self.unknown_near[class as usize >> 6] |= u64::from(is_unknown) << (class & 63);
        }
        let is_unknown = |class: usize| self.unknown_near[class >> 6] >> (class & 63) & 1 != 0;
        for (before, row) in self.near.iter_mut().enumerate() {
            for after in 0..CLASSES as usize {
                let joined = match (is_unknown(before), is_unknown(after)) {
                    (false, false) => continue,
                    (true, true) => self.unknown.joins_unknown,
                    _ => self.unknown.joins_known,
                };
                row[after >> 6] |= u64::from(joined) << (after & 63);
            }
        }
    }

    /// The end of the part that begins at `start`: a place where the text may be cut, or its end. If `UNMARKED`, each
    /// space is read as [`MARK`].
    #[inline]
    pub(crate) fn next<const UNMARKED: bool>(&self, alphabet: &Alphabet, text: &str, start: usize) -> usize {
        let bytes = text.as_bytes();
        let Some((mut before, mut at)) = unit::<UNMARKED>(alphabet, text, start) else { return bytes.len() };
        loop {
            // Words are not cut between small letters, where it is hardly ever possible.
            if is_small(before) {
                at += small_letters(bytes.get(at..).unwrap_or_default());
                before = u32::from(bytes[at - 1]);
            }
            let Some((class, end)) = unit::<UNMARKED>(alphabet, text, at) else { return bytes.len() };
            if !self.joined(before, class) {
                return at;
            }
            (before, at) = (class, end);
        }
    }

    #[inline]
    fn joined(&self, before: u32, after: u32) -> bool {
        if after < CLASSES
            && let Some(row) = self.near.get(before as usize)
        {
            return row[after as usize >> 6] >> (after & 63) & 1 != 0;
        }
        // A class that is a character may be unknown, too.
        let is_unknown = |class: u32| match self.unknown_near.get(class as usize >> 6) {
            Some(bits) => bits >> (class & 63) & 1 != 0,
            None => class == UNKNOWN,
        };
        match (is_unknown(before), is_unknown(after)) {
            (false, false) => {
                let bit = spot(before, after, self.shift);
                self.far[bit >> 6] >> (bit & 63) & 1 != 0
            }
            (true, true) => self.unknown.joins_unknown,
            _ => self.unknown.joins_known,
        }
    }

    /// Whether no token crosses the place between two characters.
    pub(crate) fn keep_apart(&self, alphabet: &Alphabet, before: char, after: char) -> bool {
        !self.joined(class(alphabet, before), class(alphabet, after))
    }
}

/// Whether a class is a small letter.
#[inline]
fn is_small(class: u32) -> bool {
    class.wrapping_sub(u32::from(b'a')) < 26
}

/// The class of the character at `at`, and where it ends.
#[inline]
fn unit<const UNMARKED: bool>(alphabet: &Alphabet, text: &str, at: usize) -> Option<(u32, usize)> {
    match *text.as_bytes().get(at..)? {
        [] => None,
        [b' ', ..] if UNMARKED => Some((MARK_CLASS, at + 1)),
        [byte @ 0..128, ..] => Some((u32::from(byte), at + 1)),
        [0xe2, 0x96, 0x81, ..] => Some((MARK_CLASS, at + 3)),
        _ => {
            let c = text.get(at..)?.chars().next()?;
            Some((class(alphabet, c), at + c.len_utf8()))
        }
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
