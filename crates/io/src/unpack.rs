//! The bytes of a file, decompressed where its name says that they are compressed.

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

/// A file to read from: of `.gz` all members one after the other, of `.zst` all frames.
pub(crate) enum Unpacked {
    Plain(File),
    Gzip(Box<MultiGzDecoder<BufReader<File>>>),
    Zstd(Box<Frames<BufReader<File>>>),
}

/// Bytes that are read of a compressed file at a time.
const BUFFER: usize = 64 << 10;

/// The largest window that is accepted, as by the `zstd` program: memory that a file can make us take.
const MAX_WINDOW: u64 = 128 << 20;

impl Unpacked {
    /// Opens a file; its name's ending says how its bytes are packed.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        if file.metadata()?.is_dir() {
            // Some systems open folders, and complain when they are read: that complaint has the number.
            file.read_exact(&mut [0])?;
            return Err(ErrorKind::IsADirectory.into());
        }
        let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
        Ok(match ending.as_ref().and_then(|ending| ending.to_str()) {
            Some("gz") => Self::Gzip(Box::new(MultiGzDecoder::new(BufReader::with_capacity(BUFFER, file)))),
            Some("zst") => Self::Zstd(Box::new(Frames::new(BufReader::with_capacity(BUFFER, file)))),
            _ => Self::Plain(file),
        })
    }

    /// What the bytes are packed with, if they are.
    pub(crate) fn packing(&self) -> Option<&'static str> {
        match self {
            Self::Plain(_) => None,
            Self::Gzip(_) => Some("gzip"),
            Self::Zstd(_) => Some("zstd"),
        }
    }
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(buffer),
            Self::Gzip(members) => members.read(buffer),
            Self::Zstd(frames) => frames.read(buffer),
        }
    }
}

/// The system's own error behind one that a decompressor may have wrapped; none where the bytes are to blame.
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

/// Zstandard frames one after the other; skippable ones are skipped, checksums compared.
pub(crate) struct Frames<R> {
    source: R,
    decoder: FrameDecoder,
    /// Whether the decoder is within a frame.
    within: bool,
    /// Whether a frame was there: a file without one was cut short.
    any: bool,
}

impl<R: BufRead> Frames<R> {
    fn new(source: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MAX_WINDOW);
        Self { source, decoder, within: false, any: false }
    }

    /// Begins the next frame, if there is one.
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
