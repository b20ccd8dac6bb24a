//! Walks through JSON. It accepts valid JSON only, and of that only what a tokenizer's file contains.

use serde_json::Value;
use tokenbed_memory::List;

use super::super::NotNative;

/// Largest nesting depth. Files that are nested deeper are the library's to judge.
const MAX_DEPTH: usize = 64;

/// A place in a JSON text.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

pub(super) fn damaged() -> NotNative {
    NotNative::new("file: its syntax")
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    /// Place of the next value.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    fn skip_space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// Takes `byte` and the white space around it.
    #[inline]
    pub(super) fn take(&mut self, byte: u8) -> Result<(), NotNative> {
        if self.takes(byte) { Ok(()) } else { Err(damaged()) }
    }

    /// Takes `byte` if it is next, and the white space around it.
    #[inline]
    pub(super) fn takes(&mut self, byte: u8) -> bool {
        self.skip_space();
        if self.byte() != Some(byte) {
            return false;
        }
        self.at += 1;
        self.skip_space();
        true
    }

    /// Whether the next value begins with `byte`.
    #[inline]
    pub(super) fn is_at(&self, byte: u8) -> bool {
        self.byte() == Some(byte)
    }

    /// Ends the text.
    pub(super) fn end(&mut self) -> Result<(), NotNative> {
        self.skip_space();
        if self.at == self.text.len() { Ok(()) } else { Err(damaged()) }
    }

    /// Reads an object: `entry` reads the value of each key.
    pub(super) fn object(
        &mut self,
        mut entry: impl FnMut(&mut Self, &str) -> Result<(), NotNative>,
    ) -> Result<(), NotNative> {
        let mut key = Vec::new();
        self.entries(|cursor| {
            key.clear();
            cursor.string(&mut key)?;
            cursor.take(b':')?;
            entry(cursor, std::str::from_utf8(&key).map_err(|_| damaged())?)
        })
    }

    /// Reads an object: `entry` reads each key with its value.
    pub(super) fn entries(&mut self, entry: impl FnMut(&mut Self) -> Result<(), NotNative>) -> Result<(), NotNative> {
        self.list(b'{', b'}', entry)
    }

    /// Reads an array: `item` reads each value.
    pub(super) fn array(&mut self, item: impl FnMut(&mut Self) -> Result<(), NotNative>) -> Result<(), NotNative> {
        self.list(b'[', b']', item)
    }

    fn list(
        &mut self,
        open: u8,
        close: u8,
        mut item: impl FnMut(&mut Self) -> Result<(), NotNative>,
    ) -> Result<(), NotNative> {
        self.take(open)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(damaged());
        }
        if !self.takes(close) {
            loop {
                item(self)?;
                if self.takes(close) {
                    break;
                }
                self.take(b',')?;
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Appends the string that is next.
    #[inline]
    pub(super) fn string(&mut self, out: &mut Vec<u8>) -> Result<(), NotNative> {
        if self.byte() != Some(b'"') {
            return Err(damaged());
        }
        self.at += 1;
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            let plain = rest.iter().position(|&byte| ENDS[usize::from(byte)]).ok_or_else(damaged)?;
            out.put_slice(&rest[..plain]);
            self.at += plain + 1;
            match rest[plain] {
                b'"' => return Ok(()),
                b'\\' => self.escape(out)?,
                // A control character must be escaped.
                _ => return Err(damaged()),
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), NotNative> {
        let kind = self.byte().ok_or_else(damaged)?;
        self.at += 1;
        let byte = match kind {
            b'"' | b'\\' | b'/' => kind,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let first = self.four_digits()?;
                let code = if (0xd800..0xdc00).contains(&first) {
                    if !self.text[self.at..].starts_with("\\u") {
                        return Err(damaged());
                    }
                    self.at += 2;
                    let second = self.four_digits()?;
                    if !(0xdc00..0xe000).contains(&second) {
                        return Err(damaged());
                    }
                    0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)
                } else {
                    first
                };
                let c = char::from_u32(code).ok_or_else(damaged)?;
                out.put_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => return Err(damaged()),
        };
        out.put(byte);
        Ok(())
    }

    fn four_digits(&mut self) -> Result<u32, NotNative> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4).ok_or_else(damaged)?;
        self.at += 4;
        digits.iter().try_fold(0, |code, &digit| {
            let digit = char::from(digit).to_digit(16).ok_or_else(damaged)?;
            Ok(code << 4 | digit)
        })
    }

    /// Reads an id.
    #[inline]
    pub(super) fn id(&mut self) -> Result<u32, NotNative> {
        let start = self.at;
        let mut id = 0u64;
        while let Some(digit @ b'0'..=b'9') = self.byte() {
            id = id * 10 + u64::from(digit - b'0');
            self.at += 1;
            if id > i32::MAX as u64 {
                return Err(NotNative::new("model: ids that are too large"));
            }
        }
        let digits = &self.text.as_bytes()[start..self.at];
        let follows = matches!(self.byte(), Some(b'.' | b'e' | b'E'));
        if digits.is_empty() || (digits.len() > 1 && digits[0] == b'0') || follows {
            return Err(NotNative::new("model: ids that are no whole numbers"));
        }
        Ok(id as u32)
    }

    /// Reads a number.
    pub(super) fn number(&mut self) -> Result<f64, NotNative> {
        let start = self.at;
        while matches!(self.byte(), Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')) {
            self.at += 1;
        }
        serde_json::from_str(&self.text[start..self.at]).map_err(|_| damaged())
    }

    /// Reads a value of any kind.
    pub(super) fn value(&mut self) -> Result<Value, NotNative> {
        let start = self.at;
        self.skip()?;
        serde_json::from_str(&self.text[start..self.at]).map_err(|_| damaged())
    }

    /// Passes over a value, which need not be valid: whoever reads it will see.
    pub(super) fn skip(&mut self) -> Result<(), NotNative> {
        let bytes = self.text.as_bytes();
        let depth = self.depth;
        loop {
            match self.byte().ok_or_else(damaged)? {
                b'"' => loop {
                    self.at += 1;
                    let rest = bytes.get(self.at..).unwrap_or_default();
                    self.at += memchr::memchr2(b'"', b'\\', rest).ok_or_else(damaged)?;
                    if bytes[self.at] == b'"' {
                        self.at += 1;
                        break;
                    }
                    self.at += 1;
                },
                b'[' | b'{' => {
                    self.depth += 1;
                    self.at += 1;
                    if self.depth > MAX_DEPTH {
                        return Err(damaged());
                    }
                }
                b']' | b'}' => {
                    self.depth = self.depth.checked_sub(1).filter(|&now| now >= depth).ok_or_else(damaged)?;
                    self.at += 1;
                }
                _ => {
                    let rest = &bytes[self.at..];
                    let is_end = |&byte: &u8| matches!(byte, b'"' | b'[' | b']' | b'{' | b'}' | b',') || byte <= b' ';
                    let plain = rest.iter().position(is_end).unwrap_or(rest.len());
                    // White space and commas between the values within.
                    self.at += if plain == 0 && self.depth > depth { 1 } else { plain };
                    if plain == 0 && self.depth == depth {
                        return Err(damaged());
                    }
                }
            }
            if self.depth == depth {
                return Ok(());
            }
        }
    }
}

