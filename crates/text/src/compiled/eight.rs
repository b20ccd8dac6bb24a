//! Eight bytes of a text at once, as a number whose lowest byte is the first.

use super::memo::head;

const ONES: u64 = u64::MAX / 255;
/// The highest bit of each byte.
const HIGH: u64 = ONES * 128;

/// How many letters and digits of ASCII eight bytes begin with.
#[inline]
pub(super) fn letters_or_digits(eight: u64) -> usize {
    let low = eight & !HIGH;
    // One bit is all that is between a capital and its small letter.
    before_others(eight, within(low | (ONES * 32), b'a', b'z') | within(low, b'0', b'9'))
}

/// How many small letters of ASCII a text begins with.
#[inline]
pub(super) fn small_letters(text: &[u8]) -> usize {
    let mut at = 0;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let eight = rest.first_chunk::<8>().map_or_else(|| head(rest), |eight| u64::from_le_bytes(*eight));
        let count = before_others(eight, within(eight & !HIGH, b'a', b'z'));
        at += count;
        if count < 8 {
            return at;
        }
    }
}

/// Sets the highest bit of each byte that is at least `first` and at most `last`. All bytes are ASCII.
#[inline]
fn within(bytes: u64, first: u8, last: u8) -> u64 {
    (bytes + ONES * u64::from(128 - first)) & !(bytes + ONES * u64::from(127 - last))
}

/// How many of eight bytes stand before the first whose bit in `these` is not set, or that is not ASCII.
#[inline]
fn before_others(eight: u64, these: u64) -> usize {
    let others = !these & HIGH | eight & HIGH;
    others.trailing_zeros() as usize / 8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counts_what_a_loop_over_bytes_counts(text in prop::collection::vec(any::<u8>(), 0..12), word in "[a-zA-Z0-9]{0,20}") {
            let bytes = [word.as_bytes(), &text].concat();
            let small = bytes.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
            prop_assert_eq!(small_letters(&bytes), small);
            if let Some(eight) = bytes.first_chunk::<8>() {
                let both = eight.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
                prop_assert_eq!(letters_or_digits(u64::from_le_bytes(*eight)), both);
            }
        }
    }

    #[test]
    fn letters_and_digits_are_known() {
        for byte in 0..=u8::MAX {
            let expected = if byte.is_ascii_alphanumeric() { 8 } else { 3 };
            assert_eq!(
                letters_or_digits(u64::from_le_bytes([b'a', b'Z', b'9', byte, b'0', b'z', b'A', b'm'])),
                expected,
                "{byte}"
            );
        }
    }
}
