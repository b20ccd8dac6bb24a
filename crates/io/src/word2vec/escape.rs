//! White space in words, which ends a word in these formats, is written as `\x20`, which any program can read.
//!
//! Only ASCII white space is escaped, and a backslash that would be read as the beginning of an escape. So other
//! words stay as they are, and every word survives a round trip.

use std::borrow::Cow;
use tokenbed_memory::{List, Text};

/// Whether a byte ends a word for some reader.
pub(super) fn divides(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

/// The escapes, with the bytes that they stand for.
const ESCAPES: [(&str, u8); 7] = [
    ("\\x09", b'\t'),
    ("\\x0a", b'\n'),
    ("\\x0b", 0x0b),
    ("\\x0c", 0x0c),
    ("\\x0d", b'\r'),
    ("\\x20", b' '),
    ("\\x5c", b'\\'),
];

/// The escape at the beginning of these bytes, if any.
fn escape_at(bytes: &[u8]) -> Option<(&'static str, u8)> {
    ESCAPES.into_iter().find(|(escape, _)| bytes.starts_with(escape.as_bytes()))
}

/// The word with its white space escaped.
pub(super) fn escaped(word: &str) -> Cow<'_, str> {
    let bytes = word.as_bytes();
    let must_be = |at: usize| match bytes[at] {
        b'\\' => escape_at(&bytes[at..]).is_some(),
        byte => divides(byte),
    };
    let Some(first) = (0..bytes.len()).find(|&at| must_be(at)) else { return word.into() };
    let mut text = String::new();
    text.put_str(&word[..first]);
    // All escaped characters are one byte long.
    for (at, char) in word[first..].char_indices() {
        let at = first + at;
        match ESCAPES.into_iter().find(|&(_, byte)| bytes[at] == byte && must_be(at)) {
            Some((escape, _)) => text.put_str(escape),
            None => text.put_char(char),
        }
    }
    text.into()
}

/// The word from which [`escaped`] made these bytes.
pub(super) fn unescaped(bytes: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'\\', bytes) else { return bytes.into() };
    let mut word = Vec::new();
    word.put_slice(&bytes[..first]);
    let mut rest = &bytes[first..];
    while let Some((&byte, after)) = rest.split_first() {
        match escape_at(rest) {
            Some((escape, byte)) => {
                word.put(byte);
                rest = &rest[escape.len()..];
            }
            None => {
                word.put(byte);
                rest = after;
            }
        }
    }
    word.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokenbed_testkit::property;

    #[test]
    fn white_space_and_lookalikes_are_escaped() {
        for (word, written) in [
            ("whale", "whale"),
            ("New York", "New\\x20York"),
            ("\n", "\\x0a"),
            ("\t\r\u{b}\u{c} ", "\\x09\\x0d\\x0b\\x0c\\x20"),
            ("\\", "\\"),
            ("\\n", "\\n"),
            ("\\\\", "\\\\"),
            ("\\x41", "\\x41"),
            ("\\x0A", "\\x0A"),
            ("\\x0a", "\\x5cx0a"),
            ("\\x5cx0a", "\\x5cx5cx0a"),
            ("\\\\x20", "\\\\x5cx20"),
            ("\\x2 ", "\\x2\\x20"),
            ("鯨\u{a0}\u{3000} ", "鯨\u{a0}\u{3000}\\x20"),
            ("", ""),
        ] {
            assert_eq!(escaped(word), written, "{word:?}");
            assert_eq!(unescaped(written.as_bytes()), word.as_bytes(), "{word:?}");
        }
    }

    proptest! {
        #![proptest_config(property::cases(2000))]

        #[test]
        fn every_word_survives_a_round_trip(word in "[\\\\x0259abcdé \t\n\r\u{b}\u{c}]{0,12}|.{0,9}") {
            let written = escaped(&word);
            prop_assert!(!written.bytes().any(divides));
            prop_assert_eq!(unescaped(written.as_bytes()), word.as_bytes());
        }
    }
}
