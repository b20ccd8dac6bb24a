//! The rows of a CSV, as RFC 4180 and spreadsheets write it: fields in quotes may hold separators, line breaks, and
//! doubled quotes.

use super::{Id, Record, Settings, Unreadable, too_long};
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use std::borrow::Cow;
use tokenbed_memory::{Gather, List, owned, zeroed};

pub(super) struct Table {
    reader: Reader,
    /// The fields of the row that is being read, end to end, and where each ends.
    bytes: Vec<u8>,
    ends: Vec<usize>,
    filled: usize,
    fields: usize,
    /// The columns of the text and of the id, once the first row was read.
    columns: Option<(usize, Option<usize>)>,
    offset: u64,
    /// Offset and line where the row begins.
    start: (u64, u64),
}

impl Table {
    pub(super) fn new(between: u8) -> Self {
        Self {
            reader: ReaderBuilder::new().delimiter(between).build(),
            bytes: zeroed(1 << 12),
            ends: zeroed(64),
            filled: 0,
            fields: 0,
            columns: None,
            offset: 0,
            start: (0, 1),
        }
    }

    pub(super) fn push(
        &mut self,
        mut part: &[u8],
        settings: &Settings,
        give: &mut impl FnMut(Record<'_>),
    ) -> Result<(), Unreadable> {
        while !part.is_empty() {
            part = self.read(part, settings, give)?;
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, settings: &Settings, give: &mut impl FnMut(Record<'_>)) -> Result<(), Unreadable> {
        // The reader takes no more bytes as the end of the text. It may have to be told again when a buffer was full.
        for _ in 0..2 {
            self.read(&[], settings, give)?;
        }
        if self.columns.is_none() {
            let message = format!("it has no row that names its fields; \"{}\" is wanted", settings.field);
            return Err(Unreadable { offset: 0, message });
        }
        Ok(())
    }

    /// Reads up to the end of a row at most, and returns the bytes after it.
    fn read<'a>(
        &mut self,
        part: &'a [u8],
        settings: &Settings,
        give: &mut impl FnMut(Record<'_>),
    ) -> Result<&'a [u8], Unreadable> {
        let mut part = part;
        loop {
            let (outcome, taken, written, ended) =
                self.reader.read_record(part, &mut self.bytes[self.filled..], &mut self.ends[self.fields..]);
            part = &part[taken..];
            self.offset += taken as u64;
            self.filled += written;
            self.fields += ended;
            if self.filled > settings.most {
                return Err(too_long(self.start.0, self.start.1, settings));
            }
            match outcome {
                ReadRecordResult::OutputFull => {
                    let more = self.bytes.len();
                    self.bytes.fill_to(more * 2, 0);
                }
                ReadRecordResult::OutputEndsFull => {
                    let more = self.ends.len();
                    self.ends.fill_to(more * 2, 0);
                }
                ReadRecordResult::InputEmpty | ReadRecordResult::End => return Ok(part),
                ReadRecordResult::Record => {
                    self.row(settings, give)?;
                    (self.filled, self.fields) = (0, 0);
                    self.start = (self.offset, self.reader.line());
                    return Ok(part);
                }
            }
        }
    }

    /// One row is complete.
    fn row(&mut self, settings: &Settings, give: &mut impl FnMut(Record<'_>)) -> Result<(), Unreadable> {
        let Some((text, id)) = self.columns else {
            self.columns = Some(self.names(settings)?);
            return Ok(());
        };
        let (offset, line) = self.start;
        let id = id.and_then(|column| self.field(column)).filter(|id| !id.is_empty()).map(|id| Id::Text(owned(id)));
        let text = self.field(text).map(Cow::Borrowed).ok_or_else(|| {
            format!("it has {} fields, and \"{}\" would be field {}", self.fields, settings.field, text + 1)
        });
        give(Record { id, text, line, offset });
        Ok(())
    }

    /// Finds the columns in the first row.
    fn names(&self, settings: &Settings) -> Result<(usize, Option<usize>), Unreadable> {
        let names = (0..self.fields).filter_map(|column| self.field(column)).into_list();
        let place = |name: &str| names.iter().position(|found| *found == name);
        let text = place(&settings.field).ok_or_else(|| Unreadable {
            offset: 0,
            message: format!(
                "its first row does not name a field \"{}\"; it names: {}",
                settings.field,
                names.iter().take(16).map(|name| format!("\"{name}\"")).into_list().join(", ")
            ),
        })?;
        Ok((text, place(&settings.id)))
    }

    /// A field of the row; the text was UTF-8, and is divided only at ASCII bytes.
    fn field(&self, column: usize) -> Option<&str> {
        let end = *self.ends.get(..self.fields)?.get(column)?;
        let start = if column == 0 { 0 } else { self.ends[column - 1] };
        std::str::from_utf8(&self.bytes[start..end]).ok()
    }
}
