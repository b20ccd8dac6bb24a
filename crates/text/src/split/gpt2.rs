//! GPT-2's pattern: tiktoken's `r50k_pat_str`,
//!
//! ```text
//! '(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s
//! ```
//!
//! Alternatives are tried from left to right. In words: an English contraction; else a run of letters, of numbers, or
//! of anything but white space, with the one space (U+0020) before it; else white space, up to the last character of
//! the run if something follows it: that one may be the space of the next piece.

use super::classes::{Classes, Set};
use super::{contraction, spaces};

/// Where the piece ends that begins at `start`, which is a character boundary before the end of the text.
#[inline]
pub(crate) fn end_of_piece(classes: &Classes, text: &[u8], start: usize) -> usize {
    let first = text[start];
    if first == b'\''
        && let Some(length) = contraction::small(&text[start + 1..])
    {
        return start + 1 + length;
    }
    let next = if first == b' ' { start + 1 } else { start };
    match classes.at(text, next) {
        Some((class, after)) if !Set::SPACES.has(class) => classes.end_of_run(text, after, Set::of_run(class)),
        _ => spaces::end_of_run(classes, text, start),
    }
}

/// A piece of `text` that ends here or before is a piece of every text that begins with `text`.
///
/// Runs, of white space too, come upon the end of the text only where they reach it. A contraction looks at two bytes
/// after the apostrophe; where it is none, the apostrophe may be a piece of its own, and end two bytes before that.
pub(crate) fn certain(text: &[u8]) -> usize {
    text.len().saturating_sub(2)
}
