//! SentencePiece's table of replacements (`Precompiled`), applied as the library applies it: to whole clusters of
//! characters of less than six bytes, else to single characters.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use super::table::{Fate, Rules, Table, char_at};
use crate::compiled::Aligned;
use crate::file::base64;
use tokenbed_memory::{List, Text, owned, with_room};

/// Clusters of this many bytes or more are not looked up as a whole.
const LONG: usize = 6;

/// The step.
pub(super) struct Charsmap {
    table: Table<Entries>,
}

/// The entries: a double array of keys, and the texts that they become.
struct Entries {
    units: Vec<u32>,
    /// Each text ends with a zero.
    texts: String,
}

/// The parts of a unit of the double array.
const IS_VALUE: u32 = 1 << 31;

fn offset(unit: u32) -> usize {
    ((unit >> 10) as usize) << ((unit & 1 << 9) >> 6)
}

fn has_value(unit: u32) -> bool {
    unit & 1 << 8 != 0
}

impl Entries {
    /// Reads a table: the number of bytes of the double array, the double array, the texts. `None` if it is damaged:
    /// wherever a key leads, there must be a unit or a text.
    fn new(bytes: &[u8]) -> Option<Self> {
        let (size, rest) = bytes.split_first_chunk::<4>()?;
        let (array, texts) = rest.split_at_checked(u32::from_le_bytes(*size) as usize / 4 * 4)?;
        let mut units = with_room(array.len() / 4);
        units.put_all(array.chunks_exact(4).map(|unit| unit.iter().rev().fold(0, |all, &b| all << 8 | u32::from(b))));
        let it = Self { units, texts: owned(std::str::from_utf8(texts).ok()?) };
        let all_lead_somewhere = it.units.iter().enumerate().all(|(at, &unit)| {
            let next = if unit & IS_VALUE == 0 { at ^ offset(unit) } else { 0 };
            let value = || it.units.get(next).is_some_and(|&value| it.text_at(value).is_some());
            (next | 0xff) < it.units.len() && (unit & IS_VALUE != 0 || !has_value(unit) || value())
        });
        (!it.units.is_empty() && all_lead_somewhere).then_some(it)
    }

    fn text_at(&self, value: u32) -> Option<&str> {
        let rest = self.texts.get((value & !IS_VALUE) as usize..)?;
        Some(rest.split_once('\0').map_or(rest, |(text, _)| text))
    }

    /// What the shortest key that `key` begins with becomes.
    fn get(&self, key: &str) -> Option<&str> {
        let mut at = offset(*self.units.first()?);
        for byte in key.bytes().take_while(|&byte| byte != 0) {
            at ^= usize::from(byte);
            let unit = *self.units.get(at)?;
            if unit & (IS_VALUE | 0xff) != u32::from(byte) {
                return None;
            }
            at ^= offset(unit);
            if has_value(unit) {
                return self.text_at(*self.units.get(at)?);
            }
        }
        None
    }
}

impl Rules for Entries {
    fn fate(&self, c: char, text: &mut String) -> Fate {
        if joins(c) {
            return Fate::Depends;
        }
        match self.get(c.encode_utf8(&mut [0; 4])) {
            Some(made) => {
                text.put_str(made);
                Fate::Become
            }
            None => Fate::Keep,
        }
    }
}

/// Whether a character may form a cluster with a neighbour of which this is not true. Two others never do, apart from
/// the end of a line in two characters, which is why one of them counts as joining.
fn joins(c: char) -> bool {
    let clusters = |text: [char; 3]| {
        let mut bytes = [0; 12];
        let mut len = 0;
        for c in text {
            len += c.encode_utf8(&mut bytes[len..]).len();
        }
        std::str::from_utf8(&bytes[..len]).map_or(0, |text| text.graphemes(true).count())
    };
    c == '\r' || clusters(['a', c, 'a']) < 3 || clusters([c, c, '\u{ac00}']) < 3 || clusters(['\u{ac00}', c, 'a']) < 3
}

/// Where the result goes.
trait Sink {
    /// Appends a part of the text as it is.
    fn keep(&mut self, part: Range<usize>);
    /// Appends what became of a part.
    fn put(&mut self, part: Range<usize>, made: &str);
    /// Whether so much was appended that the rest is of no use.
    fn is_full(&self) -> bool;
}

impl Charsmap {
    /// Reads a table as it is in a file. `None` if it is damaged.
    pub(super) fn new(written: &str) -> Option<Self> {
        let bytes = base64::decoded(written)?;
        Some(Self { table: Table::new(Entries::new(&bytes)?) })
    }

    /// Writes the result to `out`, which is empty, and ends early once it has more than `most` bytes. Returns false if
    /// the text stays as it is; then what was written is of no use.
    pub(super) fn run(&self, text: &str, most: usize, out: &mut String) -> bool {
        self.scan(text, &mut Plain { text, most, out })
    }

