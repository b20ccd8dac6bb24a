//! Writes archives whose entries are stored as they are, byte for byte as Python's `zipfile` writes them for NumPy:
//! without times, every entry with room for sizes of 64 bits.

use super::{CENTRAL, ELSEWHERE, END, LOCAL, LOCATOR, LONG_END, LONG_END_BYTES, LONG_SIZES};
use flate2::Crc;
use std::io::{self, Write};
use tokenbed_memory::{List, owned};

/// The version of the format that readers need, 4.5: sizes of 64 bits.
const VERSION: u16 = 45;
/// The system whose permissions are kept: Unix.
const UNIX: u8 = 3;
/// Read and write for the owner, in the upper half.
const PERMISSIONS: u32 = 0o600 << 16;
/// The flag of a name with other characters than ASCII.
const UTF8: u16 = 1 << 11;
/// The first day that the format knows, 1 January 1980.
const DATE: u16 = 0x21;

struct Written {
    name: String,
    crc: u32,
    size: u64,
    at: u64,
}

/// Writes an archive into a file, entry by entry.
pub(crate) struct ZipWriter<'a> {
    file: &'a mut dyn Write,
    at: u64,
    entries: Vec<Written>,
}

impl<'a> ZipWriter<'a> {
    pub(crate) fn new(file: &'a mut dyn Write) -> Self {
        Self { file, at: 0, entries: Vec::new() }
    }

    /// Writes an entry that is made of these parts, one after the other.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn put(&mut self, name: &str, parts: &[&[u8]]) -> io::Result<()> {
        let size: u64 = parts.iter().map(|part| part.len() as u64).sum();
        let mut sum = Crc::new();
        parts.iter().for_each(|part| sum.update(part));
        let entry = Written { name: owned(name), crc: sum.sum(), size, at: self.at };
        let mut header = Record::default();
        header.put(LOCAL).half(VERSION).half(flags(name)).half(0).half(0).half(DATE);
        header.word(entry.crc).word(ELSEWHERE).word(ELSEWHERE).half(name.len() as u16).half(20);
        header.put(name.as_bytes()).half(LONG_SIZES).half(16).long(size).long(size);
        self.write(&header.0)?;
        parts.iter().try_for_each(|part| self.write(part))?;
        self.entries.put(entry);
        Ok(())
    }

    /// Writes the directory and the end.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn end(mut self) -> io::Result<()> {
        let start = self.at;
        let entries = std::mem::take(&mut self.entries);
        for Written { name, crc, size, at } in &entries {
            let mut extra = Record::default();
            // Each number that has no place in 32 bits stands here: the size, twice, and the offset.
            if *size > u64::from(i32::MAX as u32) {
                extra.long(*size).long(*size);
            }
            if *at > u64::from(i32::MAX as u32) {
                extra.long(*at);
            }
            let field = if extra.0.is_empty() { 0 } else { 4 + extra.0.len() };
            let mut record = Record::default();
            record.put(CENTRAL).put(&[VERSION as u8, UNIX]).half(VERSION).half(flags(name)).half(0).half(0).half(DATE);
            record.word(*crc).word(short(*size)).word(short(*size)).half(name.len() as u16).half(field as u16);
            record.half(0).half(0).half(0).word(PERMISSIONS).word(short(*at)).put(name.as_bytes());
            if field > 0 {
                record.half(LONG_SIZES).half(extra.0.len() as u16).put(&extra.0);
            }
            self.write(&record.0)?;
        }
        let (count, len) = (entries.len() as u64, self.at - start);
        let mut end = Record::default();
        if count > u64::from(u16::MAX) || start.max(len) > u64::from(i32::MAX as u32) {
            let at = self.at;
            end.put(LONG_END).long(LONG_END_BYTES as u64 - 12).half(VERSION).half(VERSION).word(0).word(0);
            end.long(count).long(count).long(len).long(start);
            end.put(LOCATOR).word(0).long(at).word(1);
        }
        let least = count.min(u16::MAX.into()) as u16;
        let capped = |number: u64| number.min(ELSEWHERE.into()) as u32;
        end.put(END).half(0).half(0).half(least).half(least).word(capped(len)).word(capped(start)).half(0);
        self.write(&end.0)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.at += bytes.len() as u64;
        Ok(())
    }
}

fn flags(name: &str) -> u16 {
    if name.is_ascii() { 0 } else { UTF8 }
}

/// A number of 32 bits, or the mark that it stands in the extra field. `zipfile` moves to 64 bits from 2 GiB on.
fn short(number: u64) -> u32 {
    if number > u64::from(i32::MAX as u32) { ELSEWHERE } else { number as u32 }
}

/// The bytes of a record, little endian.
#[derive(Default)]
struct Record(Vec<u8>);

impl Record {
    fn put(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.put_slice(bytes);
        self
    }

    fn half(&mut self, number: u16) -> &mut Self {
        self.put(&number.to_le_bytes())
    }

    fn word(&mut self, number: u32) -> &mut Self {
        self.put(&number.to_le_bytes())
    }

    fn long(&mut self, number: u64) -> &mut Self {
        self.put(&number.to_le_bytes())
    }
}
