//! Base 64, in which files write the tables of SentencePiece.

use tokenbed_memory::{List, with_room};

/// Decodes base 64 as strictly as the library's reader does. `None` if it is damaged.
pub(crate) fn decoded(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_suffix("==").or_else(|| text.strip_suffix('=')).unwrap_or(text);
    let mut bytes = with_room(text.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0);
    for byte in digits.bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.put((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    (text.len().is_multiple_of(4) && bits == 0).then_some(bytes)
}
