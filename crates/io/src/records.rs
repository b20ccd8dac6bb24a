//! Records out of a text that arrives in parts: its lines, JSON Lines, the rows of a CSV, or the whole text.

mod json;
mod table;

use memchr::{memchr, memrchr};
use std::borrow::Cow;
use table::Table;
use tokenbed_memory::{Text, owned};

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Each line is a text.
    Lines,
    /// Each line is a JSON object. Lines of white space alone are skipped.
    JsonLines,
    /// Rows of fields with this byte between them, after a first row that names them.
    Table(u8),
    /// The whole text is one record, with its byte order mark; an empty one has none.
    Whole,
}

/// Which records to read.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How they are written.
    pub format: Format,
    /// The field that holds the text; unused for lines.
    pub field: String,
    /// The field that holds the id. If it is missing the record has no id; unused for lines.
    pub id: String,
    /// Largest number of bytes that a record may take in the text.
    pub most: usize,
    /// Whether the text is a part of another and begins after its beginning. There a byte order mark is a character.
    pub is_inside: bool,
}

/// The id that a record has in its file.
#[derive(Debug, Clone, PartialEq)]
pub enum Id {
    /// A string.
    Text(String),
    /// A number.
    Number(f64),
}

/// One record.
#[derive(Debug, Clone, PartialEq)]
pub struct Record<'a> {
    /// Its id, if its file gives one.
    pub id: Option<Id>,
    /// The text, or why there is none.
    pub text: Result<Cow<'a, str>, String>,
    /// Number of the line where it begins, from 1.
    pub line: u64,
    /// Offset in bytes where it begins in the text.
    pub offset: u64,
}

/// A text that cannot be read as records any further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Offset in bytes of the record at which reading ended.
    pub offset: u64,
    /// What is wrong.
    pub message: String,
}

/// Reads the records of one text.
pub struct Records {
    settings: Settings,
    /// The beginning of a record whose end has not come yet.
    rest: String,
    /// Offset of the rest in the text.
    offset: u64,
    line: u64,
    table: Option<Table>,
}

impl Records {
    /// Begins a text.
    pub fn new(settings: Settings) -> Self {
        let table = match settings.format {
            Format::Table(between) => Some(Table::new(between)),
            _ => None,
        };
        Self { settings, rest: String::new(), offset: 0, line: 1, table }
    }

    /// Takes the next part of the text, and gives the records that end in it.
    ///
    /// # Errors
    /// [`Unreadable`] for a record that is too long, and for a CSV that does not have the field.
    pub fn push(&mut self, part: &str, give: &mut impl FnMut(Record<'_>)) -> Result<(), Unreadable> {
        if self.settings.format == Format::Whole {
            self.rest.put_str(part);
            return self.check_length(self.rest.len());
        }
        // A byte order mark is no part of the first record.
        let is_first = self.offset == 0 && self.rest.is_empty() && self.line == 1;
        let part = if is_first && !self.settings.is_inside {
            let bare = part.strip_prefix('\u{feff}').unwrap_or(part);
            self.offset = (part.len() - bare.len()) as u64;
            bare
        } else {
            part
        };
        if let Some(table) = &mut self.table {
            return table.push(part.as_bytes(), &self.settings, give);
        }
        let Some(end) = memrchr(b'\n', part.as_bytes()) else {
            self.rest.put_str(part);
            return self.check_length(self.rest.len());
        };
        let (whole, after) = part.split_at(end + 1);
        let mut from = 0;
        if !self.rest.is_empty() {
            let first = memchr(b'\n', whole.as_bytes()).map_or(0, |at| at + 1);
            let mut line = std::mem::take(&mut self.rest);
            line.put_str(&whole[..first]);
            self.line(&line, give)?;
            from = first;
        }
        while let Some(length) = memchr(b'\n', &whole.as_bytes()[from..]) {
            self.line(&whole[from..=from + length], give)?;
            from += length + 1;
        }
        self.rest = owned(after);
        self.check_length(self.rest.len())
    }

    /// Ends the text, and gives the last record if no line break ended it.
    ///
    /// # Errors
    /// The same as [`Records::push`].
    pub fn finish(&mut self, give: &mut impl FnMut(Record<'_>)) -> Result<(), Unreadable> {
        if let Some(table) = &mut self.table {
            return table.finish(&self.settings, give);
        }
        let last = std::mem::take(&mut self.rest);
        match self.settings.format {
            _ if last.is_empty() => {}
            Format::Whole => give(Record { id: None, text: Ok(last.into()), line: 1, offset: 0 }),
            _ => self.line(&last, give)?,
        }
        Ok(())
    }

    /// A line with its line break, which only the last may lack.
    fn line(&mut self, line: &str, give: &mut impl FnMut(Record<'_>)) -> Result<(), Unreadable> {
        self.check_length(line.len())?;
        let bare = line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line));
        match self.settings.format {
            Format::JsonLines if bare.trim_ascii().is_empty() => {}
            Format::JsonLines => {
                let (id, text) = json::fields(bare, &self.settings);
                give(Record { id, text, line: self.line, offset: self.offset });
            }
            _ => give(Record { id: None, text: Ok(bare.into()), line: self.line, offset: self.offset }),
        }
        self.line += 1;
        self.offset += line.len() as u64;
        Ok(())
    }

    fn check_length(&self, length: usize) -> Result<(), Unreadable> {
        if length <= self.settings.most {
            return Ok(());
        }
        Err(too_long(self.offset, self.line, &self.settings))
    }
}

#[cold]
fn too_long(offset: u64, line: u64, settings: &Settings) -> Unreadable {
    let message = format!("the record at line {line} is longer than {} bytes, the most that is allowed", settings.most);
    Unreadable { offset, message }
}

#[cfg(test)]
mod tests;
