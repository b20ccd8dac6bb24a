//! Lines of a word and its numbers, parsed on several threads: while some parse a block of lines, one reads the next.

use super::kind::{fields, is_number, start_of_numbers};
use super::lines::{Lines, Wrong};
use super::number::{leading, number};
use super::table::Table;
use super::words::Words;
use super::{LONGEST_NUMBER, LONGEST_WORD};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use tokenbed_memory::{Gather, List, lossy};
use tokenbed_threads::parallel_shares;

/// Number of bytes that are read at a time.
const BLOCK: usize = 2 << 20;
/// Least number of bytes in a share of a block.
const SHARE: usize = 64 << 10;

/// What the lines of a file should be.
#[derive(Clone, Copy)]
pub(super) struct Expected {
    /// Number of numbers in a line.
    pub(super) dim: usize,
    /// What says so.
    pub(super) by: &'static str,
    /// Number of lines, if the file says it.
    pub(super) lines: Option<usize>,
    /// Largest number of lines to read.
    pub(super) limit: Option<usize>,
}

impl Expected {
    /// Largest number of bytes in a line.
    fn longest(&self) -> usize {
        LONGEST_WORD + self.dim * LONGEST_NUMBER
    }

    /// Number of lines after which reading stops, whatever follows.
    fn stop(&self) -> Option<usize> {
        self.limit.filter(|&limit| self.lines.is_none_or(|lines| limit < lines))
    }
}

/// A part of a file that ends with a line.
#[derive(Default)]
struct Block {
    bytes: Vec<u8>,
    /// Offset of its first byte in the file.
    at: u64,
    /// Number of bytes that are whole lines.
    whole: usize,
    /// Whether the file ends with it.
    last: bool,
    /// Why the file cannot be read any further.
    failed: Option<Wrong>,
}

impl Block {
    /// Reads what follows `before`.
    fn read(&mut self, lines: &mut Lines, before: &Block, expected: &Expected) {
        let kept = &before.bytes[before.whole..];
        self.bytes.clear();
        self.bytes.put_slice(kept);
        (self.last, self.failed) = (false, None);
        self.at = before.at + before.whole as u64;
        let mut most = BLOCK;
        loop {
            match lines.fill(&mut self.bytes, most) {
                Ok(ended) => self.last = ended,
                Err(wrong) => self.failed = Some(wrong),
            }
            self.whole = match memchr::memrchr(b'\n', &self.bytes) {
                _ if self.last => self.bytes.len(),
                Some(at) => at + 1,
                None if self.failed.is_some() => 0,
                // The line is too long, which its parser finds.
                None if self.bytes.len() > expected.longest() => self.bytes.len(),
                None => {
                    most += BLOCK;
                    continue;
                }
            };
            return;
        }
    }

    /// Divides the lines among shares.
    fn shares(&self, threads: usize) -> Vec<Range<usize>> {
        let size = (self.whole / (threads * 4)).max(SHARE);
        let mut shares = Vec::new();
        let mut start = 0;
        while start < self.whole {
            let rest = &self.bytes[(start + size).min(self.whole)..self.whole];
            let end = memchr::memchr(b'\n', rest).map_or(self.whole, |at| self.whole - rest.len() + at + 1);
            shares.put(start..end);
            start = end;
        }
        shares
    }
}

/// A line, by its places in the block.
struct Row {
    start: usize,
    /// Empty for a line without anything.
    word: Option<Range<usize>>,
}

/// What the lines of a share say.
#[derive(Default)]
struct Share {
    rows: Vec<Row>,
    /// The numbers of all rows that have a word.
    numbers: Vec<f32>,
    /// Why the line after these cannot be read.
    wrong: Option<Wrong>,
}

