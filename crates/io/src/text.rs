//! Files of text, read part by part: decompressed, and checked to be UTF-8.

use crate::recognise::{Wanted, recognise};
pub use crate::unpack::MAX_RATIO;
use crate::unpack::{Source, Unpacked, damage, system_error};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::str::from_utf8;
use tokenbed_core::open::regular;
use tokenbed_core::{Error, Result};
use tokenbed_memory::{Text, with_room};

/// What happens to bytes that are not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidUtf8 {
    /// They are an error.
    Refuse,
    /// Each sequence of them that could not go on becomes one U+FFFD, as for `TextDecoder`.
    Replace,
}

/// A text file that is read from its beginning to its end, in memory that does not grow with it.
///
/// A file whose name ends in `.gz` or `.zst` is decompressed: all members of the one, all frames of the other. A byte order
/// mark is a character as any other, as for Node and Python.
pub struct TextFile {
    path: PathBuf,
    source: Unpacked,
    invalid: InvalidUtf8,
    /// Bytes that were read and are no text yet: the front of a character.
    bytes: Vec<u8>,
    /// Where in the text they begin.
    offset: u64,
    waiting: bool,
}

/// Bytes of text that are read at a time.
const PART: usize = 1 << 20;

impl TextFile {
    /// Opens a file or a pipe. Where it is compressed each of its bytes may become `ratio` bytes of text ([`MAX_RATIO`]).
    ///
    /// # Errors
    /// [`Error::File`] with the system's error; also for a folder, a socket or a device.
    pub fn open(path: &Path, invalid: InvalidUtf8, ratio: u64) -> Result<Self> {
        Ok(Self::over(Source::open(path)?, path, invalid, ratio))
    }

    /// Opens a file that is there whole: whoever reads it cannot wait for a pipe.
    ///
    /// # Errors
    /// As of [`TextFile::open`], and for a pipe.
    pub fn open_regular(path: &Path, invalid: InvalidUtf8, ratio: u64) -> Result<Self> {
        Ok(Self::over(Source::File(regular(path)?.file), path, invalid, ratio))
    }

    fn over(source: Source, path: &Path, invalid: InvalidUtf8, ratio: u64) -> Self {
        let source = Unpacked::over(source, path, ratio);
        Self { path: path.to_path_buf(), source, invalid, bytes: with_room(PART), offset: 0, waiting: false }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is a pipe, of which nothing more has come yet.
    pub fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// Bytes of the file that were read so far, if it is compressed.
    pub fn packed(&self) -> Option<u64> {
        self.source.packed()
    }

    /// Bytes of text that were given so far.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Appends the next part of the text, a megabyte or what there is; whether there may be more. Of a pipe that may be
    /// nothing for now: see [`TextFile::is_waiting`].
    ///
    /// # Errors
    /// [`Error::File`] where the system cannot read on; [`Error::Format`] for bytes that are no UTF-8, and for compressed data
    /// that is damaged, ends too soon, or becomes more than it may. Its offset counts bytes of the text, decompressed. Nothing more can be read then.
    pub fn read(&mut self, text: &mut String) -> Result<bool> {
        let room = (PART - self.bytes.len()) as u64;
        let read = (&mut self.source).take(room).read_to_end(&mut self.bytes);
        self.waiting = read.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        if !self.waiting {
            read.map_err(|error| self.failed(error))?;
        }
        let more = self.waiting || self.bytes.len() == PART;
        let kept = self.append(text, more)?;
        let done = self.bytes.len() - kept;
        self.offset += done as u64;
        self.bytes.drain(..done);
        Ok(more)
    }

    /// Appends the bytes as text, but for a last character that may go on: how many bytes it has.
    fn append(&self, text: &mut String, more: bool) -> Result<usize> {
        let error = match from_utf8(&self.bytes) {
            Ok(all) => {
                text.put_str(all);
                return Ok(0);
            }
            Err(error) => error,
        };
        if self.invalid == InvalidUtf8::Refuse && (error.error_len().is_some() || !more) {
            return Err(self.not_utf8(error.valid_up_to()));
        }
        let (valid, after) = self.bytes.split_at(error.valid_up_to());
        text.put_str(from_utf8(valid).unwrap_or_default());
        let mut rest = after.utf8_chunks().peekable();
        while let Some(chunk) = rest.next() {
            text.put_str(chunk.valid());
            let invalid = chunk.invalid();
            let may_go_on = more && rest.peek().is_none() && from_utf8(invalid).is_err_and(|e| e.error_len().is_none());
            if may_go_on {
                return Ok(invalid.len());
            }
            if !invalid.is_empty() {
                text.put_char(char::REPLACEMENT_CHARACTER);
            }
        }
        Ok(0)
    }

    #[cold]
    fn failed(&self, error: std::io::Error) -> Error {
        let path = self.path.clone();
        let Some(packing) = self.source.packing() else { return Error::File { path, action: "read", source: error } };
        if let Some(source) = system_error(&error) {
            return Error::File { path, action: "read", source };
        }
        let message = damage(packing, &error);
        Error::Format { path, offset: self.offset + self.bytes.len() as u64, message }
    }

    #[cold]
    fn not_utf8(&self, at: usize) -> Error {
        let offset = self.offset + at as u64;
        let byte = self.bytes[at];
        let place = self.source.packing().map_or("", |_| " of the decompressed text");
        // Of the first part its beginning is the file's.
        let found = if self.offset == 0 { recognise(&self.bytes, Wanted::Text) } else { None };
        let message = format!("byte {byte:#04x}{place} is no UTF-8, which text must be");
        let path = self.path.clone();
        match found {
            Some(found) => Error::Format { path, offset, message: format!("{message}; it looks like {found}") },
            None => Error::InvalidUtf8 { path, offset, message: format!("{message}, unless invalidUtf8 is 'replace'") },
        }
    }
}
