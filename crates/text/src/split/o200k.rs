//! The pattern of `o200k_base`, one alternative a line:
//!
//! ```text
//! [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//! [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//! \p{N}{1,3}
//!  ?[^\s\p{L}\p{N}]+[\r\n/]*
//! \s*[\r\n]+
//! \s+(?!\S)
//! \s+
//! ```
//!
//! In words, the first of these that matches: capitals and then small letters, where letters without case and marks
//! count as both, after at most one character that is not a letter, number or line break, and followed by an English
//! contraction; the same without small letters; one to three numbers; a run of anything but white space, after at
//! most one space (U+0020) and followed by line breaks and slashes; white space, which ends with its last line break
//! or before its last character, unless it ends the text.

use super::classes::{Class, Classes, Set};
use super::numbers::Numbers;
use super::{contraction, spaces};

const CAPITAL: Set = Set::of(&[Class::Upper, Class::Letter, Class::Mark]);
const SMALL: Set = Set::of(&[Class::Lower, Class::Letter, Class::Mark]);

/// End of the piece that begins at `start`, which must be a character boundary before the end of the text.
#[inline]
pub(crate) fn end_of_piece(classes: &Classes, text: &[u8], start: usize) -> usize {
    end_of(classes, text, start, Numbers::Three, true)
}

/// The same with another number of numbers in a group, and with or without contractions.
#[inline(always)]
pub(crate) fn end_of(classes: &Classes, text: &[u8], start: usize, numbers: Numbers, contractions: bool) -> usize {
    let Some((class, next)) = classes.at(text, start) else { return text.len() };
    let word = match class {
        Class::Number => return numbers.end(classes, text, next),
        Class::Newline => return spaces::end_of_lines(classes, text, start),
        Class::Upper | Class::Lower | Class::Letter => Word::at(classes, text, start).end(),
        // A mark may stand before a word or be one. The first alternative reaches the latter before the second is
        // tried.
        Class::Mark => Some(Word::at(classes, text, next).mixed.unwrap_or(next)),
        Class::Other | Class::Space => Word::at(classes, text, next).end(),
    };
    if let Some(end) = word {
        return if contractions { end_of_contraction(text, end) } else { end };
    }
    let symbols = match classes.at(text, next) {
        _ if class != Class::Space => next,
        Some((class, after)) if text[start] == b' ' && Set::SYMBOLS.has(class) => after,
        _ => return spaces::end_of_lines(classes, text, start),
    };
    let end = classes.end_of_run(text, symbols, Set::SYMBOLS);
    let breaks = text[end..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n' | b'/'));
    end + breaks.count()
}

/// Ends of the words of the first two alternatives, without what may stand before and after them.
struct Word {
    /// `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+`
    mixed: Option<usize>,
    /// `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+`: the second alternative, if the first does not match.
    capitals: Option<usize>,
}

impl Word {
    #[inline]
    fn at(classes: &Classes, text: &[u8], start: usize) -> Self {
        let (mut mixed, mut capitals, mut end) = (None, None, start);
        while let Some((class, after)) = classes.at(text, end) {
            if class == Class::Lower {
                mixed = Some(classes.end_of_run(text, after, SMALL));
                break;
            }
            if !CAPITAL.has(class) {
                break;
            }
            if SMALL.has(class) {
                // If no small letter follows, the capitals give back what the one or more small letters need: the
                // last character that is both.
                mixed = Some(after);
            }
            capitals = Some(after);
            end = after;
        }
        Self { mixed, capitals }
    }

    fn end(self) -> Option<usize> {
        self.mixed.or(self.capitals)
    }
}

#[inline]
fn end_of_contraction(text: &[u8], end: usize) -> usize {
    match &text[end..] {
        [b'\'', rest @ ..] => end + contraction::any_case(rest).map_or(0, |length| 1 + length),
        _ => end,
    }
}

/// A piece of `text` that ends here or before is a piece of every text that begins with `text`.
///
/// Runs of symbols, numbers and small letters depend on the end of the text only if they reach it. Three things look
/// further than the piece is long:
///
/// - A contraction looks at three bytes after the word.
/// - White space ends with its last line break, which may still come as long as the run reaches the end of the text.
///   The run begins where the piece does, so the piece ends within the white space at the end of the text.
/// - A word gives capitals back if no small letter follows them, which only the end of the capitals shows. From the
///   word's first character to the end of the text all characters are capitals or count as such. The word has at
///   least one character, or the mark before it is the piece: in both cases the piece ends after the first of those
///   capitals.
pub(crate) fn certain(classes: &Classes, text: &str) -> usize {
    let bytes = text.as_bytes();
    let start_of_last_run = |set: Set| {
        let before = text.char_indices().rev().find(|&(at, _)| classes.at(bytes, at).is_some_and(|(c, _)| !set.has(c)));
        before.map_or(0, |(at, char)| at + char.len_utf8())
    };
    let short = bytes.len().saturating_sub(3);
    short.min(start_of_last_run(Set::SPACES)).min(start_of_last_run(CAPITAL))
}
