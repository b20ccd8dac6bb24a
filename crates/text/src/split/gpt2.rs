//! GPT-2's pattern, tiktoken's `r50k_pat_str`:
//!
//! ```text
//! '(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s
//! ```
//!
//! Alternatives are tried from left to right. In words: an English contraction; else a run of letters, of numbers, or
//! of anything but white space, after at most one space (U+0020); else white space, up to the last character of the
//! run if something follows it, because that one may be the space of the next piece.

use super::classes::{Classes, Set};
use super::{contraction, spaces};

/// End of the piece that begins at `start`, which must be a character boundary before the end of the text.
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
/// Runs, also of white space, depend on the end of the text only if they reach it. A contraction looks at two bytes
/// after the apostrophe; if there is no contraction, the apostrophe may be a piece of its own, and end two bytes
/// earlier.
pub(crate) fn certain(text: &[u8]) -> usize {
    text.len().saturating_sub(2)
}
