//! Steps that find something in a piece, and cut there in one of several ways.

use tokenbed_memory::List;

use super::kinds::{KINDS, PUNCTUATED, SPACE};
use crate::compiled::pattern::Pattern;
use crate::file::limits::Budget;

/// What a step finds.
pub(super) enum Matcher {
    /// Each character of punctuation.
    Punctuation,
    /// Each numeric character.
    Numeric,
    /// Each character of white space.
    Space,
    /// Each occurrence of a character.
    Char(char),
    /// The matches of a pattern.
    Pattern(Box<Pattern>),
}

/// What happens to matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behavior {
    Removed,
    Isolated,
    MergedWithPrevious,
    MergedWithNext,
    Contiguous,
}

/// A step that cuts at what it finds.
pub(super) struct Split {
    pub(super) matcher: Matcher,
    pub(super) behavior: Behavior,
    /// Whether what lies between matches counts as the matches.
    pub(super) invert: bool,
}

impl Split {
    /// Appends the pieces of `text[start..end]`.
    #[allow(clippy::too_many_arguments, reason = "buffers that are used again")]
    pub(super) fn cut(
        &self,
        text: &str,
        start: usize,
        end: usize,
        budget: &Budget,
        found: &mut Vec<(usize, usize)>,
        parts: &mut Vec<(u32, u32, bool)>,
        out: &mut Vec<(u32, u32)>,
    ) -> Result<(), String> {
        let Some(piece) = text.get(start..end) else { return Ok(()) };
        self.matches(piece, budget, found)?;
        parts.clear();
        let mut done = 0;
        for &(from, to) in found.iter() {
            if done < from {
                parts.put(((start + done) as u32, (start + from) as u32, self.invert));
            }
            parts.put(((start + from) as u32, (start + to) as u32, !self.invert));
            done = to;
        }
        if done < piece.len() {
            parts.put(((start + done) as u32, end as u32, self.invert));
        }
        self.behavior.apply(parts, out);
        Ok(())
    }
}

impl Split {
    /// Finds all matches in a piece.
    pub(super) fn matches(&self, piece: &str, budget: &Budget, found: &mut Vec<(usize, usize)>) -> Result<(), String> {
        found.clear();
        let kinds = &*KINDS;
        match &self.matcher {
            Matcher::Punctuation => each_char(piece, |c| kinds.of(c) & PUNCTUATED != 0, found),
            Matcher::Numeric => each_char(piece, char::is_numeric, found),
            Matcher::Space => each_char(piece, |c| kinds.of(c) & SPACE != 0, found),
            Matcher::Char(one) => each_char(piece, |c| c == *one, found),
            Matcher::Pattern(pattern) => pattern.find_all(piece, budget, found)?,
        }
        Ok(())
    }
}

impl Behavior {
    /// Appends the pieces that the parts become: start, end, and whether it is a match. Empty pieces are left out.
    fn apply(self, parts: &[(u32, u32, bool)], out: &mut Vec<(u32, u32)>) {
        let first = out.len();
        let mut before = false;
        match self {
            Self::Removed => out.put_all(parts.iter().filter(|part| !part.2).map(|&(start, end, _)| (start, end))),
            Self::Isolated => out.put_all(parts.iter().map(|&(start, end, _)| (start, end))),
            Self::Contiguous | Self::MergedWithPrevious => {
                for &(start, end, is_match) in parts {
                    let joins = match self {
                        Self::Contiguous => is_match == before,
                        _ => is_match && !before,
                    };
                    match out[first..].last_mut() {
                        Some(last) if joins => last.1 = end,
                        _ => out.put((start, end)),
                    }
                    before = is_match;
                }
            }
            Self::MergedWithNext => {
                for &(start, end, is_match) in parts.iter().rev() {
                    match out[first..].last_mut() {
                        Some(last) if is_match && !before => last.0 = start,
                        _ => out.put((start, end)),
                    }
                    before = is_match;
                }
                out[first..].reverse();
            }
        }
        if out[first..].iter().any(|(start, end)| start == end) {
            let mut kept = first;
            for i in first..out.len() {
                if out[i].0 < out[i].1 {
                    out[kept] = out[i];
                    kept += 1;
                }
            }
            out.truncate(kept);
        }
    }
}

fn each_char(text: &str, is: impl Fn(char) -> bool, found: &mut Vec<(usize, usize)>) {
    for (at, c) in text.char_indices() {
        if is(c) {
            found.put((at, at + c.len_utf8()));
        }
    }
}

/// Appends the pieces that `BertPreTokenizer` makes of `text[start..end]`.
pub(super) fn bert(text: &str, start: usize, end: usize, out: &mut Vec<(u32, u32)>) {
    let Some(text) = text.get(..end) else { return };
    let mut at = start;
    while at < end {
        at = next_word(text, at, out);
    }
}

/// Appends the word at `from`, if there is one, and the punctuation behind it. Returns where to go on.
#[inline]
pub(crate) fn next_word(text: &str, from: usize, out: &mut Vec<(u32, u32)>) -> usize {
    let kinds = &*KINDS;
    let mut at = from;
    loop {
        // Most of a text is passed over a byte at a time.
        let rest = text.as_bytes().get(at..).unwrap_or_default();
        at += rest.iter().position(|&byte| !kinds.is_plain(byte)).unwrap_or(rest.len());
        let next = kinds.at(text, at);
        if let Some((kind, after)) = next
            && kind & (SPACE | PUNCTUATED) == 0
        {
            at = after;
            continue;
        }
        if from < at {
            out.put((from as u32, at as u32));
        }
        let Some((kind, after)) = next else { return text.len() };
        if kind & SPACE == 0 {
            out.put((at as u32, after as u32));
        }
        return after;
    }
}

/// Appends pieces of `length` characters.
pub(super) fn fixed(text: &str, start: usize, end: usize, length: usize, out: &mut Vec<(u32, u32)>) {
    let Some(piece) = text.get(start..end) else { return };
    let mut from = start;
    for (count, (at, _)) in piece.char_indices().enumerate().skip(1) {
        if count % length == 0 {
            out.put((from as u32, (start + at) as u32));
            from = start + at;
        }
    }
    if from < end {
        out.put((from as u32, end as u32));
    }
}
