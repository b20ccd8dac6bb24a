//! An entry of an archive: what the directory says of it, and where its bytes lie.

use super::{CENTRAL, CENTRAL_BYTES, ELSEWHERE, Inflated, LOCAL, LOCAL_BYTES, LONG_SIZES, place};
use crate::mapped::Source;
use crate::unpack::FREE;
use std::cell::Cell;
use tokenbed_core::Result;
use tokenbed_memory::{owned, zeroed};

/// The bits of an entry that say: encrypted; its sizes stand behind its bytes.
const ENCRYPTED: u16 = 1;
const SIZES_BEHIND: u16 = 1 << 3;

/// How many bytes one byte of DEFLATE can become.
const MOST_GROWTH: usize = 1032;

/// An entry of an archive.
#[derive(Debug)]
pub(crate) struct Entry {
    pub name: String,
    /// Whether its bytes are compressed, by DEFLATE.
    pub deflated: bool,
    /// Number of its bytes in the file.
    pub packed: usize,
    /// Number of its bytes.
    pub size: usize,
    pub crc: u32,
    /// Byte offset of its header.
    pub at: usize,
    /// Byte offset of what lies behind it.
    pub limit: usize,
    flags: u16,
}

impl Entry {
    /// All bytes.
    ///
    /// # Errors
    /// As [`Entry::start`], and [`tokenbed_core::Error::Format`] if its compressed data is damaged or becomes more than
    /// is allowed.
    pub(crate) fn bytes(&self, file: &Source, growth: &Growth) -> Result<Vec<u8>> {
        let start = self.start(file)?;
        if !self.deflated {
            return file.copy(start, self.size);
        }
        growth.take(file, self)?;
        let inflated = Inflated::new(file, self, start);
        let mut bytes: Vec<u8> = zeroed(self.size);
        inflated.read(0, &mut bytes)?;
        inflated.end()?;
        Ok(bytes)
    }
}

/// The sizes and the place of an entry, each of which may stand in the extra field of 64 bits.
struct Sizes {
    size: u64,
    packed: u64,
    at: u64,
}

impl Entry {
    /// Reads the entry at the start of these bytes of the directory, and says how many of them it takes.
    pub(super) fn read(bytes: &[u8]) -> std::result::Result<(Self, usize), String> {
        let fixed = bytes.get(..CENTRAL_BYTES).ok_or("an entry of the directory is cut short")?;
        if !fixed.starts_with(CENTRAL) {
            return Err("an entry of the directory should begin here".into());
        }
        let half = |at: usize| u16::from_le_bytes([fixed[at], fixed[at + 1]]);
        let word = |at: usize| u32::from_le_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
        let (name, extra, comment) = (half(28).into(), usize::from(half(30)), usize::from(half(32)));
        let len = CENTRAL_BYTES + name + extra + comment;
        let rest = bytes.get(CENTRAL_BYTES..len).ok_or("an entry of the directory is cut short")?;
        let (name, rest) = rest.split_at(name);
        let name = std::str::from_utf8(name).map_err(|_| "the name of an entry is not UTF-8")?;
        let (flags, method) = (half(8), half(10));
        let wrong = |why: &str| Err(format!("{name:?} {why}"));
        if flags & ENCRYPTED != 0 {
            return wrong("is encrypted: write the archive without a password");
        }
        if method != 0 && method != 8 {
            return wrong(&format!("is compressed by {}: store or deflate it", method_name(method)));
        }
        if half(34) != 0 && half(34) != u16::MAX {
            return wrong("is in another part of the archive: join them first");
        }
        let (packed, size, at) = (word(20), word(24), word(42));
        let mut sizes = Sizes { size: size.into(), packed: packed.into(), at: at.into() };
        sizes.read_long(&rest[..extra], [size, packed, at]).map_err(|why| format!("{name:?} {why}"))?;
        let (packed, size) = (place(sizes.packed), place(sizes.size));
        let deflated = method == 8;
        if !deflated && packed != size {
            return wrong(&format!("is not compressed, and yet {size} bytes are said to take {packed}"));
        }
        if deflated && size > packed.saturating_mul(MOST_GROWTH) {
            return wrong(&format!("has {packed} bytes, which cannot become {size}"));
        }
        let entry =
            Self { name: owned(name), deflated, packed, size, crc: word(16), at: place(sizes.at), limit: 0, flags };
        Ok((entry, len))
    }

