//! The patterns of files in use, each as a scanner. The patterns of tiktoken's encodings have theirs in `split`.

use tokenbed_memory::List;

use super::kinds::{HAN, KINDS, Kinds, LETTER, MARK, NEWLINE, NUMBER, SPACE, SYMBOL, WORD};
use crate::split::scanners::{CLASSES, Numbers, gpt2, lines, o200k};

/// A pattern that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scanner {
    /// GPT-2's, which is also that of `ByteLevel`.
    Gpt2,
    /// Llama 3's, with groups of three numbers, and Qwen 2's, with single ones.
    Lines(Numbers),
    /// That of `o200k_base`, and Mistral's, which has no contractions.
    O200k { numbers: Numbers, contractions: bool },
    /// All three patterns of DeepSeek V3.
    DeepSeek,
    /// CLIP's, whose pieces are its matches.
    Clip,
    /// `\w+|[^\w\s]+`, whose pieces are its matches.
    Words,
}

/// Apostrophes with the endings of English contractions.
const ENDINGS: &str = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";

impl Scanner {
    /// The scanner for a pattern whose matches cover every text.
    pub(super) fn covering(pattern: &str) -> Option<Self> {
        let common = |numbers: &str, breaks: &str| {
            [r"|", numbers, r"| ?[^\s\p{L}\p{N}]+", breaks, r"|\s*[\r\n]+|\s+(?!\S)|\s+"].concat()
        };
        if pattern == Self::BYTE_LEVEL {
            return Some(Self::Gpt2);
        }
        for (numbers, written) in [(Numbers::One, r"\p{N}"), (Numbers::Three, r"\p{N}{1,3}"), (Numbers::All, r"\p{N}+")]
        {
            let words = [ENDINGS, r"|[^\r\n\p{L}\p{N}]?\p{L}+", &common(written, r"[\r\n]*")].concat();
            if pattern == words {
                return Some(Self::Lines(numbers));
            }
            for contractions in [true, false] {
                let ending = if contractions { [ENDINGS, "?"].concat() } else { String::new() };
                let words = [
                    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
                    &ending,
                    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*",
                    &ending,
                    &common(written, r"[\r\n/]*"),
                ];
                if pattern == words.concat() {
                    return Some(Self::O200k { numbers, contractions });
                }
            }
        }
        None
    }

    /// The scanner for a pattern whose pieces are its matches, and the text between them is dropped.
    pub(super) fn matching(pattern: &str) -> Option<Self> {
        match pattern {
            r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+" => Some(Self::Clip),
            _ => Self::covering(pattern),
        }
    }

    /// The pattern of the library's `ByteLevel`.
    pub(super) const BYTE_LEVEL: &'static str =
        r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    /// The patterns of DeepSeek V3, one after the other.
    pub(super) const DEEPSEEK: [&'static str; 3] = [
        r"\p{N}{1,3}",
        "[\u{4e00}-\u{9fa5}\u{3040}-\u{309f}\u{30a0}-\u{30ff}]+",
        concat!(
            r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^"##,
            "\r\n",
            r"\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[",
            "\r\n",
            r"]*|\s*[",
            "\r\n",
            r"]+|\s+(?!\S)|\s+"
        ),
    ];

    /// Appends the pieces of `text[from..to]`, which is a text of its own.
    pub(super) fn cut(self, text: &str, from: usize, to: usize, out: &mut Vec<(u32, u32)>) {
        let Some(section) = text.get(from..to) else { return };
        let bytes = section.as_bytes();
        match self {
            Self::Gpt2 => cover(from, to, out, |at| gpt2::end_of_piece(&CLASSES, bytes, at)),
            Self::Lines(Numbers::One) => {
                cover(from, to, out, |at| lines::end_of_piece(&CLASSES, bytes, at, Numbers::One))
            }
            Self::Lines(numbers) => cover(from, to, out, |at| lines::end_of_piece(&CLASSES, bytes, at, numbers)),
            Self::O200k { numbers, contractions } => {
                cover(from, to, out, |at| o200k::end_of(&CLASSES, bytes, at, numbers, contractions));
            }
            Self::DeepSeek => deep_seek(section, from, out),
            Self::Clip => matches(from, to, out, |at| clip(&KINDS, section, at)),
            Self::Words => matches(from, to, out, |at| words(&KINDS, section, at)),
        }
    }
}

/// Pieces that cover all of a section: `end` finds the end of the piece that begins at a place.
#[inline(always)]
fn cover(from: usize, to: usize, out: &mut Vec<(u32, u32)>, end: impl Fn(usize) -> usize) {
    let mut at = 0;
    while from + at < to {
        let after = end(at);
        out.put(((from + at) as u32, (from + after) as u32));
        at = after;
    }
}

