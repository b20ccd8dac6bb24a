//! The pattern of Llama 3 and, with another number of numbers, of Qwen 2:
//!
//! ```text
//! (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
//! ```
//!
//! It is the pattern of `cl100k_base` except for white space with a line break, which ends with its last line break
//! even if it ends the text.

use super::classes::{Class, Classes, Set};
use super::numbers::Numbers;
use super::{contraction, spaces};

/// End of the piece that begins at `start`, which must be a character boundary before the end of the text.
#[inline(always)]
pub(crate) fn end_of_piece(classes: &Classes, text: &[u8], start: usize, numbers: Numbers) -> usize {
    end_of(classes, text, start, numbers, spaces::end_of_lines)
}

/// The same with another end of white space.
#[inline(always)]
pub(super) fn end_of(
    classes: &Classes,
    text: &[u8],
    start: usize,
    numbers: Numbers,
    end_of_spaces: impl Fn(&Classes, &[u8], usize) -> usize,
) -> usize {
    let Some((class, next)) = classes.at(text, start) else { return text.len() };
    match class {
        Class::Upper | Class::Lower | Class::Letter => return classes.end_of_run(text, next, Set::LETTERS),
        Class::Number => return numbers.end(classes, text, next),
        Class::Newline => return end_of_spaces(classes, text, start),
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
        _ => return end_of_spaces(classes, text, start),
    };
    let end = classes.end_of_run(text, symbols, Set::SYMBOLS);
    classes.end_of_run(text, end, Set::NEWLINE)
}
