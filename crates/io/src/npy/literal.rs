//! The part of Python's notation in which headers are written.

use std::ops::Range;
use tokenbed_memory::List;

/// Largest nesting depth. No type is nested deeper, and deeper nesting could overflow the stack.
const MOST_DEEP: usize = 20;

/// A byte offset in the text, and what is wrong there.
pub(super) type Wrong = (usize, String);

/// A value. Among lists and tuples, only tuples of numbers are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Literal<'a> {
    Text(&'a str),
    Number(i128),
    Truth(bool),
    Numbers(Vec<i128>),
    Other,
}

/// An entry of a dictionary: its name, its value, and the value's place in the text.
pub(super) type Entry<'a> = (&'a str, Literal<'a>, Range<usize>);

/// Reads values, one after the other.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The entries of a dictionary, which must be the whole text.
    pub(super) fn dictionary(mut self) -> Result<Vec<Entry<'a>>, Wrong> {
        let mut entries = Vec::new();
        self.expect('{')?;
        while !self.takes('}') {
            let Literal::Text(name) = self.value(0)? else { return self.wrong("a name in quotes") };
            self.expect(':')?;
            self.skip_blanks();
            let start = self.at;
            let value = self.value(0)?;
            entries.put((name, value, start..self.at));
            if !self.takes(',') {
                self.expect('}')?;
                break;
            }
        }
        self.skip_blanks();
        if self.at < self.text.len() { self.wrong("its end") } else { Ok(entries) }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    fn takes(&mut self, wanted: char) -> bool {
        self.skip_blanks();
        let found = self.rest().starts_with(wanted);
        self.at += if found { wanted.len_utf8() } else { 0 };
        found
    }

    fn expect(&mut self, wanted: char) -> Result<(), Wrong> {
        if self.takes(wanted) { Ok(()) } else { self.wrong(&format!("\"{wanted}\"")) }
    }

    fn wrong<T>(&self, wanted: &str) -> Result<T, Wrong> {
        let found = self.rest().chars().next().map_or("its end".into(), |found| format!("{found:?}"));
        Err((self.at, format!("the header has {found} where {wanted} should be")))
    }

    fn value(&mut self, depth: usize) -> Result<Literal<'a>, Wrong> {
        self.skip_blanks();
        let rest = self.rest();
        match rest.as_bytes().first() {
            Some(&quote @ (b'\'' | b'"')) => self.quoted(quote),
            Some(b'(') => self.sequence(')', depth),
            Some(b'[') => self.sequence(']', depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => {
                let words =
                    [("True", Literal::Truth(true)), ("False", Literal::Truth(false)), ("None", Literal::Other)];
                match words.into_iter().find(|(word, _)| rest.starts_with(word)) {
                    Some((word, value)) => {
                        self.at += word.len();
                        Ok(value)
                    }
                    None => self.wrong("a value"),
                }
            }
        }
    }

    /// Text in quotes. Text with an escape is `Other`, because no entry of a header needs one.
    fn quoted(&mut self, quote: u8) -> Result<Literal<'a>, Wrong> {
        let (start, bytes) = (self.at + 1, self.text.as_bytes());
        let mut end = start;
        let mut escaped = false;
        while let Some(&byte) = bytes.get(end) {
            if byte == quote {
                self.at = end + 1;
                // In UTF-8, the bytes of quotes and backslashes are never part of another character.
                let text = self.text.get(start..end).unwrap_or_default();
                return Ok(if escaped { Literal::Other } else { Literal::Text(text) });
            }
            escaped |= byte == b'\\';
            end += if byte == b'\\' { 2 } else { 1 };
        }
        Err((self.at, "the header has a quote that never ends".into()))
    }

    /// An integer. Python 2 wrote an L after long ones.
    fn number(&mut self) -> Result<Literal<'a>, Wrong> {
        let rest = self.rest();
        let sign = usize::from(rest.starts_with('-'));
        let digits = rest[sign..].bytes().take_while(u8::is_ascii_digit).count();
        let Ok(number) = rest[..sign + digits].parse() else { return self.wrong("a whole number of 64 bits") };
        self.at += sign + digits;
        self.at += usize::from(self.rest().starts_with('L'));
        Ok(Literal::Number(number))
    }

    fn sequence(&mut self, end: char, depth: usize) -> Result<Literal<'a>, Wrong> {
        if depth == MOST_DEEP {
            return Err((self.at, "the header is nested too deep".into()));
        }
        self.at += 1;
        let mut numbers = Some(Vec::new());
        let mut last = None;
        while !self.takes(end) {
            let value = self.value(depth + 1)?;
            match (&value, &mut numbers) {
                (Literal::Number(number), Some(numbers)) => numbers.put(*number),
                _ => numbers = None,
            }
            if !self.takes(',') {
                self.expect(end)?;
                last = Some(value);
                break;
            }
        }
        match (numbers, last) {
            // One value in parentheses is that value; a comma makes it a tuple.
            (Some(numbers), Some(value)) if end == ')' && numbers.len() == 1 => Ok(value),
            (Some(numbers), _) if end == ')' => Ok(Literal::Numbers(numbers)),
            _ => Ok(Literal::Other),
        }
    }
}
