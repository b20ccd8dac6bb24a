//! Zip archives, as PyTorch and NumPy write them: which files they hold, and where the bytes of each lie.
//!
//! This is our own code. What is needed here is the place of a stored entry in the file, so that it can be mapped, and
//! a directory that is checked before anything is believed; the crates that read archives hand out streams, and
//! allocate what a header says.
//!
//! The directory at the end of the file says what is in it. Every entry's header must agree with it, and no two entries
//! may share bytes: otherwise a small file could hold the same compressed bytes a million times.

mod entry;
mod inflate;
mod writer;

use crate::mapped::Source;
use std::collections::HashSet;
use tokenbed_core::Result;
use tokenbed_memory::{Gather, List, Set, owned};

pub(crate) use entry::{Entry, Growth};
pub(crate) use inflate::Inflated;
pub(crate) use writer::ZipWriter;

/// A byte offset in the file, and what is wrong there.
pub(crate) type Wrong = (usize, String);

/// The signatures of the records, and their sizes without what varies.
const END: &[u8; 4] = b"PK\x05\x06";
const END_BYTES: usize = 22;
const LOCATOR: &[u8; 4] = b"PK\x06\x07";
const LOCATOR_BYTES: usize = 20;
const LONG_END: &[u8; 4] = b"PK\x06\x06";
const LONG_END_BYTES: usize = 56;
const CENTRAL: &[u8; 4] = b"PK\x01\x02";
const CENTRAL_BYTES: usize = 46;
const LOCAL: &[u8; 4] = b"PK\x03\x04";
const LOCAL_BYTES: usize = 30;
/// The longest comment, which stands behind the last record.
const MOST_COMMENT: usize = 0xffff;
/// A size or an offset that stands in an extra field of 64 bits instead.
const ELSEWHERE: u32 = u32::MAX;
/// The extra field of 64-bit sizes.
const LONG_SIZES: u16 = 1;

/// The entries of an archive, in the order of its directory.
#[derive(Debug)]
pub(crate) struct Archive {
    pub entries: Vec<Entry>,
}

impl Archive {
    /// Reads the directory of an archive and checks that its entries lie in the file, one behind the other.
    ///
    /// # Errors
    /// [`tokenbed_core::Error::Format`] if the file is no archive or its directory lies;
    /// [`tokenbed_core::Error::File`] if it cannot be read.
    pub(crate) fn read(file: &Source) -> Result<Self> {
        let wrong = |(offset, message): Wrong| file.malformed(offset, message);
        let directory = Directory::find(file)?;
        let bytes = file.copy(directory.start, directory.len)?;
        let mut entries = directory.entries(&bytes).map_err(|(at, why)| wrong((directory.start + at, why)))?;
        limit(&mut entries, directory.start).map_err(wrong)?;
        Ok(Self { entries })
    }

    /// The entry of a name.
    pub(crate) fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }
}

/// Where the directory lies.
#[derive(Clone, Copy, Debug)]
struct Directory {
    start: usize,
    len: usize,
    count: usize,
}

impl Directory {
    /// Finds the directory by the records at the end of the file.
    fn find(file: &Source) -> Result<Self> {
        let size = file.len();
        let from = size.saturating_sub(END_BYTES + MOST_COMMENT);
        let tail = file.copy(from, size - from)?;
        let Some(end) = end_of(&tail) else {
            return Err(file.malformed(size, "no zip archive: its directory is missing, the file is cut short".into()));
        };
        let at = from + end;
        let record = &tail[end..];
        let (disks, here, count) = (half(record, 4)? | half(record, 6)?, half(record, 8)?, half(record, 10)?);
        let (len, start) = (word(record, 12)?, word(record, 16)?);
        let mut found = Self { start: start as usize, len: len as usize, count: count.into() };
        let mut behind = at;
        let locator = end.checked_sub(LOCATOR_BYTES).map(|start| &tail[start..end]);
        if let Some(locator) = locator.filter(|locator| locator.starts_with(LOCATOR)) {
            behind = place(long(locator, 8)?);
            found = Self::long(file, behind, at - LOCATOR_BYTES)?;
            let same = |short: u32, long: usize| short == ELSEWHERE || short as usize == long;
            let counts = count == u16::MAX || usize::from(count) == found.count;
            if !same(len, found.len) || !same(start, found.start) || !counts {
                return Err(file.malformed(at, "the zip archive has two ends, which contradict each other".into()));
            }
        } else if disks != 0 || here != count {
            return Err(file.malformed(at, "the zip archive is one of several parts: join them first".into()));
        }
        if found.start.checked_add(found.len) != Some(behind) {
            let message = format!(
                "the directory of the zip archive has {} bytes from {} on, and its end is at {behind}",
                found.len, found.start
            );
            return Err(file.malformed(at, message));
        }
        // Checked before anything is allocated by the count.
        if found.count > found.len / CENTRAL_BYTES {
            let message = format!("{} entries cannot be in a directory of {} bytes", found.count, found.len);
            return Err(file.malformed(at, message));
        }
        Ok(found)
    }

