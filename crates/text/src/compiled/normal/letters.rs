//! What normalizers do with single characters, and the forms of Unicode.

use unicode_categories::UnicodeCategories;
use unicode_normalization_alignments::char::{
    canonical_combining_class, decompose_canonical, decompose_compatible, is_combining_mark,
};
use unicode_normalization_alignments::{
    IsNormalized, UnicodeNormalization, is_nfc_quick, is_nfd_quick, is_nfkc_quick, is_nfkd_quick,
};

/// A change that depends on one character alone. Everything that it makes stands at the place of that character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Removes control characters, and makes a space of each white space.
    Clean,
    /// Puts spaces around Chinese characters.
    SpaceChinese,
    Lowercase,
    /// Removes combining marks, as `StripAccents` does.
    RemoveMarks,
    /// Removes nonspacing marks, as `BertNormalizer` does.
    RemoveNonspacing,
    /// The spaces and control characters of neural machine translation.
    Nmt,
    /// A letter for each byte.
    Bytes,
}

impl Change {
    fn apply(self, c: char, put: &mut dyn FnMut(char)) {
        match self {
            Self::Clean => match c {
                '\t' | '\n' | '\r' => put(' '),
                '\0' | char::REPLACEMENT_CHARACTER => {}
                c if c.is_other() => {}
                c => put(if c.is_whitespace() { ' ' } else { c }),
            },
            Self::SpaceChinese if is_chinese(c) => [' ', c, ' '].into_iter().for_each(put),
            Self::SpaceChinese => put(c),
            Self::Lowercase => c.to_lowercase().for_each(put),
            Self::RemoveMarks => {
                if !is_combining_mark(c) {
                    put(c);
                }
            }
            Self::RemoveNonspacing => {
                if !c.is_mark_nonspacing() {
                    put(c);
                }
            }
            Self::Nmt => {
                if let Some(c) = translated(c) {
                    put(c);
                }
            }
            Self::Bytes => c.encode_utf8(&mut [0; 4]).bytes().map(byte_letter).for_each(put),
        }
    }

    /// The largest factor by which a text grows, in bytes.
    pub(super) fn growth(self) -> usize {
        match self {
            Self::Clean | Self::RemoveMarks | Self::RemoveNonspacing | Self::Nmt => 1,
            Self::SpaceChinese | Self::Bytes => 2,
            Self::Lowercase => 3,
        }
    }
}

/// Calls `put` for what the changes make of a character, one after the other.
pub(super) fn changed(changes: &[Change], c: char, put: &mut dyn FnMut(char)) {
    match changes.split_first() {
        None => put(c),
        Some((first, rest)) => first.apply(c, &mut |c| changed(rest, c, put)),
    }
}

/// The blocks that BERT takes for Chinese, with the hole of its own definition.
fn is_chinese(c: char) -> bool {
    matches!(
        c,
        '\u{3400}'..='\u{4dbf}'
            | '\u{4e00}'..='\u{9fff}'
            | '\u{f900}'..='\u{faff}'
            | '\u{20000}'..='\u{2a6df}'
            | '\u{2a700}'..='\u{2b81f}'
            | '\u{2b920}'..='\u{2ceaf}'
            | '\u{2f800}'..='\u{2fa1f}'
    )
}

fn translated(c: char) -> Option<char> {
    match c {
        '\u{1}'..='\u{8}' | '\u{b}' | '\u{e}'..='\u{1f}' | '\u{7f}' | '\u{8f}' | '\u{9f}' => None,
        '\t' | '\n' | '\u{c}' | '\r' => Some(' '),
        '\u{1680}' | '\u{200b}'..='\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{2581}' => Some(' '),
        '\u{feff}' | char::REPLACEMENT_CHARACTER => Some(' '),
        c => Some(c),
    }
}

/// The letter that stands for a byte: itself if it is visible in Latin-1, else one of the letters from U+0100 on.
pub(super) fn byte_letter(byte: u8) -> char {
    let hidden = match byte {
        0..=0x20 => u32::from(byte),
        0x7f..=0xa0 => u32::from(byte) - 0x7f + 0x21,
        0xad => 0x43,
        visible => return char::from(visible),
    };
    char::from_u32(0x100 + hidden).unwrap_or_default()
}

/// A normalization form of Unicode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    C,
    D,
    Kc,
    Kd,
}

impl Form {
    pub(super) fn composes(self) -> bool {
        matches!(self, Self::C | Self::Kc)
    }

    /// The largest factor by which a text grows, in bytes.
    pub(super) fn growth(self) -> usize {
        match self {
            Self::C | Self::D => 4,
            Self::Kc | Self::Kd => 12,
        }
    }

    /// Calls `put` for the full decomposition of a character, which is not yet in order.
    pub(super) fn decompose(self, c: char, put: impl FnMut(char)) {
        match self {
            Self::C | Self::D => decompose_canonical(c, put),
            Self::Kc | Self::Kd => decompose_compatible(c, put),
        }
    }

    /// Calls `put` for each character of the form, with its change in the library's sense: 1 for one that was
    /// inserted, 0 for one in the place of another, -n for one in whose place n more were removed.
    pub(super) fn write(self, text: impl Iterator<Item = char>, mut put: impl FnMut(char, isize)) {
        match self {
            Self::C => text.nfc().for_each(|(c, change)| put(c, change)),
            Self::D => text.nfd().for_each(|(c, change)| put(c, change)),
            Self::Kc => text.nfkc().for_each(|(c, change)| put(c, change)),
            Self::Kd => text.nfkd().for_each(|(c, change)| put(c, change)),
        }
    }

    /// Whether a character stays as it is, as long as the marks after it are in order: the quick check of Unicode.
    pub(super) fn stays(self, c: char) -> bool {
        let one = std::iter::once(c);
        let answer = match self {
            Self::C => is_nfc_quick(one),
            Self::D => is_nfd_quick(one),
            Self::Kc => is_nfkc_quick(one),
            Self::Kd => is_nfkd_quick(one),
        };
        answer == IsNormalized::Yes
    }

    /// Whether nothing before a character changes because of it: it begins with one that is no mark and does not
    /// compose with what is before it.
    pub(super) fn begins(self, c: char) -> bool {
        let mut first = None;
        self.decompose(c, |part| {
            first.get_or_insert(part);
        });
        first.is_some_and(|first| order(first) == 0 && (!self.composes() || self.stays(first)))
    }
}

/// The combining class of a character, by which marks are ordered. 0 for what is no mark.
pub(super) fn order(c: char) -> u8 {
    canonical_combining_class(c)
}
