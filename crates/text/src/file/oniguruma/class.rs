//! Character classes in brackets: `[^a-z[:alpha:]&&[\w-]]`.

use super::Refused;
use super::names;
use super::reader::Reader;
use super::write::one;

/// A class as it was written.
pub(super) struct Brackets {
    /// The content of the brackets, as a class of the regex crate.
    pub(super) inner: String,
    /// Whether the class is negated.
    pub(super) negated: bool,
}

impl Brackets {
    /// The class in the syntax of the regex crate.
    pub(super) fn written(&self) -> String {
        if self.negated { ["[^", &self.inner, "]"].concat() } else { ["[", &self.inner, "]"].concat() }
    }
}

/// One item in brackets.
enum Item {
    Close,
    Open,
    And,
    Minus,
    Char(char),
    Set(String),
}

/// State that decides what a `-` means.
#[derive(Clone, Copy, PartialEq)]
enum State {
    Start,
    /// A character waits, or a set (`None`) came last.
    Value(Option<char>),
    /// A range has begun with this character.
    Range(char),
    /// A range or a class has ended.
    Complete,
}

/// Largest nesting depth of brackets.
const MOST_DEPTH: usize = 100;

struct Union {
    text: String,
    state: State,
}

impl Union {
    /// Writes the waiting character.
    fn flush(&mut self) {
        if let State::Value(Some(c)) = self.state {
            one(c, &mut self.text);
        }
    }

    fn set(&mut self, set: &str) {
        self.flush();
        self.text += set;
        self.state = State::Value(None);
    }

    /// Adds a character, or ends a range; `false` if the range is reversed.
    fn char(&mut self, c: char) -> bool {
        let State::Range(from) = self.state else {
            self.flush();
            self.state = State::Value(Some(c));
            return true;
        };
        one(from, &mut self.text);
        self.text += "-";
        one(c, &mut self.text);
        self.state = State::Complete;
        from <= c
    }
}

/// Reads brackets. The opening one was taken.
pub(super) fn read(reader: &mut Reader, depth: usize) -> Result<Brackets, Refused> {
    let start = reader.at - 1;
    if depth > MOST_DEPTH {
        return reader.refuse(start, "is nested too deep");
    }
    let negated = reader.take('^');
    // At the front `]` is a character, if another one follows.
    let mut item = if reader.sees("]") {
        reader.at += 1;
        if !reader.has_ahead(']') {
            return reader.refuse(start, "is an empty class");
        }
        Item::Char(']')
    } else {
        next(reader)?
    };
    let mut all = String::new();
    let mut union = Union { text: String::new(), state: State::Start };
    let mut parts = 1;
    loop {
        let at = reader.at;
        let mut fetched = None;
        match item {
            Item::Close => break,
            Item::Char(c) => add(&mut union, c, reader, start)?,
            Item::Set(set) => {
                if let State::Range(_) = union.state {
                    return reader.refuse(start, "has a range that ends with a set");
                }
                union.set(&set);
            }
            Item::Open => {
                if let State::Range(_) = union.state {
                    return reader.refuse(start, "has a range that ends with a class");
                }
                union.flush();
                union.text += &read(reader, depth + 1)?.written();
                union.state = State::Complete;
            }
            Item::And => {
                union.flush();
                finish(&mut all, &union.text);
                all += "&&";
                parts += 1;
                union = Union { text: String::new(), state: State::Start };
            }
            Item::Minus => match union.state {
                State::Range(_) => add(&mut union, '-', reader, start)?,
                state => {
                    let after = next(reader)?;
                    let is_end = matches!(after, Item::Close | Item::And);
                    match state {
                        State::Value(Some(from)) if !is_end => union.state = State::Range(from),
                        State::Value(None) if !is_end => {
                            reader.at = at;
                            return reader.refuse(start, "has a range that begins with a set");
                        }
                        _ => add(&mut union, '-', reader, start)?,
                    }
                    fetched = Some(after);
                }
            },
        }
        item = match fetched {
            Some(item) => item,
            None => next(reader)?,
        };
    }
    union.flush();
    if parts == 1 {
        return Ok(Brackets { inner: union.text, negated });
    }
    finish(&mut all, &union.text);
    Ok(Brackets { inner: all, negated })
}

