//! Numbers as text, with the bits that Python's `numpy.float32` makes of them: the nearest float64, rounded to float32.

use std::io::{self, Write};
use std::str::from_utf8;

/// Powers of ten that are exact in float64.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// Integers up to this one are exact in float64.
const EXACT: u64 = 1 << 53;
/// So many digits always fit into 64 bits.
const MOST_DIGITS: usize = 19;

/// The number that a whole field spells.
pub(super) fn number(field: &[u8]) -> Option<f32> {
    // Rounded twice, as NumPy does: for a few texts that is not the nearest float32.
    from_utf8(field).ok().and_then(|field| field.parse::<f64>().ok()).map(|value| value as f32)
}

/// Appends the shortest text that is read as this number.
pub(super) fn write(x: f32, text: &mut Vec<u8>) -> io::Result<()> {
    write!(text, "{x}")?;
    // Of a few numbers that text is another number to those who round it to float64 first.
    if x.is_finite() && number(text) != Some(x) {
        text.clear();
        write!(text, "{}", f64::from(x))?;
    }
    Ok(())
}

/// The number that a text begins with, up to white space or the end, and its length in bytes; `None` if there is none.
#[inline]
pub(super) fn leading(bytes: &[u8]) -> Option<(f32, usize)> {
    quick(bytes).or_else(|| {
        let end = bytes.iter().position(u8::is_ascii_whitespace).unwrap_or(bytes.len());
        number(&bytes[..end]).map(|value| (value, end))
    })
}

/// Numbers of few digits and a small exponent: two exact float64 and one operation, which rounds once.
#[inline]
fn quick(bytes: &[u8]) -> Option<(f32, usize)> {
    let negative = bytes.first() == Some(&b'-');
    let mut at = usize::from(negative || bytes.first() == Some(&b'+'));
    let mut mantissa = 0;
    let first = at;
    at = digits(bytes, at, &mut mantissa);
    let (mut count, mut exponent) = (at - first, 0);
    if bytes.get(at) == Some(&b'.') {
        let first = at + 1;
        at = digits(bytes, first, &mut mantissa);
        count += at - first;
        exponent -= (at - first) as isize;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        let negative = bytes.get(at + 1) == Some(&b'-');
        let first = at + 1 + usize::from(negative || bytes.get(at + 1) == Some(&b'+'));
        let mut power = 0;
        at = digits(bytes, first, &mut power);
        if !(1..=4).contains(&(at - first)) {
            return None;
        }
        exponent += if negative { -(power as isize) } else { power as isize };
    }
    let ends = bytes.get(at).is_none_or(u8::is_ascii_whitespace);
    if !ends || !(1..=MOST_DIGITS).contains(&count) || mantissa > EXACT {
        return None;
    }
    let power = POWERS.get(exponent.unsigned_abs())?;
    let value = if exponent < 0 { mantissa as f64 / power } else { mantissa as f64 * power };
    Some((if negative { -value } else { value } as f32, at))
}

/// Appends the digits from `at` on to a number, which wraps if there are too many, and returns where they end.
#[inline]
fn digits(bytes: &[u8], mut at: usize, number: &mut u64) -> usize {
    while let Some(digit) = bytes.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|&digit| digit < 10) {
        *number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokenbed_testkit::property;

    #[test]
    fn numbers_are_rounded_as_numpy_rounds_them() {
        // Just above the middle of 1 and its successor: float64 rounds it to the middle, and float32 that to even.
        assert_eq!(number(b"1.00000005960464477540"), Some(1.0));
        assert_eq!("1.00000005960464477540".parse::<f32>(), Ok(1.000_000_1));
        for (text, value) in [
            ("0", 0.0),
            ("-0", -0.0),
            ("+4", 4.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("3e-1", 0.3),
            ("1E+3", 1e3),
            ("1e39", f32::INFINITY),
            ("-1e-50", -0.0),
            ("-inf", f32::NEG_INFINITY),
            ("0.00000000000000000000000012", 1.2e-25),
            ("9007199254740993", 9_007_199_254_740_992.0),
        ] {
            let found = leading(text.as_bytes()).map(|(value, len)| (value.to_bits(), len));
            assert_eq!(found, Some((value.to_bits(), text.len())), "{text}");
            assert_eq!(leading(format!("{text} 7").as_bytes()).map(|(_, len)| len), Some(text.len()), "{text}");
        }
        for text in ["", ".", "-", "e5", "1e", "1e+", "1,5", "0x10", "1_000", "--1", "1.5.2", " 1"] {
            assert_eq!(leading(text.as_bytes()), None, "{text:?}");
        }
    }

    proptest! {
        #![proptest_config(property::cases(3000))]

        #[test]
        fn the_quick_way_gives_the_bits_of_the_other(text in "[+-]?[0-9]{0,22}(\\.[0-9]{0,22})?([eE][+-]?[0-9]{0,5})?( .*)?") {
            let field = text.split(' ').next().unwrap_or_default();
            let wanted = number(field.as_bytes()).map(|value| (value.to_bits(), field.len()));
            prop_assert_eq!(leading(text.as_bytes()).map(|(value, len)| (value.to_bits(), len)), wanted);
        }
    }
}
