//! The class of every character for the patterns.

use std::sync::LazyLock;

use super::unicode;
use tokenbed_memory::{List, filled, with_room};

/// What the patterns need to know of a character. Every character has one class, which is a bit, so that a [`Set`] of
/// classes is one test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// All other characters: punctuation, symbols, control characters, unassigned.
    Other = 1,
    /// `[\p{Lu}\p{Lt}]`
    Upper = 1 << 1,
    /// `\p{Ll}`
    Lower = 1 << 2,
    /// `[\p{Lm}\p{Lo}]`: a letter without case.
    Letter = 1 << 3,
    /// `\p{M}`
    Mark = 1 << 4,
    /// `\p{N}`
    Number = 1 << 5,
    /// `\s` without the two that follow.
    Space = 1 << 6,
    /// `[\r\n]`
    Newline = 1 << 7,
}

/// The classes in the order of their bits, with their ranges. `Other` is everything outside of them.
const ALL: [(Class, &[(u32, u32)]); 8] = [
    (Class::Other, &[]),
    (Class::Upper, unicode::UPPER),
    (Class::Lower, unicode::LOWER),
    (Class::Letter, unicode::LETTER),
    (Class::Mark, unicode::MARK),
    (Class::Number, unicode::NUMBER),
    (Class::Space, unicode::SPACE),
    (Class::Newline, unicode::NEWLINE),
];

/// Several classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Set(u8);

impl Set {
    pub(super) const NUMBER: Self = Self::of(&[Class::Number]);
    pub(super) const NEWLINE: Self = Self::of(&[Class::Newline]);
    /// `\p{L}`
    pub(super) const LETTERS: Self = Self::of(&[Class::Upper, Class::Lower, Class::Letter]);
    /// `\s`
    pub(super) const SPACES: Self = Self::of(&[Class::Space, Class::Newline]);
    /// `[^\s\p{L}\p{N}]`
    pub(super) const SYMBOLS: Self = Self::of(&[Class::Other, Class::Mark]);

    pub(super) const fn of(classes: &[Class]) -> Self {
        let mut bits = 0;
        let mut i = 0;
        while i < classes.len() {
            bits |= classes[i] as u8;
            i += 1;
        }
        Self(bits)
    }

    /// The set of classes that forms one run with this class.
    #[inline]
    pub(super) fn of_run(class: Class) -> Self {
        match class {
            Class::Upper | Class::Lower | Class::Letter => Self::LETTERS,
            Class::Number => Self::NUMBER,
            Class::Other | Class::Mark => Self::SYMBOLS,
            Class::Space | Class::Newline => Self::SPACES,
        }
    }

    #[inline]
    pub(super) fn has(self, class: Class) -> bool {
        self.0 & class as u8 != 0
    }
}

/// Number of code points in a block of the table. Smaller blocks share more, larger ones need a shorter index.
const BLOCK: usize = 128;
const CODE_POINTS: usize = 0x11_0000;

/// The table, computed when the first text is cut.
pub(crate) static CLASSES: LazyLock<Classes> = LazyLock::new(Classes::new);

/// A table in two steps: the code point's block, then the place in the block. Uniform blocks (most of Unicode: CJK,
/// unassigned) are stored once for each class.
pub(crate) struct Classes {
    /// The class of every byte that is a character of its own.
    ascii: [Class; 128],
    /// For each block of code points, its block in `classes`.
    index: Vec<u16>,
    classes: Vec<Class>,
}

impl Classes {
    /// Expands the ranges in `unicode.rs` into a table.
    fn new() -> Self {
        let mut flat = filled(Class::Other, CODE_POINTS);
        for (class, ranges) in ALL {
            for &(first, last) in ranges {
                flat[first as usize..=last as usize].fill(class);
            }
        }
        let mut index = with_room(CODE_POINTS / BLOCK);
        let mut classes: Vec<Class> = Vec::new();
        // The first blocks have a single class each, in the order of their bits.
        for (class, _) in ALL {
            classes.put_all([class; BLOCK]);
        }
        for block in flat.chunks_exact(BLOCK) {
            if block.iter().all(|&class| class == block[0]) {
                index.put((block[0] as u8).trailing_zeros() as u16);
            } else {
                index.put((classes.len() / BLOCK) as u16);
                classes.put_slice(block);
            }
        }
        let mut ascii = [Class::Other; 128];
        ascii.copy_from_slice(&flat[..128]);
        Self { ascii, index, classes }
    }

