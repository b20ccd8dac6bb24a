//! A place in the header that moves forward, and reads numbers and texts. Nothing is believed before it is compared
//! with what is left of the file.

use crate::mapped::Source;
use tokenbed_core::Result;
use tokenbed_memory::{List, zeroed};

/// Number of bytes that are read at a time.
const STEP: usize = 256 << 10;

/// Longest text, and largest number of elements in an array.
pub(super) const MOST: u64 = 1 << 30;

/// A place in a file.
pub(super) struct Walk<'a> {
    file: &'a Source,
    at: usize,
    /// The bytes from `start` on, of which `held` are those of the file.
    buffer: Vec<u8>,
    start: usize,
    held: usize,
}

impl<'a> Walk<'a> {
    /// Begins at a byte.
    pub(super) fn new(file: &'a Source, at: usize) -> Self {
        Self { file, at, buffer: Vec::new(), start: at, held: 0 }
    }

    /// The byte where it is.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The number of bytes that are left.
    pub(super) fn left(&self) -> usize {
        self.file.len().saturating_sub(self.at)
    }

    /// The error for what is wrong at a byte.
    #[cold]
    pub(super) fn wrong(&self, at: usize, message: String) -> tokenbed_core::Error {
        self.file.malformed(at, message)
    }

    /// Checks that so many bytes are left, for what `what` names.
    pub(super) fn need(&self, bytes: u64, what: &str) -> Result<usize> {
        match usize::try_from(bytes) {
            Ok(bytes) if bytes <= self.left() => Ok(bytes),
            _ => {
                let message = format!("{what} of {bytes} bytes, and {} are left in the file: cut short", self.left());
                Err(self.wrong(self.at, message))
            }
        }
    }

    /// The next bytes, which are passed.
    #[inline]
    fn take<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        let from = self.at.wrapping_sub(self.start);
        if let Some(bytes) = self.buffer.get(from..self.held).and_then(|rest| rest.first_chunk::<N>()) {
            self.at += N;
            return Ok(*bytes);
        }
        self.refill(N, what)?;
        let bytes = self.buffer.first_chunk::<N>().copied().unwrap_or([0; N]);
        self.at += N;
        Ok(bytes)
    }

    /// Reads the next part of the file, of which so many bytes are needed.
    #[cold]
    fn refill(&mut self, need: usize, what: &str) -> Result<()> {
        self.need(need as u64, what)?;
        // The first part is small: most headers are.
        let step = if self.buffer.is_empty() { STEP / 16 } else { STEP };
        let count = self.left().min(step);
        if self.buffer.len() < count {
            self.buffer = zeroed(count);
        }
        self.held = 0;
        self.file.read(self.at, &mut self.buffer[..count])?;
        (self.start, self.held) = (self.at, count);
        Ok(())
    }

    pub(super) fn u8(&mut self, what: &str) -> Result<u8> {
        self.take::<1>(what).map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self, what: &str) -> Result<u16> {
        self.take(what).map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self, what: &str) -> Result<u32> {
        self.take(what).map(u32::from_le_bytes)
    }

    #[inline]
    pub(super) fn u64(&mut self, what: &str) -> Result<u64> {
        self.take(what).map(u64::from_le_bytes)
    }

    /// Passes so many bytes.
    #[inline]
    pub(super) fn skip(&mut self, bytes: u64, what: &str) -> Result<()> {
        self.at += self.need(bytes, what)?;
        Ok(())
    }

    /// The length of a text, which follows.
    #[inline]
    pub(super) fn length(&mut self, most: u64, what: &str) -> Result<usize> {
        let before = self.at;
        let length = self.u64(what)?;
        if length > most {
            return Err(self.wrong(before, format!("{what} of {length} bytes, and at most {most} are read")));
        }
        self.need(length, what)
    }

    /// A text, which is passed.
    pub(super) fn text(&mut self, most: u64, what: &str) -> Result<String> {
        let length = self.length(most, what)?;
        let mut bytes = Vec::new();
        self.append(length, &mut bytes, what)?;
        String::from_utf8(bytes).map_err(|error| {
            let offset = self.at - length + error.utf8_error().valid_up_to();
            self.wrong(offset, format!("{what} is not UTF-8"))
        })
    }

    /// Appends the next bytes, which are passed.
    pub(super) fn append(&mut self, bytes: usize, to: &mut Vec<u8>, what: &str) -> Result<()> {
        let mut left = bytes;
        while left > 0 {
            let from = self.at.wrapping_sub(self.start);
            let part = self.buffer.get(from..self.held).unwrap_or_default();
            if part.is_empty() {
                self.refill(1, what)?;
                continue;
            }
            let part = &part[..part.len().min(left)];
            to.put_slice(part);
            self.at += part.len();
            left -= part.len();
        }
        Ok(())
    }
}
