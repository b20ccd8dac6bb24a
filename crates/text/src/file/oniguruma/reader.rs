//! A pattern, character by character, and the escapes that stand for one character.

use super::Refused;
use tokenbed_memory::Gather;

/// The largest number that an interval may have.
const MOST_REPEATS: u32 = 100_000;

/// The characters of a pattern.
pub(super) struct Reader {
    chars: Vec<char>,
    pub(super) at: usize,
}

/// What `{` begins.
pub(super) enum Interval {
    /// `{2,5}`, `{2,}`, `{,5}`; one whose numbers are the wrong way round never gives back what it took.
    Between { low: u32, high: Option<u32>, possessive: bool },
    /// `{2}`: no sign behind it makes it lazy.
    Exact(u32),
    /// A character.
    None,
}

impl Reader {
    pub(super) fn new(pattern: &str) -> Self {
        Self { chars: pattern.chars().into_list(), at: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.chars.len()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += 1;
        Some(next)
    }

    /// Takes the character if it comes next.
    pub(super) fn take(&mut self, c: char) -> bool {
        let is_next = self.peek() == Some(c);
        self.at += usize::from(is_next);
        is_next
    }

    /// Whether this text comes next.
    pub(super) fn sees(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(i, c)| self.chars.get(self.at + i) == Some(&c))
    }

    /// Whether the character stands somewhere in the rest.
    pub(super) fn has_ahead(&self, c: char) -> bool {
        let mut rest = self.chars[self.at.min(self.chars.len())..].iter();
        while let Some(&next) = rest.next() {
            if next == c {
                return true;
            }
            if next == '\\' {
                rest.next();
            }
        }
        false
    }

    pub(super) fn refuse<T>(&self, at: usize, why: &str) -> Result<T, Refused> {
        let mut text = String::new();
        self.chars.iter().skip(at).take(self.at.saturating_sub(at).clamp(1, 24)).for_each(|&c| text.push(c));
        Refused::new(at, format!("{text:?} {why}"))
    }

    /// Up to so many digits; none are no number.
    fn number(&mut self, radix: u32, most: usize) -> Option<u32> {
        let from = self.at;
        let mut number = 0u32;
        while self.at - from < most
            && let Some(digit) = self.peek().and_then(|c| c.to_digit(radix))
        {
            number = number.saturating_mul(radix).saturating_add(digit);
            self.at += 1;
        }
        (self.at > from).then_some(number)
    }

    /// A decimal number of any length.
    pub(super) fn decimal(&mut self) -> Option<u32> {
        self.number(10, usize::MAX)
    }

    /// What follows a `{`; nothing is taken where it is no interval.
    pub(super) fn interval(&mut self) -> Result<Interval, Refused> {
        let from = self.at;
        let read = self.interval_numbers();
        let too_large = |number: u32| number > MOST_REPEATS;
        match read {
            Some((low, high)) if low.is_some_and(too_large) || high.flatten().is_some_and(too_large) => {
                self.refuse(from - 1, "repeats more often than a pattern may")
            }
            Some((Some(low), None)) => Ok(Interval::Exact(low)),
            Some((low, Some(high))) if low.is_some() || high.is_some() => {
                let (low, possessive) = (low.unwrap_or(0), high.is_some_and(|high| low.unwrap_or(0) > high));
                let (low, high) = if possessive { (high.unwrap_or(0), Some(low)) } else { (low, high) };
                Ok(Interval::Between { low, high, possessive })
            }
            _ => {
                self.at = from;
                Ok(Interval::None)
            }
        }
    }

    /// The first number, and what stands behind a comma.
    #[expect(clippy::option_option, reason = "no comma, and no number behind one")]
    fn interval_numbers(&mut self) -> Option<(Option<u32>, Option<Option<u32>>)> {
        let low = self.decimal();
        let high = if self.take(',') { Some(self.decimal()) } else { None };
        self.take('}').then_some((low, high))
    }

    /// The character that an escape stands for: what follows a backslash and has no other meaning. `None` is for the
    /// letter itself, or what else stands there.
    pub(super) fn escaped(&mut self, c: char, start: usize) -> Result<Option<char>, Refused> {
        Ok(match c {
            'n' => Some('\n'),
            't' => Some('\t'),
            'r' => Some('\r'),
            'f' => Some('\x0c'),
            'a' => Some('\x07'),
            'b' => Some('\x08'),
            'e' => Some('\x1b'),
            'v' => Some('\x0b'),
            'c' => Some(self.control(start)?),
            'C' => {
                if !self.take('-') {
                    return self.refuse(start, "is not a control character, such as \\C-x");
                }
                Some(self.control(start)?)
            }
            'M' => return self.refuse(start, "(a byte with its highest bit set) is not supported"),
            'x' if self.peek() == Some('{') => self.braced(16, 8, start)?,
            'o' if self.peek() == Some('{') => self.braced(8, 11, start)?,
            'x' if self.peek().is_some() => {
                let byte = self.number(16, 2).unwrap_or(0);
                Some(self.of_bytes(byte, 16, start)?)
            }
            'u' if self.peek().is_some() => {
                let from = self.at;
                let code = self.number(16, 4).filter(|_| self.at - from == 4);
                match code.and_then(char::from_u32) {
                    Some(c) => Some(c),
                    None => return self.refuse(start, "is not a character: \\u takes four digits"),
                }
            }
            _ => None,
        })
    }

    fn control(&mut self, start: usize) -> Result<char, Refused> {
        match self.next() {
            Some('?') => Ok('\x7f'),
            Some(c @ '\0'..='\x7f') if c != '\\' => Ok(char::from(c as u8 & 0x1f)),
            _ => self.refuse(start, "is not a supported control character"),
        }
    }

    /// `\x{...}` and `\o{...}`; without a number in it, a letter and a brace.
    fn braced(&mut self, radix: u32, digits: usize, start: usize) -> Result<Option<char>, Refused> {
        let brace = self.at;
        self.at += 1;
        let Some(code) = self.number(radix, digits) else {
            self.at = brace;
            return Ok(None);
        };
        if !self.take('}') {
            return self.refuse(start, "with more than one number, or without an end, is not supported");
        }
        match char::from_u32(code) {
            Some(c) => Ok(Some(c)),
            None => self.refuse(start, "is not a character"),
        }
    }

    /// A number in octal digits that follows a backslash: a byte.
    pub(super) fn octal(&mut self, digits: usize, start: usize) -> Result<char, Refused> {
        let byte = self.number(8, digits).unwrap_or(0);
        self.of_bytes(byte, 8, start)
    }

    /// The character whose first byte was read; the others must follow, written in the same way.
    fn of_bytes(&mut self, first: u32, radix: u32, start: usize) -> Result<char, Refused> {
        let wrong = "is not a character: its bytes are not UTF-8";
        let Ok(first) = u8::try_from(first) else { return self.refuse(start, wrong) };
        let length = match first {
            0..=0x7f => return Ok(char::from(first)),
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => return self.refuse(start, wrong),
        };
        let mut bytes = [first, 0, 0, 0];
        for byte in &mut bytes[1..length] {
            let is_next = self.take('\\') && (radix == 8 || self.take('x'));
            let digits = if radix == 8 { 3 } else { 2 };
            let next = if is_next { self.number(radix, digits) } else { None };
            let Some(next) = next.and_then(|next| u8::try_from(next).ok()) else { return self.refuse(start, wrong) };
            *byte = next;
        }
        match std::str::from_utf8(&bytes[..length]).ok().and_then(|text| text.chars().next()) {
            Some(c) => Ok(c),
            None => self.refuse(start, wrong),
        }
    }
}