/// Writes one side of an intersection.
fn finish(all: &mut String, text: &str) {
    if text.is_empty() {
        *all += names::NONE;
    } else {
        *all += "[";
        *all += text;
        *all += "]";
    }
}

fn add(union: &mut Union, c: char, reader: &Reader, start: usize) -> Result<(), Refused> {
    if union.char(c) { Ok(()) } else { reader.refuse(start, "has a range that ends before it begins") }
}

fn next(reader: &mut Reader) -> Result<Item, Refused> {
    let start = reader.at;
    let Some(c) = reader.next() else { return reader.refuse(start.saturating_sub(1), "is a class without an end") };
    Ok(match c {
        ']' => Item::Close,
        '-' => Item::Minus,
        '&' if reader.take('&') => Item::And,
        '[' => match posix(reader, start)? {
            Some(set) => Item::Set(set),
            None => Item::Open,
        },
        '\\' => escape(reader, start)?,
        c => Item::Char(c),
    })
}

/// Reads `[:alpha:]`. The opening bracket was taken; nothing more is taken if there is no such name.
fn posix(reader: &mut Reader, start: usize) -> Result<Option<String>, Refused> {
    let after = reader.at;
    if !reader.take(':') {
        return Ok(None);
    }
    let negated = reader.take('^');
    let mut name = String::new();
    while let Some(c) = reader.peek().filter(|&c| c.is_alphabetic()) {
        reader.at += 1;
        name.push(c);
    }
    if (name.is_empty() && !negated) || !reader.sees(":]") {
        reader.at = after;
        return Ok(None);
    }
    reader.at += 2;
    match names::posix(&name) {
        Some(set) if negated => Ok(Some(["[^", set, "]"].concat())),
        Some(set) => Ok(Some(set.into())),
        None => reader.refuse(start, "is not a known class"),
    }
}

fn escape(reader: &mut Reader, start: usize) -> Result<Item, Refused> {
    let Some(c) = reader.next() else { return reader.refuse(start, "ends the pattern") };
    Ok(match c {
        'w' => Item::Set(names::WORD_IN_CLASS.into()),
        'W' => Item::Set(["[^", names::WORD_IN_CLASS, "]"].concat()),
        'd' => Item::Set(r"\d".into()),
        'D' => Item::Set(r"\D".into()),
        's' => Item::Set(r"\s".into()),
        'S' => Item::Set(r"\S".into()),
        'h' => Item::Set(names::HEXADECIMAL.into()),
        'H' => Item::Set(["[^", names::HEXADECIMAL, "]"].concat()),
        'p' | 'P' if reader.peek() == Some('{') => {
            let (name, negated) = property(reader, c, start)?;
            let set = names::property(&name).or_else(|why| reader.refuse(start, why))?;
            Item::Set(if negated { ["[^", &set, "]"].concat() } else { set })
        }
        '0'..='7' => {
            reader.at -= 1;
            Item::Char(reader.octal(3, start)?)
        }
        c => Item::Char(reader.escaped(c, start)?.unwrap_or(c)),
    })
}

/// Reads the name in `\p{name}`, and whether it is negated. The letter was taken.
pub(super) fn property(reader: &mut Reader, letter: char, start: usize) -> Result<(String, bool), Refused> {
    reader.at += 1;
    let negated = (letter == 'P') != reader.take('^');
    let mut name = String::new();
    loop {
        match reader.next() {
            Some('}') => return Ok((name, negated)),
            Some(c) if !matches!(c, '(' | ')' | '{' | '|') => name.push(c),
            _ => return reader.refuse(start, "is a property without an end"),
        }
    }
}
