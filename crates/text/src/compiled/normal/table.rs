//! A table of what becomes of each character, filled when it is needed.

use std::sync::OnceLock;

use tokenbed_memory::{Gather, Text, filled};

/// What becomes of a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It stays as it is.
    Keep,
    /// It becomes another text.
    Become,
    /// It is removed, and its neighbours become neighbours of each other.
    Vanish,
    /// It is a mark of this class (from 1), and stays if it does not have to be ordered.
    Mark(u8),
    /// That depends on its neighbours.
    Depends,
}

/// The rules that a table is filled by.
pub(super) trait Rules {
    /// What becomes of a character that stands alone. For [`Fate::Become`], `text` gets what it becomes.
    fn fate(&self, c: char, text: &mut String) -> Fate;
}

/// Number of code points in a block, and of blocks in a plane of Unicode.
const BLOCK: usize = 256;
const BLOCKS: usize = 256;
const PLANES: usize = 17;

/// The blocks of a plane, each made when it is needed.
type Plane = Vec<OnceLock<Box<Block>>>;

/// The table.
pub(super) struct Table<R> {
    rules: R,
    ascii: Block,
    planes: [OnceLock<Plane>; PLANES],
    /// Whether each of the bytes from the space to the tilde stays as it is.
    keeps_visible: bool,
}

/// The characters of a block.
#[derive(Default)]
struct Block {
    /// For each character, its kind in the lowest byte (the class of a mark in the next one), and above it the length
    /// and the start of what it becomes.
    entries: Vec<u32>,
    text: String,
}

const KEEP: u32 = 0;
const BECOME: u32 = 1;
const VANISH: u32 = 2;
const MARK: u32 = 3;
const DEPENDS: u32 = 4;

impl Block {
    fn new<R: Rules>(rules: &R, number: usize) -> Self {
        let mut block = Self { entries: filled(KEEP, BLOCK), text: String::new() };
        let mut made = String::new();
        for (entry, code) in block.entries.iter_mut().zip(number * BLOCK..) {
            let Some(c) = char::from_u32(code as u32) else { continue };
            made.clear();
            *entry = match rules.fate(c, &mut made) {
                Fate::Keep => KEEP,
                Fate::Become if made.len() > usize::from(u8::MAX) => DEPENDS,
                Fate::Become => {
                    let start = block.text.len() as u32;
                    block.text.put_str(&made);
                    BECOME | (made.len() as u32) << 8 | start << 16
                }
                Fate::Vanish => VANISH,
                Fate::Mark(class) => MARK | u32::from(class) << 8,
                Fate::Depends => DEPENDS,
            };
        }
        block
    }

    #[inline]
    fn get(&self, code: u32) -> (Fate, &str) {
        let entry = self.entries.get(code as usize % BLOCK).copied().unwrap_or(DEPENDS);
        match entry & 0xff {
            KEEP => (Fate::Keep, ""),
            BECOME => {
                let (start, length) = ((entry >> 16) as usize, (entry >> 8 & 0xff) as usize);
                (Fate::Become, self.text.get(start..start + length).unwrap_or_default())
            }
            VANISH => (Fate::Vanish, ""),
            MARK => (Fate::Mark((entry >> 8) as u8), ""),
            _ => (Fate::Depends, ""),
        }
    }
}

impl<R: Rules> Table<R> {
    pub(super) fn new(rules: R) -> Self {
        let ascii = Block::new(&rules, 0);
        let keeps_visible = (0x20..0x7f).all(|code| ascii.get(code).0 == Fate::Keep);
        Self { rules, ascii, planes: [const { OnceLock::new() }; PLANES], keeps_visible }
    }

    pub(super) fn rules(&self) -> &R {
        &self.rules
    }

    /// What becomes of a character.
    #[inline]
    pub(super) fn get(&self, code: u32) -> (Fate, &str) {
        if (code as usize) < BLOCK {
            return self.ascii.get(code);
        }
        let number = code as usize / BLOCK;
        let plane = self.planes.get(number / BLOCKS);
        let plane = plane.map(|plane| plane.get_or_init(|| (0..BLOCKS).map(|_| OnceLock::new()).into_list()));
        match plane.and_then(|plane| plane.get(number % BLOCKS)) {
            Some(block) => block.get_or_init(|| Box::new(Block::new(&self.rules, number))).get(code),
            None => (Fate::Depends, ""),
        }
    }

    /// Whether a character that begins with this byte is of one byte and stays as it is.
    #[inline]
    fn keeps(&self, byte: u8) -> bool {
        byte < 0x80 && self.ascii.entries.get(usize::from(byte)) == Some(&KEEP)
    }

    /// The place of the first character from `at` on that does not stay as it is, or that is not of one byte.
    #[inline]
    pub(super) fn skip(&self, text: &[u8], mut at: usize) -> usize {
        if self.keeps_visible {
            while let Some(chunk) = text.get(at..).and_then(|rest| rest.first_chunk::<16>()) {
                if !chunk.iter().fold(true, |all, &byte| all & (0x20..0x7f).contains(&byte)) {
                    break;
                }
                at += 16;
            }
        }
        while let Some(&byte) = text.get(at)
            && self.keeps(byte)
        {
            at += 1;
        }
        at
    }
}

/// The character at `at` of a text as a number, and the place after it.
#[inline]
pub(super) fn char_at(text: &[u8], at: usize) -> (u32, usize) {
    let byte = |more: usize| u32::from(text.get(at + more).copied().unwrap_or(0));
    let tail = |more: usize| byte(more) & 0x3f;
    match byte(0) {
        first @ 0..0x80 => (first, at + 1),
        first @ 0x80..0xe0 => ((first & 0x1f) << 6 | tail(1), at + 2),
        first @ 0xe0..0xf0 => ((first & 0xf) << 12 | tail(1) << 6 | tail(2), at + 3),
        first => ((first & 7) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3), at + 4),
    }
}
