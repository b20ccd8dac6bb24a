//! The part of an English contraction after the apostrophe.

/// Length of `[sdmt]|ll|ve|re` at the front of `rest`.
#[inline]
pub(crate) fn small(rest: &[u8]) -> Option<usize> {
    match rest {
        [b's' | b'd' | b'm' | b't', ..] => Some(1),
        [b'l', b'l', ..] | [b'v', b'e', ..] | [b'r', b'e', ..] => Some(2),
        _ => None,
    }
}

/// Length of `(?i:[sdmt]|ll|ve|re)` at the front of `rest`. Besides ASCII capitals, one more character equals one of
/// these letters: U+017F, the long s.
#[inline]
pub(crate) fn any_case(rest: &[u8]) -> Option<usize> {
    match rest {
        [b's' | b'S' | b'd' | b'D' | b'm' | b'M' | b't' | b'T', ..] => Some(1),
        [b'l' | b'L', b'l' | b'L', ..] | [b'v' | b'V' | b'r' | b'R', b'e' | b'E', ..] => Some(2),
        [0xc5, 0xbf, ..] => Some(2),
        _ => None,
    }
}
