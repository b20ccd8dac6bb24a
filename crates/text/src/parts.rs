//! Divides a long text into parts whose ids, end to end, are those of the text, so that several threads can encode it
//! and work on it can be stopped.
//!
//! A part ends behind an ASCII letter and before a space. No pattern of an encoding has a piece with a letter and a
//! space behind it, and where a piece begins decides about all pieces after it, whatever stands before. So such a
//! place is the end of a piece in every text, and the text before it has the same pieces without what follows: no
//! pattern looks past the end of a run of letters, except for letters of a contraction.

/// Smallest number of bytes of a part, unless it is the last.
pub(crate) const PART: usize = 128 << 10;

/// The parts of a text, each of at least `bytes` bytes but for the last. Text without such places is not divided.
pub(crate) struct Parts<'a> {
    rest: &'a str,
    bytes: usize,
}

impl<'a> Parts<'a> {
    pub(crate) fn new(text: &'a str, bytes: usize) -> Self {
        Self { rest: text, bytes }
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let bytes = self.rest.as_bytes();
        let from = self.bytes.max(1);
        let is_place = |&at: &usize| bytes[from + at - 1].is_ascii_alphabetic();
        let spaces = memchr::memchr_iter(b' ', bytes.get(from..).unwrap_or_default());
        let end = spaces.into_iter().find(is_place).map_or(bytes.len(), |at| from + at);
        let (part, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split::Pattern;
    use proptest::prelude::*;

    const PATTERNS: [Pattern; 3] = [Pattern::Gpt2, Pattern::Cl100k, Pattern::O200k];

    fn pieces(pattern: Pattern, text: &str) -> Vec<&str> {
        let mut pieces = Vec::new();
        pattern.split(text, |start, end| pieces.push(&text[start..end]));
        pieces
    }

    proptest! {
        #[test]
        fn the_pieces_of_the_parts_are_those_of_the_text(
            text in "[a-e'A-E7l-m!s-v/S\u{17f}\u{301}\u{6587} \n\u{a0}\u{1f999}]{0,60}",
            bytes in 0..9usize,
        ) {
            let parts: Vec<&str> = Parts::new(&text, bytes).collect();
            prop_assert_eq!(parts.concat(), text.clone());
            for pattern in PATTERNS {
                let divided: Vec<&str> = parts.iter().flat_map(|part| pieces(pattern, part)).collect();
                prop_assert_eq!(divided, pieces(pattern, &text), "{:?}", pattern);
            }
        }
    }

    #[test]
    fn parts_have_at_least_so_many_bytes() {
        let text = "a rose is a rose ".repeat(100);
        let parts: Vec<&str> = Parts::new(&text, 64).collect();
        assert!(parts.len() > 20 && parts.concat() == text);
        assert!(parts[..parts.len() - 1].iter().all(|part| (64..80).contains(&part.len())));
        let undivided = "\u{6587}\n".repeat(100);
        assert_eq!(Parts::new(&undivided, 8).collect::<Vec<_>>(), [undivided.as_str()]);
        assert_eq!(Parts::new("", 8).count(), 0);
    }
}