/// The bytes that end a run of plain characters in a string.
const ENDS: [bool; 256] = {
    let mut ends = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        ends[byte] = true;
        byte += 1;
    }
    ends[b'"' as usize] = true;
    ends[b'\\' as usize] = true;
    ends
};

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        Cursor::new(text).string(&mut out).ok().map(|()| out)
    }

    #[test]
    fn strings_are_those_of_the_json_reader() {
        for text in [
            "\"\"",
            "\"a\\n\\u00e9\\ud83d\\ude00\"",
            "\"\\ud83d\"",
            "\"\\ud83dx\"",
            "\"\\udc00\"",
            "\"a\nb\"",
            "\"a",
            "\"\\q\"",
            "\"\\u12\"",
            "\"\\u+123\"",
            "\"\u{e9}\u{4e00}\\/\\\\\\\"\"",
        ] {
            let expected = serde_json::from_str::<String>(text).ok().map(String::into_bytes);
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn values_are_passed_over_whole() {
        for text in ["1", "\"a\\\"]\"", "[1, [2, \"]\"], {}]", "{\"a\": [ ], \"b\": null}", "true", "-1.5e3"] {
            let more = format!("{text}, 7");
            let mut cursor = Cursor::new(&more);
            assert_eq!(cursor.value().ok(), serde_json::from_str(text).ok());
            assert_eq!(cursor.at(), text.len());
        }
        for text in ["", "]", "[1", "\"a", "[}", ",", "tru", "[1 2]", "{1: 2}"] {
            assert!(Cursor::new(text).value().is_err(), "{text}");
        }
    }

    #[test]
    fn ids_are_whole_numbers() {
        let id = |text: &str| Cursor::new(text).id().ok();
        assert_eq!([id("0"), id("12,"), id("2147483647")], [Some(0), Some(12), Some(2_147_483_647)]);
        assert_eq!([id("01"), id("-1"), id("1.0"), id("1e2"), id(""), id("2147483648")], [None; 6]);
    }
}