/// Reads lines to the end of the file, or as many as are wanted.
pub(super) fn read(
    lines: &mut Lines,
    expected: &Expected,
    threads: usize,
    words: &mut Words,
    table: &mut Table,
) -> Result<(), Wrong> {
    if expected.stop() == Some(0) {
        return Ok(());
    }
    let mut taken = Taken { expected, words, table, count: 0, blank: None };
    let mut block = Block { at: lines.offset(), ..Block::default() };
    let mut next = Block::default();
    let mut results: Vec<Mutex<Share>> = Vec::new();
    loop {
        let ranges = block.shares(threads);
        while results.len() < ranges.len() {
            results.put(Mutex::new(Share::default()));
        }
        let reads = !block.last && block.failed.is_none();
        let reader = Mutex::new((&mut *lines, &mut next));
        parallel_shares(ranges.len() + 1, threads, |share| match share.checked_sub(1) {
            None if reads => {
                let mut reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
                let (lines, next) = &mut *reader;
                next.read(lines, &block, expected);
            }
            None => {}
            Some(share) => {
                let mut result = results[share].lock().unwrap_or_else(PoisonError::into_inner);
                parse(&block, ranges[share].clone(), expected, &mut result);
            }
        });
        for result in &mut results[..ranges.len()] {
            let share = result.get_mut().unwrap_or_else(PoisonError::into_inner);
            if taken.take(&block, share)? {
                return Ok(());
            }
        }
        if let Some(failed) = block.failed.take() {
            return Err(failed);
        }
        if block.last {
            return taken.end(lines);
        }
        std::mem::swap(&mut block, &mut next);
    }
}

/// What was read so far.
struct Taken<'a> {
    expected: &'a Expected,
    words: &'a mut Words,
    table: &'a mut Table,
    /// Number of lines.
    count: usize,
    /// What is wrong with a line without anything, unless only such lines follow.
    blank: Option<Wrong>,
}

impl Taken<'_> {
    /// Takes the lines of a share, in order, and returns whether these were all that are wanted.
    fn take(&mut self, block: &Block, share: &mut Share) -> Result<bool, Wrong> {
        let Expected { dim, lines, .. } = *self.expected;
        let stop = self.expected.stop();
        let mut numbers = share.numbers.chunks_exact(dim);
        let surplus = |at| Err(Wrong::At(at, "more words follow than the first line promises".into()));
        for Row { start, word } in share.rows.drain(..) {
            let at = block.at + start as u64;
            let Some(word) = word else {
                if lines != Some(self.count) && self.blank.is_none() {
                    self.blank = Some(too_few(b"", at, self.expected));
                }
                continue;
            };
            if let Some(blank) = self.blank.take() {
                return Err(blank);
            }
            if lines == Some(self.count) {
                return surplus(at);
            }
            let row = numbers.next().unwrap_or_default();
            if self.words.take(&block.bytes[word], at)? {
                self.table.put(row)?;
            }
            self.count += 1;
            if stop == Some(self.count) {
                return Ok(true);
            }
        }
        match share.wrong.take() {
            None => Ok(false),
            Some(wrong) => match (self.blank.take(), wrong) {
                (Some(blank), _) => Err(blank),
                (None, Wrong::At(at, _)) if lines == Some(self.count) => surplus(at),
                (None, wrong) => Err(wrong),
            },
        }
    }

    /// Checks, at the end of the file, that nothing is missing.
    fn end(&mut self, at: &Lines) -> Result<(), Wrong> {
        match self.expected.lines {
            Some(lines) if self.count < lines => Err(self.blank.take().unwrap_or_else(|| {
                at.wrong(&format!("{} words where the first line promises {lines}: cut short", self.count))
            })),
            _ => Ok(()),
        }
    }
}

/// Parses lines up to the first that is wrong.
fn parse(block: &Block, range: Range<usize>, expected: &Expected, share: &mut Share) {
    share.rows.clear();
    share.numbers.clear();
    let mut start = range.start;
    while start < range.end {
        let rest = &block.bytes[start..range.end];
        let len = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = &rest[..len];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let at = block.at + start as u64;
        let before = share.numbers.len();
        let word = if line.len() > expected.longest() {
            Err(too_long(at, expected))
        } else if line.trim_ascii().is_empty() {
            Ok(None)
        } else {
            match simple(line, expected.dim, &mut share.numbers) {
                Some(word) => Ok(Some(word)),
                None => {
                    share.numbers.truncate(before);
                    any(line, at, expected, &mut share.numbers).map(Some)
                }
            }
        };
        match word {
            Ok(word) => share.rows.put(Row { start, word: word.map(|word| word.start + start..word.end + start) }),
            Err(wrong) => {
                share.numbers.truncate(before);
                share.wrong = Some(wrong);
                return;
            }
        }
        start += len + 1;
    }
}

