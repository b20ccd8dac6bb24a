//! Text files that are read part by part, decompressed, and checked to be UTF-8.

use crate::recognise::{Wanted, recognise};
pub use crate::unpack::MAX_RATIO;
use crate::unpack::{Source, Unpacked, damage, system_error};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
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
    /// Each invalid sequence becomes one U+FFFD, as with `TextDecoder`.
    Replace,
}

/// A text file that is read from beginning to end, in memory that does not grow with it.
///
/// A file whose name ends in `.gz` or `.zst` is decompressed, with all members or frames. A byte order mark is a
/// character like any other, as in Node and Python.
pub struct TextFile {
    path: PathBuf,
    source: Unpacked,
    invalid: InvalidUtf8,
    /// Bytes that were read but are not text yet: the beginning of a character.
    bytes: Vec<u8>,
    /// Offset of these bytes in the text, of which a part of a file begins inside.
    offset: u64,
    /// Bytes that the part of a file still has; None for a whole one.
    left: Option<u64>,
    waiting: bool,
}

/// Number of bytes of text that are read at a time.
const PART: usize = 1 << 20;

impl TextFile {
    /// Opens a file or a pipe. If it is compressed, each of its bytes may become `ratio` bytes of text
    /// ([`MAX_RATIO`]).
    ///
    /// # Errors
    /// [`Error::File`] with the system's error; also for a folder, a socket or a device.
    pub fn open(path: &Path, invalid: InvalidUtf8, ratio: u64) -> Result<Self> {
        Ok(Self::over(Source::open(path)?, path, invalid, ratio))
    }

    /// Opens a regular file, for readers that cannot wait for a pipe.
    ///
    /// # Errors
    /// The same as [`TextFile::open`], and for a pipe.
    pub fn open_regular(path: &Path, invalid: InvalidUtf8, ratio: u64) -> Result<Self> {
        Ok(Self::over(Source::File(regular(path)?.file), path, invalid, ratio))
    }

    /// Opens the bytes from `from` to before `to` of a regular file that is not compressed. Offsets in errors are those
    /// of the file.
    ///
    /// # Errors
    /// The same as [`TextFile::open_regular`]. One that ends before `to` is an error when it is read.
    pub fn open_part(path: &Path, invalid: InvalidUtf8, (from, to): (u64, u64)) -> Result<Self> {
        let mut file = regular(path)?.file;
        let fail = |source| Error::File { path: path.to_path_buf(), action: "read", source };
        file.seek(SeekFrom::Start(from)).map_err(fail)?;
        let whole = Self::over(Source::File(file), path, invalid, MAX_RATIO);
        Ok(Self { offset: from, left: Some(to.saturating_sub(from)), ..whole })
    }

    fn over(source: Source, path: &Path, invalid: InvalidUtf8, ratio: u64) -> Self {
        let source = Unpacked::over(source, path, ratio);
        let path = path.to_path_buf();
        Self { path, source, invalid, bytes: with_room(PART), offset: 0, left: None, waiting: false }
    }

    /// Path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this is a pipe from which nothing more has come yet.
    pub fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// Number of bytes of the file that were read so far, if it is compressed.
    pub fn packed(&self) -> Option<u64> {
        self.source.packed()
    }

    /// Number of bytes of text before the next part: those that were returned so far, and those before a part of a
    /// file.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Appends the next part of the text, a megabyte or what there is, and returns whether there may be more. For a
    /// pipe the part may be empty for now: see [`TextFile::is_waiting`].
    ///
    /// # Errors
    /// [`Error::File`] if the system fails to read; [`Error::Format`] for bytes that are not UTF-8, and for
    /// compressed data that is damaged, ends too soon, or becomes larger than allowed. Its offset counts bytes of the
    /// decompressed text. After an error nothing more can be read.
    pub fn read(&mut self, text: &mut String) -> Result<bool> {
        let free = (PART - self.bytes.len()) as u64;
        let room = self.left.map_or(free, |left| left.min(free));
        let read = (&mut self.source).take(room).read_to_end(&mut self.bytes);
        self.waiting = read.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        let count = if self.waiting { 0 } else { read.map_err(|error| self.failed(error))? as u64 };
        if let Some(left) = &mut self.left {
            *left -= count;
            if count < room {
                return Err(self.cut_short());
            }
        }
        let more = self.waiting || self.left.map_or(self.bytes.len() == PART, |left| left > 0);
        let kept = self.append(text, more)?;
        let done = self.bytes.len() - kept;
        self.offset += done as u64;
        self.bytes.drain(..done);
        Ok(more)
    }

    /// Appends the bytes as text, except for an incomplete last character, and returns its number of bytes.
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
    fn cut_short(&self) -> Error {
        let source = std::io::Error::new(ErrorKind::UnexpectedEof, "it was cut short while it was read");
        Error::File { path: self.path.clone(), action: "read", source }
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
        // The beginning of the first part is the beginning of the file.
        let found = if self.offset == 0 { recognise(&self.bytes, Wanted::Text) } else { None };
        let message = format!("byte {byte:#04x}{place} is not UTF-8, which text must be");
        let path = self.path.clone();
        match found {
            Some(found) => Error::Format { path, offset, message: format!("{message}; it looks like {found}") },
            None => Error::InvalidUtf8 { path, offset, message: format!("{message}, unless invalidUtf8 is 'replace'") },
        }
    }
}