    /// Reads the end record with 64-bit sizes, which must reach to `end`.
    fn long(file: &Source, at: usize, end: usize) -> Result<Self> {
        let wrong = |why: &str| Err(file.malformed(at.min(file.len()), why.into()));
        if at.checked_add(LONG_END_BYTES).is_none_or(|least| least > end) {
            return wrong("the zip archive's end of 64 bits lies outside the file");
        }
        let record = file.copy(at, LONG_END_BYTES)?;
        let rest = place(long(&record, 4)?);
        if !record.starts_with(LONG_END) || rest.checked_add(12).and_then(|all| at.checked_add(all)) != Some(end) {
            return wrong("the zip archive's end of 64 bits is not where its locator says");
        }
        let (count, all) = (long(&record, 24)?, long(&record, 32)?);
        if count != all || word(&record, 16)? != 0 || word(&record, 20)? != 0 {
            return wrong("the zip archive is one of several parts: join them first");
        }
        Ok(Self { start: place(long(&record, 48)?), len: place(long(&record, 40)?), count: place(all) })
    }

    /// The entries of the directory, whose bytes these are. An error's place is counted from the directory's start.
    fn entries(&self, bytes: &[u8]) -> std::result::Result<Vec<Entry>, Wrong> {
        let mut entries = Vec::new();
        let mut names = HashSet::new();
        let mut at = 0;
        while at < bytes.len() {
            let (entry, len) = Entry::read(&bytes[at..]).map_err(|why| (at, why))?;
            let place = entry.at;
            if place.checked_add(LOCAL_BYTES).is_none_or(|end| end > self.start) {
                return Err((at, format!("{:?} lies at {place}, outside the archive's entries", entry.name)));
            }
            if !Set::put(&mut names, owned(&entry.name)) {
                return Err((at, format!("two entries of the zip archive are called {:?}", entry.name)));
            }
            entries.put(entry);
            at += len;
        }
        if entries.len() == self.count {
            return Ok(entries);
        }
        Err((at, format!("the directory has {} entries, and its end says {}", entries.len(), self.count)))
    }
}

/// Tells each entry where the next one begins, so that none can reach into another.
fn limit(entries: &mut [Entry], directory: usize) -> std::result::Result<(), Wrong> {
    let mut order: Vec<usize> = (0..entries.len()).into_list();
    order.sort_unstable_by_key(|&index| entries[index].at);
    let mut next = directory;
    for &index in order.iter().rev() {
        let entry = &mut entries[index];
        entry.limit = next;
        let least = entry.at.checked_add(LOCAL_BYTES + entry.name.len()).and_then(|at| at.checked_add(entry.packed));
        if least.is_none_or(|end| end > next) {
            let message = format!("{:?} reaches into what lies behind it, at {next}", entry.name);
            return Err((entry.at, message));
        }
        next = entry.at;
    }
    Ok(())
}

/// Index of the end record: the last one whose comment reaches exactly to the end of the file.
fn end_of(tail: &[u8]) -> Option<usize> {
    let last = tail.len().checked_sub(END_BYTES)?;
    (0..=last).rev().find(|&at| {
        let record = &tail[at..];
        record.starts_with(END) && half(record, 20).is_ok_and(|len| usize::from(len) == record.len() - END_BYTES)
    })
}

/// An offset or a size. One that no memory holds lies outside any file.
fn place(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A record is shorter than its fields. Records are cut to their length before they are read, so this is a bug's
/// error.
fn short<T>() -> Result<T> {
    Err(tokenbed_core::Error::Usage("a record of a zip archive is too short".into()))
}

fn half(bytes: &[u8], at: usize) -> Result<u16> {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or_else(short, |field| Ok(u16::from_le_bytes(*field)))
}

fn word(bytes: &[u8], at: usize) -> Result<u32> {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or_else(short, |field| Ok(u32::from_le_bytes(*field)))
}

fn long(bytes: &[u8], at: usize) -> Result<u64> {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or_else(short, |field| Ok(u64::from_le_bytes(*field)))
}
