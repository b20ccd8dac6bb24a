//! The bytes of a compressed entry, one after the other.

use super::Entry;
use crate::mapped::Source;
use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use std::cell::RefCell;
use std::io::{self, BufReader, ErrorKind, Read};
use tokenbed_core::{Error, Result};
use tokenbed_memory::{List, had};

/// Number of bytes of the file that are read at a time.
const BUFFER: usize = 64 << 10;

/// Bytes of a file, from `at` to `end`.
struct Part<'a> {
    file: &'a Source,
    at: usize,
    end: usize,
    /// The system's error, which a decompressor would change.
    failed: Option<Error>,
}

impl Read for Part<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let count = to.len().min(self.end - self.at);
        if let Err(error) = self.file.read(self.at, &mut to[..count]) {
            self.failed = Some(error);
            return Err(ErrorKind::Other.into());
        }
        self.at += count;
        Ok(count)
    }
}

struct State<'a> {
    decoder: DeflateDecoder<BufReader<Part<'a>>>,
    /// The first bytes, which may be read again.
    head: Vec<u8>,
    /// Number of bytes that came out.
    done: usize,
    crc: Crc,
}

/// The bytes of a compressed entry. Those that [`Inflated::copy`] gave can be read again; the others are read once, in
/// order.
pub(crate) struct Inflated<'a> {
    file: &'a Source,
    entry: &'a Entry,
    start: usize,
    state: RefCell<State<'a>>,
}

impl<'a> Inflated<'a> {
    /// Opens an entry whose compressed bytes begin at `start`.
    pub(crate) fn new(file: &'a Source, entry: &'a Entry, start: usize) -> Self {
        let part = Part { file, at: start, end: start + entry.packed, failed: None };
        let decoder = DeflateDecoder::new(BufReader::with_capacity(had(BUFFER), part));
        let state = State { decoder, head: Vec::new(), done: 0, crc: Crc::new() };
        Self { file, entry, start, state: RefCell::new(state) }
    }

    /// The first `len` bytes, which can be read again.
    ///
    /// # Errors
    /// [`Error::Format`] if the data is damaged; [`Error::File`] if the file cannot be read.
    pub(crate) fn copy(&self, len: usize) -> Result<Vec<u8>> {
        let mut state = self.state.borrow_mut();
        let had = state.head.len();
        if len > had {
            let mut head = std::mem::take(&mut state.head);
            head.fill_to(len, 0);
            self.fill(&mut state, &mut head[had..])?;
            state.head = head;
        }
        let mut bytes = Vec::new();
        bytes.put_slice(&state.head[..len]);
        Ok(bytes)
    }

    /// Fills `to` with bytes from `at` on, which must be where the last ones ended, or among those that
    /// [`Inflated::copy`] gave.
    ///
    /// # Errors
    /// As [`Inflated::copy`].
    pub(crate) fn read(&self, at: usize, to: &mut [u8]) -> Result<()> {
        let mut state = self.state.borrow_mut();
        let again = state.head.get(at..).unwrap_or_default();
        let again = &again[..again.len().min(to.len())];
        let (first, rest) = to.split_at_mut(again.len());
        first.copy_from_slice(again);
        if !rest.is_empty() && at + first.len() != state.done {
            return Err(Error::Usage(format!("byte {at} of a compressed entry, which is at {}", state.done)));
        }
        self.fill(&mut state, rest)
    }

    /// Checks that the data ends here, with the checksum that the directory has.
    ///
    /// # Errors
    /// As [`Inflated::copy`].
    pub(crate) fn end(self) -> Result<()> {
        let mut state = self.state.borrow_mut();
        let mut more = [0];
        let read = state.decoder.read(&mut more);
        if let Some(error) = state.decoder.get_mut().get_mut().failed.take() {
            return Err(error);
        }
        if state.done != self.entry.size || !matches!(read, Ok(0)) {
            return Err(self.malformed("its compressed data is longer than the directory says"));
        }
        if state.crc.sum() == self.entry.crc {
            Ok(())
        } else {
            Err(self.malformed("its compressed data has another checksum"))
        }
    }

    fn fill(&self, state: &mut State<'_>, to: &mut [u8]) -> Result<()> {
        let read = state.decoder.read_exact(to);
        if let Some(error) = state.decoder.get_mut().get_mut().failed.take() {
            return Err(error);
        }
        if read.is_err() {
            return Err(self.malformed("its compressed data is damaged or ends too soon"));
        }
        state.crc.update(to);
        state.done += to.len();
        Ok(())
    }

    /// Number of bytes.
    pub(crate) fn size(&self) -> usize {
        self.entry.size
    }

    /// The error for something wrong in the entry, whose bytes have no place in the file but its start.
    #[cold]
    pub(crate) fn malformed(&self, why: &str) -> Error {
        self.file.malformed(self.start, format!("{:?}: {why}", self.entry.name))
    }
}
