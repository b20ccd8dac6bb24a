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

use super::classes::{Class, Classes, Set};
use super::{contraction, numbers, spaces};

/// End of the piece that begins at `start`, which must be a character boundary before the end of the text.
#[inline]
pub(crate) fn end_of_piece(classes: &Classes, text: &[u8], start: usize) -> usize {
    let Some((class, next)) = classes.at(text, start) else { return text.len() };
    match class {
        Class::Upper | Class::Lower | Class::Letter => return classes.end_of_run(text, next, Set::LETTERS),
        Class::Number => return numbers::end_of_three(classes, text, next),
        Class::Newline => return spaces::end_of_lines_or_text(classes, text, start),
        Class::Other | Class::Mark | Class::Space => {}
    }
    if text[start] == b'\''
        && let Some(length) = contraction::any_case(&text[next..])
    {
        return next + length;
    }
    let following = classes.at(text, next);
    if let Some((_, after)) = following.filter(|&(class, _)| Set::LETTERS.has(class)) {
        return classes.end_of_run(text, after, Set::LETTERS);
    }
    let symbols = match following {
        _ if class != Class::Space => next,
        Some((class, after)) if text[start] == b' ' && Set::SYMBOLS.has(class) => after,
        _ => return spaces::end_of_lines_or_text(classes, text, start),
    };
    let end = classes.end_of_run(text, symbols, Set::SYMBOLS);
    classes.end_of_run(text, end, Set::NEWLINE)
}

/// A piece of `text` that ends here or before is a piece of every text that begins with `text`.
///
/// Runs, also of white space, depend on the end of the text only if they reach it; a run of white space that does is
/// one piece. A contraction looks for `ll`, `ve` or `re` past the end only if a letter ends the text, and the run of
/// letters that is taken instead ends there, too.
pub(crate) fn certain(text: &[u8]) -> usize {
    text.len().saturating_sub(1)
}
