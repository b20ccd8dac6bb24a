//! The pattern of `cl100k_base`:
//!
//! ```text
//! '(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s
//! ```
//!
//! In words, the first of these that matches: an English contraction; letters, after at most one character that is
//! not a letter, number or line break; one to three numbers; a run of anything but white space, after at most one
//! space (U+0020) and followed by line breaks; white space, which ends with its last line break or before its last
//! character, unless it ends the text.

use super::classes::Classes;
use super::numbers::Numbers;
use super::{lines, spaces};

/// End of the piece that begins at `start`, which must be a character boundary before the end of the text.
#[inline]
pub(crate) fn end_of_piece(classes: &Classes, text: &[u8], start: usize) -> usize {
    lines::end_of(classes, text, start, Numbers::Three, spaces::end_of_lines_or_text)
}

/// A piece of `text` that ends here or before is a piece of every text that begins with `text`.
///
/// Runs, also of white space, depend on the end of the text only if they reach it; a run of white space that does is
/// one piece. A contraction looks for `ll`, `ve` or `re` past the end only if a letter ends the text, and the run of
/// letters that is taken instead ends there, too.
pub(crate) fn certain(text: &[u8]) -> usize {
    text.len().saturating_sub(1)
}