/// Pieces with gaps: `next` finds the end of the piece or gap that begins at a place, and whether it is a piece.
#[inline(always)]
fn matches(from: usize, to: usize, out: &mut Vec<(u32, u32)>, next: impl Fn(usize) -> (usize, bool)) {
    let mut at = 0;
    while from + at < to {
        let (after, is_piece) = next(at);
        if is_piece {
            out.put(((from + at) as u32, (from + after) as u32));
        }
        at = after;
    }
}

fn words(kinds: &Kinds, text: &str, at: usize) -> (usize, bool) {
    match kinds.at(text, at) {
        Some((kind, after)) if kind & WORD != 0 => (kinds.end_of_run(text, after, WORD), true),
        Some((kind, after)) if kind & SPACE != 0 => (kinds.end_of_run(text, after, SPACE), false),
        Some((_, after)) => (kinds.end_of_others(text, after, WORD | SPACE), true),
        None => (text.len(), false),
    }
}

fn clip(kinds: &Kinds, text: &str, at: usize) -> (usize, bool) {
    if let Some((b'\'', rest)) = text.as_bytes()[at..].split_first()
        && let Some(length) = crate::split::scanners::contraction::small(rest)
    {
        return (at + 1 + length, true);
    }
    match kinds.at(text, at) {
        Some((kind, after)) if kind & LETTER != 0 => (kinds.end_of_run(text, after, LETTER), true),
        Some((kind, after)) if kind & NUMBER != 0 => (after, true),
        Some((kind, after)) if kind & SPACE != 0 => (kinds.end_of_run(text, after, SPACE), false),
        Some((_, after)) => (kinds.end_of_others(text, after, LETTER | NUMBER | SPACE), true),
        None => (text.len(), false),
    }
}

/// Cuts a text into groups of up to three numbers, runs of Chinese and Japanese characters, and the rest; then the
/// third pattern cuts each of the latter two as a text of its own, and what it does not match is a piece, too.
fn deep_seek(text: &str, from: usize, out: &mut Vec<(u32, u32)>) {
    let kinds = &*KINDS;
    let mut at = 0;
    while let Some((kind, after)) = kinds.at(text, at) {
        let end = if kind & NUMBER != 0 {
            let mut end = after;
            for _ in 0..2 {
                end = kinds.at(text, end).filter(|(kind, _)| kind & NUMBER != 0).map_or(end, |(_, after)| after);
            }
            out.put(((from + at) as u32, (from + end) as u32));
            end
        } else {
            let end = if kind & HAN != 0 {
                kinds.end_of_run(text, after, HAN)
            } else {
                kinds.end_of_others(text, after, HAN | NUMBER)
            };
            deep_seek_words(kinds, &text[..end], at, from, out);
            end
        };
        at = end;
    }
}

fn deep_seek_words(kinds: &Kinds, text: &str, start: usize, from: usize, out: &mut Vec<(u32, u32)>) {
    let mut put = |start: usize, end: usize| {
        if start < end {
            out.put(((from + start) as u32, (from + end) as u32));
        }
    };
    let (mut at, mut gap) = (start, start);
    while let Some((kind, after)) = kinds.at(text, at) {
        match deep_seek_match(kinds, text, at, kind, after) {
            Some(end) => {
                put(gap, at);
                put(at, end);
                (at, gap) = (end, end);
            }
            None => at = after,
        }
    }
    put(gap, at);
}

/// End of the match of DeepSeek's third pattern that begins at `at`.
#[inline]
fn deep_seek_match(kinds: &Kinds, text: &str, at: usize, kind: u16, after: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    if bytes[at].is_ascii_punctuation() && bytes.get(after).is_some_and(u8::is_ascii_alphabetic) {
        let letters = bytes[after..].iter().take_while(|byte| byte.is_ascii_alphabetic());
        return Some(after + letters.count());
    }
    if kind & (LETTER | MARK) != 0 {
        return Some(kinds.end_of_run(text, after, LETTER | MARK));
    }
    let next = kinds.at(text, after);
    if kind & (NEWLINE | SYMBOL) == 0
        && let Some((_, end)) = next.filter(|(kind, _)| kind & (LETTER | MARK) != 0)
    {
        return Some(kinds.end_of_run(text, end, LETTER | MARK));
    }
    let symbols = match next {
        _ if kind & SYMBOL != 0 => Some(after),
        Some((kind, end)) if bytes[at] == b' ' && kind & SYMBOL != 0 => Some(end),
        _ => None,
    };
    if let Some(symbols) = symbols {
        let end = kinds.end_of_run(text, symbols, SYMBOL);
        return Some(kinds.end_of_run(text, end, NEWLINE));
    }
    if kind & SPACE == 0 {
        return None;
    }
    let (mut last, mut line_end, mut end) = (at, None, at);
    while let Some((kind, after)) = kinds.at(text, end) {
        if kind & SPACE == 0 {
            break;
        }
        if kind & NEWLINE != 0 {
            line_end = Some(after);
        }
        (last, end) = (end, after);
    }
    Some(match line_end {
        Some(end) => end,
        None if end < text.len() && last > at => last,
        None => end,
    })
}