    /// Byte offset of the entry's bytes, once its own header agrees with the directory.
    ///
    /// # Errors
    /// [`tokenbed_core::Error::Format`] if the header differs, or the bytes reach into what lies behind them;
    /// [`tokenbed_core::Error::File`] if it cannot be read.
    pub(crate) fn start(&self, file: &Source) -> Result<usize> {
        let header = file.copy(self.at, LOCAL_BYTES + self.name.len())?;
        let wrong = |why: &str| file.malformed(self.at, format!("{:?}: its header {why}", self.name));
        let half = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        if !header.starts_with(LOCAL) {
            return Err(wrong("is not where the directory says"));
        }
        let (name, extra) = (usize::from(half(26)), usize::from(half(28)));
        if name != self.name.len() || &header[LOCAL_BYTES..] != self.name.as_bytes() {
            return Err(wrong("has another name than the directory"));
        }
        let is_same = |short: u32, long: usize| short == ELSEWHERE || short as usize == long;
        let sizes = is_same(word(18), self.packed) && is_same(word(22), self.size) && word(14) == self.crc;
        // Whoever wrote the sizes behind the bytes did not know them here.
        let behind = half(6) & SIZES_BEHIND != 0;
        if (half(6) ^ self.flags) & (ENCRYPTED | SIZES_BEHIND) != 0
            || half(8) != if self.deflated { 8 } else { 0 }
            || !(sizes || behind)
        {
            return Err(wrong("contradicts the directory"));
        }
        let start = self.at + LOCAL_BYTES + name + extra;
        // The directory's own sizes were checked to fit, so neither sum overflows.
        if start.checked_add(self.packed).is_none_or(|end| end > self.limit) {
            return Err(wrong(&format!("leaves no room before what lies behind it, at {}", self.limit)));
        }
        Ok(start)
    }
}

/// How many bytes compressed entries may still become. An entry of a few bytes can become a thousand times as many, so
/// an archive of a gigabyte could take all memory.
#[derive(Debug)]
pub(crate) struct Growth {
    left: Cell<usize>,
    most: usize,
    ratio: u64,
}

impl Growth {
    /// Of a file each of whose bytes may become `ratio` bytes, beyond what every file may.
    pub(crate) fn of(file: &Source, ratio: u64) -> Self {
        let most = place((file.len() as u64).saturating_mul(ratio).saturating_add(FREE));
        Self { left: Cell::new(most), most, ratio }
    }

    /// Number of bytes that entries became so far.
    pub(crate) fn taken(&self) -> usize {
        self.most - self.left.get()
    }

    /// Counts the bytes of an entry, before any is made.
    pub(crate) fn take(&self, file: &Source, entry: &Entry) -> Result<()> {
        match self.left.get().checked_sub(entry.size) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => {
                let Self { ratio, .. } = self;
                let message = format!(
                    "{:?} of {} bytes would become {}: all compressed entries together may become {ratio} times the \
                     file, the limit maxRatio: give a larger one if this is meant",
                    entry.name, entry.packed, entry.size
                );
                Err(file.malformed(entry.at, message))
            }
        }
    }
}

impl Sizes {
    /// Reads the extra field of 64-bit sizes, which has those alone whose short form says so.
    fn read_long(&mut self, mut extra: &[u8], short: [u32; 3]) -> std::result::Result<(), &'static str> {
        if !short.contains(&ELSEWHERE) {
            return Ok(());
        }
        while let Some((head, rest)) = extra.split_first_chunk::<4>() {
            let (kind, len) =
                (u16::from_le_bytes([head[0], head[1]]), usize::from(u16::from_le_bytes([head[2], head[3]])));
            let mut field = rest.get(..len).ok_or("has an extra field that is cut short")?;
            extra = &rest[len..];
            if kind != LONG_SIZES {
                continue;
            }
            for (short, long) in short.into_iter().zip([&mut self.size, &mut self.packed, &mut self.at]) {
                if short == ELSEWHERE {
                    let (number, rest) = field.split_first_chunk().ok_or("lacks a size of 64 bits")?;
                    (*long, field) = (u64::from_le_bytes(*number), rest);
                }
            }
            return Ok(());
        }
        Err("lacks its sizes of 64 bits")
    }
}

/// What a method of compression is called.
fn method_name(method: u16) -> String {
    match method {
        9 => "Deflate64".into(),
        12 => "bzip2".into(),
        14 => "LZMA".into(),
        93 => "zstd".into(),
        95 => "xz".into(),
        other => format!("method {other}"),
    }
}
