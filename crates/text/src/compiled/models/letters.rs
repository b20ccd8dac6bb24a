//! GPT-2's letters for bytes, in which the tokens of byte level models are spelled.

use tokenbed_memory::{List, Text};

/// The letter of each byte: printable bytes stand for themselves, the others are the characters from U+0100 on.
const LETTERS: [char; 256] = {
    let mut letters = ['\0'; 256];
    let (mut byte, mut next) = (0u32, 0x100u32);
    while byte < 256 {
        let code = if matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff) {
            byte
        } else {
            next += 1;
            next - 1
        };
        letters[byte as usize] = match char::from_u32(code) {
            Some(letter) => letter,
            None => '\0',
        };
        byte += 1;
    }
    letters
};

/// Number of characters of which some are letters: U+0000 to U+0143.
const END: usize = 0x144;

/// The byte of each letter; 256 for other characters.
const BYTES: [u16; END] = {
    let mut bytes = [256; END];
    let mut byte = 0;
    while byte < 256 {
        bytes[LETTERS[byte] as usize] = byte as u16;
        byte += 1;
    }
    bytes
};

/// Appends the bytes that the letters of `token` stand for. Returns false, and appends nothing, if another character
/// is among them.
pub(crate) fn to_bytes(token: &str, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    for letter in token.chars() {
        match BYTES.get(letter as usize).and_then(|&byte| u8::try_from(byte).ok()) {
            Some(byte) => out.put(byte),
            None => {
                out.truncate(start);
                return false;
            }
        }
    }
    true
}

/// The letter of a byte.
#[inline]
pub(crate) fn of(byte: u8) -> char {
    LETTERS[usize::from(byte)]
}

/// Spells bytes with letters.
pub(crate) fn of_bytes(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        text.put_char(LETTERS[usize::from(byte)]);
    }
    text
}
