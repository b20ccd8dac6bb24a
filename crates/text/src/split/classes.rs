//! The class of every character, as the patterns see it.

use super::unicode;

/// What the patterns ask about a character. Every character has one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Class {
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

/// A table in two steps: the code point's block, then the place in the block. Blocks that are the same throughout
/// (most of Unicode: CJK, unassigned) are stored once.
pub(crate) struct Classes {
    /// The class of every byte that is a character on its own.
    ascii: [Class; 128],
    /// Block number -> where its classes begin.
    index: Vec<u16>,
    classes: Vec<Class>,
}

impl Classes {
    /// Spreads the ranges in `unicode.rs` out into a table.
    pub(crate) fn new() -> Self {
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
        let mut seen = std::collections::HashMap::new();
        for block in flat.chunks_exact(BLOCK) {
            let number = *seen.entry(block).or_insert_with(|| {
                classes.extend_from_slice(block);
                (classes.len() / BLOCK - 1) as u16
            });
            index.push(number);
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
    pub(crate) fn at(&self, text: &[u8], at: usize) -> Option<(Class, usize)> {
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
    pub(crate) fn end_of_run(&self, text: &[u8], mut at: usize, class: Class) -> usize {
        while let Some((found, after)) = self.at(text, at) {
            if found != class {
                break;
            }
            at = after;
        }
        at
    }
}