    /// The same with places.
    pub(super) fn run_aligned(&self, from: &Aligned, most: usize, out: &mut Aligned) -> bool {
        let mut sink = WithChanges { text: &from.text, most, bytes: 0, changes: Vec::new() };
        if !self.scan(&from.text, &mut sink) {
            return false;
        }
        // The place in the text up to which characters were used up.
        let mut used = 0;
        let after = |at: usize| char_at(from.text.as_bytes(), at).1;
        for (c, change) in sink.changes {
            let of = if change > 0 { used.max(1) - 1 } else { used };
            let place = from.places.get(of).or(from.places.last()).copied().unwrap_or_default();
            if change <= 0 {
                for _ in change..=0 {
                    used = after(used);
                }
            }
            out.put(c, place);
        }
        true
    }

    fn scan(&self, text: &str, sink: &mut impl Sink) -> bool {
        let bytes = text.as_bytes();
        let (mut at, mut done) = (0, 0);
        // Place of the last character, if it joins with none before it.
        let mut begin = 0;
        let mut changed = false;
        loop {
            let kept = self.table.skip(bytes, at);
            if kept > at {
                (begin, at) = (kept - 1, kept);
            }
            if at >= bytes.len() || sink.is_full() {
                break;
            }
            let (code, end) = char_at(bytes, at);
            match self.table.get(code) {
                (Fate::Keep, _) => (begin, at) = (at, end),
                (Fate::Become, _) if self.joins_next(bytes, end) => (begin, at) = (at, end),
                (Fate::Become, made) => {
                    sink.keep(done..at);
                    sink.put(at..end, made);
                    (begin, at, done, changed) = (end, end, end, true);
                }
                _ => {
                    let end = self.cluster_end(bytes, end);
                    sink.keep(done..begin);
                    changed |= self.clusters(text, begin..end, sink);
                    (begin, at, done) = (end, end, end);
                }
            }
        }
        if changed {
            sink.keep(done..text.len());
        }
        changed
    }

    /// Whether the next character may join with the one before it.
    #[inline]
    fn joins_next(&self, text: &[u8], at: usize) -> bool {
        at < text.len() && self.table.get(char_at(text, at).0).0 == Fate::Depends
    }

    /// The end of characters that may join: after the first one that does not join and has none after it that does.
    fn cluster_end(&self, text: &[u8], mut at: usize) -> usize {
        let mut joined = true;
        while at < text.len() {
            let (code, end) = char_at(text, at);
            let joins = self.table.get(code).0 == Fate::Depends;
            if !joins && !joined {
                break;
            }
            (joined, at) = (joins, end);
        }
        at
    }

    /// Changes a part of the text cluster by cluster.
    fn clusters(&self, text: &str, part: Range<usize>, sink: &mut impl Sink) -> bool {
        let entries = self.table.rules();
        let mut changed = false;
        let mut at = part.start;
        let mut done = at;
        let mut change = |from: Range<usize>, made: &str, sink: &mut _| {
            Sink::keep(sink, done..from.start);
            Sink::put(sink, from.clone(), made);
            (done, changed) = (from.end, true);
        };
        for cluster in text[part.clone()].graphemes(true) {
            let whole = if cluster.len() < LONG { entries.get(cluster) } else { None };
            match whole {
                Some(made) => change(at..at + cluster.len(), made, sink),
                None => {
                    for (within, c) in cluster.char_indices() {
                        let start = at + within;
                        if let Some(made) = entries.get(c.encode_utf8(&mut [0; 4])) {
                            change(start..start + c.len_utf8(), made, sink);
                        }
                    }
                }
            }
            at += cluster.len();
        }
        sink.keep(done..part.end);
        changed
    }
}

struct Plain<'a> {
    text: &'a str,
    most: usize,
    out: &'a mut String,
}

impl Sink for Plain<'_> {
    #[inline]
    fn keep(&mut self, part: Range<usize>) {
        self.out.put_str(&self.text[part]);
    }

    #[inline]
    fn put(&mut self, _: Range<usize>, made: &str) {
        self.out.put_str(made);
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.out.len() > self.most
    }
}

/// The characters of the result with their changes in the library's sense.
struct WithChanges<'a> {
    text: &'a str,
    most: usize,
    bytes: usize,
    changes: Vec<(char, isize)>,
}

impl Sink for WithChanges<'_> {
    fn keep(&mut self, part: Range<usize>) {
        self.bytes += part.len();
        self.changes.put_all(self.text[part].chars().map(|c| (c, 0)));
    }

    fn put(&mut self, part: Range<usize>, made: &str) {
        self.bytes += made.len();
        let (before, after) = (self.text[part].chars().count(), made.chars().count());
        self.changes.put_all(made.chars().enumerate().map(|(i, c)| (c, isize::from(i >= before))));
        if after < before {
            // What was removed counts for the last character, whichever that is. At the front of a text there is none,
            // so that all places after it are those of the characters before: so it is in the library.
            if let Some((_, change)) = self.changes.last_mut() {
                *change -= (before - after) as isize;
            }
        }
    }

    fn is_full(&self) -> bool {
        self.bytes > self.most
    }
}
