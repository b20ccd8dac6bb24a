//! What the pre-tokenizers need to know of every character.

use std::sync::LazyLock;

use regex_syntax::hir::{Class, HirKind};
use tokenbed_memory::{List, filled, with_room};

use super::punctuation::PUNCTUATION;

/// The kinds of a character: a sum of the bits below.
pub(crate) type Kind = u16;

/// `\p{L}`
pub(crate) const LETTER: Kind = 1;
/// `\p{M}`
pub(crate) const MARK: Kind = 1 << 1;
/// `\p{N}`
pub(crate) const NUMBER: Kind = 1 << 2;
/// `[\p{P}\p{S}]`
pub(crate) const SYMBOL: Kind = 1 << 3;
/// `\s`
pub(crate) const SPACE: Kind = 1 << 4;
/// `[\r\n]`
pub(crate) const NEWLINE: Kind = 1 << 5;
/// `\w` of the regex crate
pub(crate) const WORD: Kind = 1 << 6;
/// What `BertPreTokenizer` and `Punctuation` take as punctuation.
pub(crate) const PUNCTUATED: Kind = 1 << 7;
/// The Chinese and Japanese characters that DeepSeek's pattern isolates.
pub(crate) const HAN: Kind = 1 << 8;

const CLASSES: [(Kind, &str); 8] = [
    (LETTER, r"\p{L}"),
    (MARK, r"\p{M}"),
    (NUMBER, r"\p{N}"),
    (SYMBOL, r"[\p{P}\p{S}]"),
    (SPACE, r"\s"),
    (NEWLINE, r"[\r\n]"),
    (WORD, r"\w"),
    (HAN, r"[\x{4e00}-\x{9fa5}\x{3040}-\x{309f}\x{30a0}-\x{30ff}]"),
];

/// Number of code points in a block of the table.
const BLOCK: usize = 128;
const CODE_POINTS: usize = 0x11_0000;

/// The table, computed when a file needs it.
pub(crate) static KINDS: LazyLock<Kinds> = LazyLock::new(Kinds::new);

/// A table in two steps: the code point's block, then the place in the block. Equal blocks in a row are stored once.
pub(crate) struct Kinds {
    ascii: [Kind; 128],
    /// Bytes that are ASCII characters and neither white space nor punctuation.
    plain: [bool; 256],
    index: Vec<u16>,
    kinds: Vec<Kind>,
}

impl Kinds {
    fn new() -> Self {
        let mut flat = filled(0, CODE_POINTS);
        let mut add = |kind: Kind, first: u32, last: u32| {
            flat[first as usize..=last as usize].iter_mut().for_each(|kinds| *kinds |= kind);
        };
        for (kind, class) in CLASSES {
            let parsed = regex_syntax::parse(class).map(regex_syntax::hir::Hir::into_kind);
            if let Ok(HirKind::Class(Class::Unicode(class))) = parsed {
                class.ranges().iter().for_each(|range| add(kind, range.start() as u32, range.end() as u32));
            }
        }
        PUNCTUATION.iter().for_each(|&(first, last)| add(PUNCTUATED, first, last));
        let mut index: Vec<u16> = with_room(CODE_POINTS / BLOCK);
        let mut kinds: Vec<Kind> = Vec::new();
        let mut uniform: Vec<(Kind, u16)> = Vec::new();
        for block in flat.chunks_exact(BLOCK) {
            let is_uniform = block.iter().all(|&kind| kind == block[0]);
            let known = uniform.iter().find(|(kind, _)| is_uniform && *kind == block[0]).map(|&(_, place)| place);
            index.put(known.unwrap_or_else(|| {
                let place = (kinds.len() / BLOCK) as u16;
                kinds.put_slice(block);
                if is_uniform {
                    uniform.put((block[0], place));
                }
                place
            }));
        }
        let mut ascii = [0; 128];
        ascii.copy_from_slice(&flat[..128]);
        let mut plain = [false; 256];
        plain.iter_mut().zip(ascii).for_each(|(plain, kind)| *plain = kind & (SPACE | PUNCTUATED) == 0);
        Self { ascii, plain, index, kinds }
    }

    /// Whether a byte is an ASCII character, and neither white space nor punctuation.
    #[inline]
    pub(crate) fn is_plain(&self, byte: u8) -> bool {
        self.plain[usize::from(byte)]
    }

    /// The kinds of a character.
    #[inline]
    pub(crate) fn of(&self, c: char) -> Kind {
        match self.ascii.get(c as usize) {
            Some(&kind) => kind,
            None => self.beyond_ascii(c as usize),
        }
    }

    fn beyond_ascii(&self, code: usize) -> Kind {
        let block = self.index.get(code / BLOCK).copied().unwrap_or(0);
        self.kinds.get(usize::from(block) * BLOCK + code % BLOCK).copied().unwrap_or(0)
    }

    /// The kinds of the character at `text[at]`, and the place of the next one; `None` at the end.
    #[inline]
    pub(crate) fn at(&self, text: &str, at: usize) -> Option<(Kind, usize)> {
        let first = *text.as_bytes().get(at)?;
        if let Some(&kind) = self.ascii.get(usize::from(first)) {
            return Some((kind, at + 1));
        }
        let c = text.get(at..)?.chars().next()?;
        Some((self.beyond_ascii(c as usize), at + c.len_utf8()))
    }

    /// End of the run of characters of one of these kinds that continues at `at`.
    #[inline]
    pub(crate) fn end_of_run(&self, text: &str, mut at: usize, kinds: Kind) -> usize {
        while let Some((kind, after)) = self.at(text, at) {
            if kind & kinds == 0 {
                break;
            }
            at = after;
        }
        at
    }

    /// End of the run of characters of none of these kinds that continues at `at`.
    #[inline]
    pub(crate) fn end_of_others(&self, text: &str, mut at: usize, kinds: Kind) -> usize {
        while let Some((kind, after)) = self.at(text, at) {
            if kind & kinds != 0 {
                break;
            }
            at = after;
        }
        at
    }
}
