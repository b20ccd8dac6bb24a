//! The bytes of a file, decompressed if its name says that they are compressed.

use crate::pipe::Pipe;
use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::Path;
use tokenbed_core::open::{self, Stream};
use tokenbed_core::{Error, Result};
use tokenbed_memory::had;

/// A source of bytes.
pub(crate) enum Source {
    File(File),
    Pipe(Pipe),
}

impl Source {
    /// Opens a file or a pipe.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let fail = |source| Error::File { path: path.to_path_buf(), action: "open", source };
        Ok(match open::stream(path)? {
            Stream::File(file) => Self::File(file),
            // A decompressor cannot stop halfway, so a compressed pipe is patient.
            Stream::Pipe => Self::Pipe(Pipe::open(path, ending(path).is_some()).map_err(fail)?),
        })
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Pipe(pipe) => pipe.read(buffer),
        }
    }
}

/// The decompressed bytes of a file: all members of `.gz`, all frames of `.zst`.
pub(crate) struct Unpacked {
    bytes: Bytes,
    /// Number of bytes that were returned.
    given: u64,
    /// Largest number of bytes that each byte of the file may become.
    ratio: u64,
}

enum Bytes {
    Plain(Source),
    Gzip(Box<MultiGzDecoder<BufReader<Counted>>>),
    Zstd(Box<Frames<BufReader<Counted>>>),
}

/// A source whose bytes are counted.
pub(crate) struct Counted {
    source: Source,
    read: u64,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.read += read as u64;
        Ok(read)
    }
}

/// The compression that the file's name tells.
fn ending(path: &Path) -> Option<&'static str> {
    let ending = path.extension()?.to_ascii_lowercase();
    ["gz", "zst"].into_iter().find(|known| ending == *known)
}

/// Default for the number of bytes that each byte of a compressed file may become. Text becomes three to ten times as
/// long, repetitive logs a hundred times. gzip can reach 1,032, zstd thirty thousand.
pub const MAX_RATIO: u64 = 200;

/// Number of bytes that every compressed file may become, whatever its size.
pub(crate) const FREE: u64 = 16 << 20;

/// Number of bytes of a compressed file that are read at a time.
const BUFFER: usize = 64 << 10;

/// The largest window that is accepted, as in the `zstd` program. A file can make us take that much memory.
const MAX_WINDOW: u64 = 128 << 20;

impl Unpacked {
    /// The content of an open file. The ending of its name tells the compression; each byte may become `ratio` bytes,
    /// plus [`FREE`].
    pub(crate) fn over(source: Source, path: &Path, ratio: u64) -> Self {
        let counted = |source| BufReader::with_capacity(had(BUFFER), Counted { source, read: 0 });
        let bytes = match ending(path) {
            Some("gz") => Bytes::Gzip(Box::new(MultiGzDecoder::new(counted(source)))),
            Some("zst") => Bytes::Zstd(Box::new(Frames::new(counted(source)))),
            _ => Bytes::Plain(source),
        };
        Self { bytes, given: 0, ratio }
    }

    /// The compression, if any.
    pub(crate) fn packing(&self) -> Option<&'static str> {
        match self.bytes {
            Bytes::Plain(_) => None,
            Bytes::Gzip(_) => Some("gzip"),
            Bytes::Zstd(_) => Some("zstd"),
        }
    }

    /// Number of bytes of the file that were read so far, if it is compressed.
    pub(crate) fn packed(&self) -> Option<u64> {
        match &self.bytes {
            Bytes::Plain(_) => None,
            Bytes::Gzip(members) => Some(members.get_ref().get_ref().read),
            Bytes::Zstd(frames) => Some(frames.source.get_ref().read),
        }
    }

    /// Largest number of bytes that a file of `size` bytes can become.
    pub(crate) fn most(&self, size: u64) -> u64 {
        if self.packing().is_some() { size.saturating_mul(self.ratio).saturating_add(FREE) } else { size }
    }
}

/// More came out of a file than is allowed.
#[derive(Debug)]
pub(crate) struct TooMuch(u64);

impl std::fmt::Display for TooMuch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(ratio) = self;
        write!(f, "each of its bytes becomes more than {ratio}, the limit maxRatio: give a larger one if this is meant")
    }
}

impl std::error::Error for TooMuch {}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = loop {
            let read = match &mut self.bytes {
                Bytes::Plain(source) => source.read(buffer),
                Bytes::Gzip(members) => members.read(buffer),
                Bytes::Zstd(frames) => frames.read(buffer),
            };
            match read {
                // A signal interrupted the read. Callers of `fill_buf` do not try again, so this does.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.given += read as u64;
        if self.packed().is_some_and(|packed| self.given > self.most(packed)) {
            return Err(io::Error::other(TooMuch(self.ratio)));
        }
        Ok(read)
    }
}

/// The message for a compressed file whose bytes, and not the system, are at fault.
pub(crate) fn damage(packing: &str, error: &io::Error) -> String {
    if error.get_ref().is_some_and(|inner| inner.is::<TooMuch>()) {
        return format!("the {packing} data was left, after this much text: {error}");
    }
    format!("the {packing} data is damaged or ends too soon, after this much text: {error}")
}

/// The system's own error inside one that a decompressor may have wrapped; `None` if the bytes are at fault.
pub(crate) fn system_error(error: &io::Error) -> Option<io::Error> {
    if let Some(number) = error.raw_os_error() {
        return Some(io::Error::from_raw_os_error(number));
    }
    let mut cause = error.get_ref().map(|inner| inner as &(dyn std::error::Error + 'static));
    while let Some(inner) = cause {
        if let Some(number) = inner.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error) {
            return Some(io::Error::from_raw_os_error(number));
        }
        cause = inner.source();
    }
    None
}

/// Zstandard frames, one after the other. Skippable frames are skipped, and checksums are compared.
pub(crate) struct Frames<R> {
    source: R,
    decoder: FrameDecoder,
    /// Whether the decoder is inside a frame.
    within: bool,
    /// Whether there was any frame. A file without one was cut short.
    any: bool,
}

impl<R: BufRead> Frames<R> {
    fn new(source: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MAX_WINDOW);
        Self { source, decoder, within: false, any: false }
    }

    /// Begins the next frame, and returns whether there is one.
    fn begin(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            self.any = true;
            match self.decoder.reset(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    self.skip(length.into())?;
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        if self.any { Ok(false) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }

    fn skip(&mut self, length: u64) -> io::Result<()> {
        let skipped = io::copy(&mut (&mut self.source).take(length), &mut io::sink())?;
        if skipped == length { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }

    fn check(&self) -> io::Result<()> {
        match self.decoder.get_checksum_from_data() {
            Some(sum) if self.decoder.get_calculated_checksum() != Some(sum) => {
                Err(io::Error::new(ErrorKind::InvalidData, "the checksum is another"))
            }
            _ => Ok(()),
        }
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.within {
                if !self.begin()? {
                    return Ok(0);
                }
                self.within = true;
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder.decode_blocks(&mut self.source, one).map_err(io::Error::other)?;
            }
            let read = self.decoder.read(buffer)?;
            if read > 0 {
                return Ok(read);
            }
            self.check()?;
            self.within = false;
        }
    }
}
