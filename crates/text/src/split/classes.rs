//! The class of every character, as the patterns see it.

use std::sync::LazyLock;

use super::unicode;

/// What the patterns ask about a character. Every character has one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// None of the others: punctuation, symbols, marks, unassigned.
    Other,
    /// `\p{L}`
    Letter,
    /// `\p{N}`
    Number,
    /// `\s`
    Space,
}

/// Code points in a block of the table. Smaller blocks share more, larger ones need a shorter index.
const BLOCK: usize = 128;
const CODE_POINTS: usize = 0x11_0000;

/// The table, made when the first text is cut.
pub(super) static CLASSES: LazyLock<Classes> = LazyLock::new(Classes::new);

/// A table in two steps: the code point's block, then the place in the block. Blocks that are the same throughout
/// (most of Unicode: CJK, unassigned) are stored once for each class.
pub(super) struct Classes {
    /// The class of every byte that is a character on its own.
    ascii: [Class; 128],
    /// Which block of `classes` a block of code points is.
    index: Vec<u16>,
    classes: Vec<Class>,
}

impl Classes {
    /// Spreads the ranges in `unicode.rs` out into a table.
    fn new() -> Self {
        let mut flat = vec![Class::Other; CODE_POINTS];
        for (ranges, class) in
            [(unicode::LETTER, Class::Letter), (unicode::NUMBER, Class::Number), (unicode::SPACE, Class::Space)]
        {
            for &(first, last) in ranges {
                flat[first as usize..=last as usize].fill(class);
            }
        }
        let mut index = Vec::with_capacity(CODE_POINTS / BLOCK);
        let mut classes: Vec<Class> = Vec::new();
        // The first blocks are those of a single class, in the order in which `Class` numbers them.
        for class in [Class::Other, Class::Letter, Class::Number, Class::Space] {
            classes.extend([class; BLOCK]);
        }
        for block in flat.chunks_exact(BLOCK) {
            if block.iter().all(|&class| class == block[0]) {
                index.push(block[0] as u16);
            } else {
                index.push((classes.len() / BLOCK) as u16);
                classes.extend_from_slice(block);
            }
        }
        let mut ascii = [Class::Other; 128];
        ascii.copy_from_slice(&flat[..128]);
        Self { ascii, index, classes }
    }

    /// The class of the character that begins at `text[at]`, and where the next one begins; none at the end.
    ///
    /// `text` is the bytes of a `str` and `at` a character boundary. If they were not, the answer would be of no use,
    /// but nothing would break.
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

    /// Where the run of characters of one class ends that goes on at `at`.
    #[inline]
    pub(super) fn end_of_run(&self, text: &[u8], mut at: usize, class: Class) -> usize {
        while let Some((found, after)) = self.at(text, at) {
            if found != class {
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

    /// If this fails after an update of regex-syntax: see examples/unicode_tables.rs, and compare with tiktoken.
    #[test]
    fn every_character_has_the_class_that_regex_syntax_gives_it() {
        let classes = &*CLASSES;
        let (letter, number, space) = (members(r"\p{L}"), members(r"\p{N}"), members(r"\s"));
        for char in (0..CODE_POINTS as u32).filter_map(char::from_u32) {
            let i = char as usize;
            let expected = match (letter[i], number[i], space[i]) {
                (true, false, false) => Class::Letter,
                (false, true, false) => Class::Number,
                (false, false, true) => Class::Space,
                (false, false, false) => Class::Other,
                other => panic!("{other:?}: the classes overlap at {i:#x}"),
            };
            let text = format!("{char}.");
            assert_eq!(classes.at(text.as_bytes(), 0), Some((expected, char.len_utf8())), "{i:#x}");
        }
        assert_eq!(classes.at(b"", 0), None);
    }

    #[test]
    fn bytes_that_are_no_text_break_nothing() {
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
