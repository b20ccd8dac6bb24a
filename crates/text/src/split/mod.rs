//! Finds where the pieces of a text end that are encoded on their own. tiktoken does this with a regular expression.
//!
//! Each pattern has a scanner written by hand, because the expression engine is the slowest part of other tokenizers.
//!
//! A scanner does not depend on the text before a piece, and its decision depends only on the bytes that it looks at.
//! So a piece whose scanner did not reach the end of the text is a piece of every text that begins so. Each scanner
//! says in `certain` where pieces must end for that to hold.

mod cl100k;
mod classes;
pub(crate) mod contraction;
pub(crate) mod gpt2;
pub(crate) mod lines;
mod numbers;
pub(crate) mod o200k;
mod spaces;
mod unicode;

use classes::{CLASSES, Classes};

/// The scanners, for the patterns of files.
pub(crate) mod scanners {
    pub(crate) use super::classes::CLASSES;
    pub(crate) use super::numbers::Numbers;
    pub(crate) use super::{contraction, gpt2, lines, o200k};
}

/// The rule that cuts a text into pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pattern {
    /// The pattern of GPT-2: tiktoken's `r50k_pat_str`, used by `gpt2`, `r50k_base` and `p50k_base`.
    Gpt2,
    /// The pattern of `cl100k_base`.
    Cl100k,
    /// The pattern of `o200k_base`.
    O200k,
}

impl Pattern {
    /// Calls `piece(start, end)` for the pieces of the text from left to right. They cover every byte.
    #[inline]
    pub(crate) fn split(self, text: &str, mut piece: impl FnMut(usize, usize)) {
        let (classes, text) = (&*CLASSES, text.as_bytes());
        let mut start = 0;
        while start < text.len() {
            let end = self.end_of_piece(classes, text, start);
            piece(start, end);
            start = end;
        }
    }

    /// Calls `piece(start, end)` for the first pieces of `text` that every text beginning with it has. Returns the
    /// end of the last one; the pieces after it depend on how the text continues.
    pub(crate) fn split_certain(self, text: &str, mut piece: impl FnMut(usize, usize)) -> usize {
        let certain = match self {
            Self::Gpt2 => gpt2::certain(text.as_bytes()),
            Self::Cl100k => cl100k::certain(text.as_bytes()),
            Self::O200k => o200k::certain(&CLASSES, text),
        };
        let (classes, text) = (&*CLASSES, text.as_bytes());
        let mut start = 0;
        while start < text.len() {
            let end = self.end_of_piece(classes, text, start);
            if end > certain {
                break;
            }
            piece(start, end);
            start = end;
        }
        start
    }

    #[inline(always)]
    fn end_of_piece(self, classes: &Classes, text: &[u8], start: usize) -> usize {
        match self {
            Self::Gpt2 => gpt2::end_of_piece(classes, text, start),
            Self::Cl100k => cl100k::end_of_piece(classes, text, start),
            Self::O200k => o200k::end_of_piece(classes, text, start),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every kind of character that a scanner treats differently, including the letters of contractions.
    const KINDS: &[char] = &[
        'a', 'l', 'v', 'e', 's', 'A', 'L', '\u{17f}', '\u{6587}', '\u{301}', ' ', '\n', '\u{a0}', '\'', '7', '!', '/',
    ];

    fn pieces(text: &str, split: impl FnOnce(&str, &mut dyn FnMut(usize, usize))) -> Vec<(usize, usize)> {
        let mut pieces = Vec::new();
        split(text, &mut |start, end| pieces.push((start, end)));
        pieces
    }

    /// Checks that the certain pieces of each prefix of a text are the first pieces of the text.
    fn check(text: &str) {
        for pattern in [Pattern::Gpt2, Pattern::Cl100k, Pattern::O200k] {
            let whole = pieces(text, |text, piece| pattern.split(text, piece));
            for (at, _) in text.char_indices() {
                let certain = pieces(&text[..at], |text, piece| {
                    let end = pattern.split_certain(text, &mut *piece);
                    assert!(text.is_char_boundary(end));
                });
                assert!(whole.starts_with(&certain), "{pattern:?}: {text:?} up to {at} gives {certain:?} of {whole:?}");
            }
        }
    }

    fn check_all(kinds: &[char], length: u32) {
        for number in 0..kinds.len().pow(length) {
            let text: String = (0..length).map(|place| kinds[number / kinds.len().pow(place) % kinds.len()]).collect();
            check(&text);
        }
    }

    #[test]
    fn certain_pieces_are_those_of_every_text_that_begins_so() {
        check_all(KINDS, 5);
        // In these texts scanners look far ahead.
        check_all(&['a', 'A', '\u{6587}', '\u{301}', '!'], 8);
        check_all(&['a', 'A', '\'', 'l', ' '], 8);
        check_all(&[' ', '\n', '\u{a0}', '!', 'a'], 8);
    }

    /// What is held back is short if nothing requires more.
    #[test]
    fn all_but_the_end_is_certain() {
        for pattern in [Pattern::Gpt2, Pattern::Cl100k, Pattern::O200k] {
            for text in
                ["It was the best of times, it was", "if (a) {\n  return 5\n}\n\nfi", "\u{6587}, \u{6587}!? A B C DE"]
            {
                let end = pattern.split_certain(text, |_, _| ());
                assert!(end + 8 >= text.len(), "{pattern:?}: {text:?} up to {end}");
            }
        }
    }
}
