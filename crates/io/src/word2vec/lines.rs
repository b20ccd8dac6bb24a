//! Reads a file word by word or line by line, with a limit on the length of each.

use crate::ahead::Ahead;
use crate::recognise::{Wanted, recognise};
use crate::unpack::{Source, Unpacked, damage, system_error};
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use tokenbed_core::Error;
use tokenbed_core::open::{self, Regular};
use tokenbed_memory::{List, Slice, had};

/// Why a file cannot be read.
#[derive(Debug)]
pub(super) enum Wrong {
    /// The bytes at this offset are wrong.
    At(u64, String),
    /// The system failed, or there is no memory.
    Failed(Error),
    /// The system or the decompressor failed to read.
    Read(std::io::Error),
}

impl From<Error> for Wrong {
    fn from(error: Error) -> Self {
        Wrong::Failed(error)
    }
}

impl From<std::io::Error> for Wrong {
    fn from(error: std::io::Error) -> Self {
        Wrong::Read(error)
    }
}

pub(super) struct Lines {
    path: PathBuf,
    source: Ahead<BufReader<Unpacked>>,
    /// Number of decompressed bytes that were taken.
    offset: u64,
    /// Size of the file in bytes.
    size: u64,
}

/// Number of bytes that are read at a time.
const BUFFER: usize = 1 << 20;

impl Lines {
    pub(super) fn open(path: &Path, ratio: u64) -> Result<Self, Error> {
        let Regular { file, len: size } = open::regular(path)?;
        let source = Unpacked::over(Source::File(file), path, ratio);
        let source = Ahead::new(BufReader::with_capacity(had(BUFFER), source));
        Ok(Self { path: path.to_path_buf(), source, offset: 0, size })
    }

    /// The source of the bytes.
    fn unpacked(&self) -> &Unpacked {
        self.source.get_ref().get_ref()
    }

    /// The next bytes, at most `most`, and whether the file ends after them. They are not taken.
    pub(super) fn look(&mut self, most: usize) -> (&[u8], bool) {
        self.source.look(most)
    }

    /// The error for a file that is not what was wanted from its beginning on: it says what the file is instead, if
    /// that is recognised.
    #[cold]
    pub(super) fn refused(&self, message: &str, wanted: Wanted) -> Wrong {
        let found = recognise(self.source.seen(), wanted);
        Wrong::At(0, found.map_or(message.into(), |found| found.instead_of(wanted)))
    }

    /// Takes these bytes, if they come next.
    pub(super) fn skip(&mut self, bytes: &[u8]) {
        if self.look(bytes.len()).0 == bytes {
            self.source.consume(bytes.len());
            self.offset += bytes.len() as u64;
        }
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Largest number of bytes that can follow; `None` if that is not known.
    pub(super) fn most_left(&self) -> Option<u64> {
        Some(self.unpacked().most(self.size).saturating_sub(self.offset))
    }

    pub(super) fn is_compressed(&self) -> bool {
        self.unpacked().packing().is_some()
    }

    pub(super) fn wrong(&self, message: &str) -> Wrong {
        Wrong::At(self.offset, message.into())
    }

    #[cold]
    pub(super) fn explain(&self, wrong: Wrong) -> Error {
        let path = self.path.clone();
        match wrong {
            Wrong::At(offset, message) => Error::Format { path, offset, message },
            Wrong::Failed(error) => error,
            Wrong::Read(error) => match (self.unpacked().packing(), system_error(&error)) {
                (Some(packing), None) => Error::Format { path, offset: self.offset, message: damage(packing, &error) },
                (_, source) => Error::File { path, action: "read", source: source.unwrap_or(error) },
            },
        }
    }

    /// Takes the bytes before `end`, and `end` itself, which is not returned; `None` at the end of the file. More
    /// than `most` bytes are refused.
    fn until(&mut self, end: u8, most: usize) -> Result<Option<(Vec<u8>, bool)>, Wrong> {
        let mut bytes: Vec<u8> = Vec::new();
        let (mut taken, mut ended) = (0, false);
        while !ended && taken <= most {
            let next = match self.source.fill_buf() {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                next => next?,
            };
            if next.is_empty() {
                break;
            }
            let next = &next[..next.len().min(most + 1 - taken)];
            let found = memchr::memchr(end, next);
            ended = found.is_some();
            bytes.put_slice(&next[..found.unwrap_or(next.len())]);
            let len = found.map_or(next.len(), |at| at + 1);
            self.source.consume(len);
            taken += len;
        }
        if !ended && taken > most {
            return Err(self.wrong(&format!("more than {most} bytes without an end: not a file of this format")));
        }
        self.offset += taken as u64;
        Ok((taken > 0).then_some((bytes, ended)))
    }

    /// Appends the next bytes, until there are `most` in all, and returns whether the file ends with them.
    pub(super) fn fill(&mut self, bytes: &mut Vec<u8>, most: usize) -> Result<bool, Wrong> {
        while bytes.len() < most {
            let next = self.source.fill_buf()?;
            if next.is_empty() {
                return Ok(true);
            }
            let len = next.len().min(most - bytes.len());
            bytes.put_slice(&next[..len]);
            self.source.consume(len);
            self.offset += len as u64;
        }
        Ok(false)
    }

    /// The next line, without its line break.
    pub(super) fn line(&mut self, most: usize) -> Result<Option<Vec<u8>>, Wrong> {
        Ok(self.until(b'\n', most)?.map(|(mut line, _)| {
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            line
        }))
    }

    /// The next word: the bytes before a space. The line break that some programs write after a vector is not part of
    /// it.
    pub(super) fn word(&mut self) -> Result<Option<Vec<u8>>, Wrong> {
        let Some((word, ended)) = self.until(b' ', super::LONGEST_WORD)? else { return Ok(None) };
        let breaks = word.iter().take_while(|&&byte| byte == b'\n').count();
        Ok(ended.then(|| word[breaks..].to_list()))
    }

    /// Fills `bytes`; `None` if the file ends before.
    pub(super) fn bytes(&mut self, bytes: &mut [u8]) -> Result<Option<()>, Wrong> {
        match self.source.read_exact(bytes) {
            Ok(()) => {
                self.offset += bytes.len() as u64;
                Ok(Some(()))
            }
            // This includes compressed data that ends too soon: the message says in either case that the file is cut
            // short.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof && system_error(&error).is_none() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Refuses a file that continues with anything but line breaks.
    pub(super) fn expect_end(&mut self) -> Result<(), Wrong> {
        loop {
            let next = self.source.fill_buf()?;
            if next.is_empty() {
                return Ok(());
            }
            let (len, blank) = (next.len(), next.iter().all(u8::is_ascii_whitespace));
            if !blank {
                return Err(self.wrong("more words follow than the first line promises"));
            }
            self.source.consume(len);
            self.offset += len as u64;
        }
    }
}