    /// The class of the character that begins at `text[at]`, and the place of the next one; `None` at the end.
    ///
    /// `text` must be the bytes of a `str` and `at` a character boundary. If they are not, the answer is meaningless,
    /// but nothing breaks.
    #[inline]
    pub(super) fn at(&self, text: &[u8], at: usize) -> Option<(Class, usize)> {
        let first = *text.get(at)?;
        if let Some(&class) = self.ascii.get(usize::from(first)) {
            return Some((class, at + 1));
        }
        Some(self.beyond_ascii(text, at, first))
    }

    fn beyond_ascii(&self, text: &[u8], at: usize, first: u8) -> (Class, usize) {
        let low = |i: usize| u32::from(text.get(at + i).copied().unwrap_or(0) & 0x3f);
        let first = u32::from(first);
        let (code, length) = match first {
            0xf0.. => ((first & 0x07) << 18 | low(1) << 12 | low(2) << 6 | low(3), 4),
            0xe0.. => ((first & 0x0f) << 12 | low(1) << 6 | low(2), 3),
            _ => ((first & 0x1f) << 6 | low(1), 2),
        };
        (self.of(code), (at + length).min(text.len()))
    }

    fn of(&self, code: u32) -> Class {
        let code = code as usize;
        let block = self.index.get(code / BLOCK).copied().unwrap_or(0);
        self.classes.get(usize::from(block) * BLOCK + code % BLOCK).copied().unwrap_or(Class::Other)
    }

    /// End of the run of characters of these classes that continues at `at`.
    #[inline]
    pub(super) fn end_of_run(&self, text: &[u8], mut at: usize, set: Set) -> usize {
        while let Some((class, after)) = self.at(text, at) {
            if !set.has(class) {
                break;
            }
            at = after;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex_syntax::hir::{Class as HirClass, HirKind};

    fn members(class: &str) -> Vec<bool> {
        let hir = regex_syntax::parse(class).unwrap();
        let HirKind::Class(HirClass::Unicode(class)) = hir.kind() else { panic!("a class of characters") };
        let mut members = vec![false; CODE_POINTS];
        class.ranges().iter().for_each(|r| members[r.start() as usize..=r.end() as usize].fill(true));
        members
    }

    /// If this fails after an update of regex-syntax, see examples/unicode_tables.rs, and compare with tiktoken.
    #[test]
    fn every_character_has_the_class_that_regex_syntax_gives_it() {
        let classes = &*CLASSES;
        let named = [
            (Class::Upper, members(r"[\p{Lu}\p{Lt}]")),
            (Class::Lower, members(r"\p{Ll}")),
            (Class::Letter, members(r"[\p{L}--\p{Lu}--\p{Lt}--\p{Ll}]")),
            (Class::Mark, members(r"\p{M}")),
            (Class::Number, members(r"\p{N}")),
            (Class::Space, members(r"[\s--[\r\n]]")),
            (Class::Newline, members(r"[\r\n]")),
        ];
        for char in (0..CODE_POINTS as u32).filter_map(char::from_u32) {
            let i = char as usize;
            let classes_of_it: Vec<_> =
                named.iter().filter(|(_, members)| members[i]).map(|&(class, _)| class).collect();
            let expected = match classes_of_it[..] {
                [] => Class::Other,
                [class] => class,
                _ => panic!("{classes_of_it:?}: the classes overlap at {i:#x}"),
            };
            let text = format!("{char}.");
            assert_eq!(classes.at(text.as_bytes(), 0), Some((expected, char.len_utf8())), "{i:#x}");
        }
        assert_eq!(classes.at(b"", 0), None);
    }

    #[test]
    fn bytes_that_are_not_text_break_nothing() {
        let classes = &*CLASSES;
        for first in 0..=255 {
            for rest in [&[][..], &[0xff], &[0xbf, 0xbf, 0xbf], b"a"] {
                let text = [&[first], rest].concat();
                let (_, after) = classes.at(&text, 0).unwrap();
                assert!((1..=text.len()).contains(&after));
            }
        }
    }
}