/// A line whose word has no white space and is followed by numbers alone; `None` if it may be another.
fn simple(line: &[u8], dim: usize, numbers: &mut Vec<f32>) -> Option<Range<usize>> {
    let end = line.iter().position(u8::is_ascii_whitespace).filter(|&end| end > 0)?;
    numbers.make_room(dim);
    let mut at = end;
    for _ in 0..dim {
        at += blanks(&line[at..]);
        let (value, len) = leading(&line[at..])?;
        numbers.put(value);
        at += len;
    }
    line[at..].trim_ascii_start().is_empty().then_some(0..end)
}

/// Number of white spaces at the beginning.
#[inline]
fn blanks(bytes: &[u8]) -> usize {
    match bytes {
        [b' ', next, ..] if !next.is_ascii_whitespace() => 1,
        _ => bytes.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(bytes.len()),
    }
}

/// Any line: the last fields are the numbers, and the word before them may contain spaces.
fn any(line: &[u8], at: u64, expected: &Expected, numbers: &mut Vec<f32>) -> Result<Range<usize>, Wrong> {
    let start = start_of_numbers(line, expected.dim).filter(|&start| start > 0);
    let start = start.ok_or_else(|| too_few(line, at, expected))?;
    let word = line[..start].trim_ascii_end();
    if fields(word).nth(1).is_some() && fields(word).next_back().is_some_and(is_number) {
        return Err(too_many(line, at, expected));
    }
    for (index, field) in fields(&line[start..]).enumerate() {
        numbers.put(number(field).ok_or_else(|| no_number(word, index, field, at))?);
    }
    Ok(0..word.len())
}

#[cold]
fn too_long(at: u64, expected: &Expected) -> Wrong {
    let most = expected.longest();
    Wrong::At(at, format!("more than {most} bytes without an end: not a file of this format"))
}

#[cold]
fn too_few(line: &[u8], at: u64, Expected { dim, by, .. }: &Expected) -> Wrong {
    let word = shown(fields(line).next().unwrap_or_default());
    let count = fields(line).count().saturating_sub(1);
    Wrong::At(at, format!("{word} has {count} numbers where {by} {dim}"))
}

/// Either the number of numbers is wrong, or the word ends in a number; nobody can tell which.
#[cold]
fn too_many(line: &[u8], at: u64, Expected { dim, by, .. }: &Expected) -> Wrong {
    let most = fields(line).count() - 1;
    let count = fields(line).rev().take(most).take_while(|field| is_number(field)).count();
    let word = shown(line[..start_of_numbers(line, count).unwrap_or(0)].trim_ascii());
    let promised = format!("{word} has {count} numbers where {by} {dim}");
    Wrong::At(at, format!("{promised} (if the word has spaces, its last part may not be a number)"))
}

#[cold]
fn no_number(word: &[u8], index: usize, number: &[u8], at: u64) -> Wrong {
    let point: Vec<u8> = number.iter().map(|&byte| if byte == b',' { b'.' } else { byte }).into_list();
    let why = if number.contains(&b',') && is_number(&point) {
        "has a decimal comma: write numbers with a point"
    } else {
        "is not a number"
    };
    Wrong::At(at, format!("number {index} of {} is {}, which {why}", shown(word), shown(number)))
}

/// The beginning of a word or a number, in quotes.
#[cold]
pub(super) fn shown(bytes: &[u8]) -> String {
    let more = if bytes.len() > MOST_SHOWN { "..." } else { "" };
    format!("{:?}{more}", lossy(&bytes[..bytes.len().min(MOST_SHOWN)]))
}

/// Largest number of bytes of a word that a message shows.
const MOST_SHOWN: usize = 60;
