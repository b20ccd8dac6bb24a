//! The formats of word2vec: a line with the number of words and the length of their vectors, then the words with
//! their vectors, as text or as little endian f32.
//!
//! This is our own code: no crate reads both formats as gensim writes them, checks a header before believing it, and
//! says where a file is wrong.

mod escape;
mod kind;
mod lines;

use crate::atomic;
use crate::recognise::LOOK;
use crate::text::InvalidUtf8;
use escape::{divides, escaped, unescaped};
use kind::{Kind, fields, is_number, start_of_numbers};
use lines::{Lines, Wrong};
use std::collections::HashSet;
use std::io::Write;
use std::path::Path;
use tokenbed_core::storage::Storage;
use tokenbed_core::{Error, Result};
use tokenbed_memory::{Gather, List, Set, lossy, owned};

/// The words of a file and their vectors.
#[derive(Debug)]
pub struct Loaded {
    /// The words in the order of the file. Of a word that comes twice, only the first is kept.
    pub words: Vec<String>,
    /// Length of a vector.
    pub dim: usize,
    /// The vectors, f32 (words, dim).
    pub storage: Storage,
}

/// How a file is read.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether numbers are binary; `None` finds out.
    pub binary: Option<bool>,
    /// Largest number of words that are read.
    pub limit: Option<usize>,
    /// What happens to words that are not UTF-8.
    pub invalid: InvalidUtf8,
    /// Largest number of bytes that each byte of a compressed file may become
    /// ([`MAX_RATIO`](crate::text::MAX_RATIO)).
    pub ratio: u64,
    /// Whether `\x20` in a word stands for a space, as [`Written::escape`] writes it.
    pub escape: bool,
}

/// How a file is written.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    /// Whether numbers are little endian f32 rather than text.
    pub binary: bool,
    /// Whether white space in words is written as `\x20`, and text that looks like such an escape as `\x5cx20`. If
    /// not, white space is an error.
    pub escape: bool,
}

/// Reads a file; one that ends in `.gz` or `.zst` is decompressed. Memory grows with the size of the file, whatever
/// its header claims.
///
/// # Errors
/// [`Error::File`] if it cannot be read; [`Error::Format`], with the byte, if it does not match its header.
pub fn load(path: &Path, options: Options) -> Result<Loaded> {
    let mut lines = Lines::open(path, options.ratio)?;
    read(&mut lines, options).map_err(|wrong| lines.explain(wrong))
}

fn read(
    lines: &mut Lines,
    Options { binary, limit, invalid, escape, .. }: Options,
) -> std::result::Result<Loaded, Wrong> {
    let (promised, dim) = header(lines)?;
    let rows = limit.map_or(promised, |limit| promised.min(limit));
    let binary = match binary {
        Some(binary) => binary,
        None => {
            let (sample, whole) = lines.look(kind::SAMPLE);
            let kind = kind::find_out(sample, whole, promised, dim);
            // If all of it is read, reading says where a damaged file is wrong. If only a part is, it might not
            // notice.
            if kind == Kind::Damaged && rows < promised {
                let message = format!(
                    "words and vectors of {dim} numbers do not follow one another: damaged, or a word has a space in it"
                );
                return Err(lines.wrong(&message));
            }
            kind != Kind::Text
        }
    };
    check_size(lines, rows, dim, binary)?;
    let bytes =
        rows.checked_mul(dim * size_of::<f32>()).ok_or_else(|| lines.wrong("more numbers than memory holds"))?;
    let mut words = Vec::new();
    let mut failed = Ok(());
    let storage = Storage::filled(bytes, |all| {
        let mut reader = Words { seen: HashSet::new(), words: &mut words, invalid, escape };
        failed = all_rows(lines, all, (rows, dim, binary), &mut reader);
        Ok(())
    })?;
    failed?;
    if rows == promised {
        lines.expect_end()?;
    }
    let kept = words.len() * dim * size_of::<f32>();
    let storage = if kept == bytes { storage } else { shortened(storage, kept)? };
    Ok(Loaded { words, dim, storage })
}

/// The first bytes of a storage that nobody else holds.
fn shortened(mut storage: Storage, len: usize) -> Result<Storage> {
    storage.elements_mut::<u8>().and_then(|bytes| bytes.get(..len)).map_or_else(|| Storage::zeroed(0), Storage::copy_of)
}

/// Reads the number of words and the length of a vector.
fn header(lines: &mut Lines) -> std::result::Result<(usize, usize), Wrong> {
    const WANTED: &str = "the first line must say how many words there are and how many numbers each has, as in `400000 300` \
                          (GloVe files have no such line: add one at the top)";
    lines.look(LOOK);
    lines.skip(BYTE_ORDER_MARK);
    let line = match lines.line(64) {
        Ok(Some(line)) => line,
        Ok(None) | Err(Wrong::At(..)) => return Err(lines.refused(WANTED)),
        Err(other) => return Err(other),
    };
    let text = std::str::from_utf8(&line).unwrap_or_default();
    let mut numbers = text.split_whitespace().map(str::parse::<usize>);
    match (numbers.next(), numbers.next(), numbers.next()) {
        (Some(Ok(rows)), Some(Ok(dim)), None) if dim > 0 && dim <= MOST_DIM => Ok((rows, dim)),
        _ => Err(lines.refused(WANTED)),
    }
}

/// The byte order mark that some editors put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Largest length of a vector: more than anybody uses, and little enough that a line of numbers fits in memory.
const MOST_DIM: usize = 1 << 20;

/// Refuses, before memory is taken, a header that promises more than the file can hold.
fn check_size(lines: &Lines, rows: usize, dim: usize, binary: bool) -> std::result::Result<(), Wrong> {
    // A word has at least one byte and a space after it; each number as text has a digit and a separator.
    let least = if binary { dim * size_of::<f32>() + 2 } else { 2 * dim + 1 };
    let needed = rows.checked_mul(least);
    match lines.most_left() {
        Some(most) if needed.is_none_or(|needed| needed as u64 > most) => {
            let needed = needed.map_or("more than can be counted".into(), |needed| needed.to_string());
            let there = match lines.is_compressed() {
                true => format!("the compressed file can become {most} more by the limit maxRatio, or is cut short"),
                false => format!("{most} follow: cut short"),
            };
            Err(lines.wrong(&format!(
                "the first line promises {rows} words of {dim} numbers, which need at least {needed} more bytes; {there}"
            )))
        }
        _ => Ok(()),
    }
}

struct Words<'a> {
    seen: HashSet<String>,
    words: &'a mut Vec<String>,
    invalid: InvalidUtf8,
    escape: bool,
}

impl Words<'_> {
    /// Takes a word that stands at byte `at`, and returns whether it is new.
    fn take(&mut self, bytes: &[u8], at: u64) -> std::result::Result<bool, Wrong> {
        let bytes = if self.escape { unescaped(bytes) } else { bytes.into() };
        let word = match (lossy(&bytes), self.invalid) {
            (word, InvalidUtf8::Replace) => word,
            (word @ std::borrow::Cow::Borrowed(_), InvalidUtf8::Refuse) => word,
            (word, InvalidUtf8::Refuse) => {
                let message = format!("the word {word:?} is not UTF-8, unless invalidUtf8 is 'replace'");
                return Err(Wrong::At(at, message));
            }
        };
        if word.is_empty() {
            return Err(Wrong::At(at, format!("word {} is missing", self.words.len())));
        }
        let is_new = self.seen.put(owned(&word));
        if is_new {
            self.words.put(owned(&word));
        }
        Ok(is_new)
    }
}

fn all_rows(
    lines: &mut Lines,
    all: &mut [u8],
    (rows, dim, binary): (usize, usize, bool),
    words: &mut Words<'_>,
) -> std::result::Result<(), Wrong> {
    let width = dim * size_of::<f32>();
    let mut next = 0;
    for row in 0..rows {
        let at = lines.offset();
        let cut = |lines: &Lines| lines.wrong(&format!("{row} words where the first line promises {rows}: cut short"));
        // The vector of a repeated word is overwritten by the next one.
        let room = &mut all[next * width..(next + 1) * width];
        let is_new = if binary {
            let word = lines.word()?.ok_or_else(|| cut(lines))?;
            let is_new = words.take(&word, at)?;
            lines.bytes(room)?.ok_or_else(|| cut(lines))?;
            is_new
        } else {
            let line = lines.line(LONGEST_WORD + dim * LONGEST_NUMBER)?.ok_or_else(|| cut(lines))?;
            text_row(&line, at, room, dim, words)?
        };
        next += usize::from(is_new);
    }
    Ok(())
}

/// Largest number of bytes in a word.
const LONGEST_WORD: usize = 1 << 16;
/// Largest number of bytes in a number as text. Java writes up to 20, C with %f up to 47.
const LONGEST_NUMBER: usize = 64;

/// Reads a line of text, a word with its numbers, into `room` (dim x 4 bytes), and returns whether the word is new. A
/// word may contain spaces: the last fields are the numbers.
fn text_row(
    line: &[u8],
    at: u64,
    room: &mut [u8],
    dim: usize,
    words: &mut Words<'_>,
) -> std::result::Result<bool, Wrong> {
    let start = start_of_numbers(line, dim).filter(|&start| start > 0);
    let start = start.ok_or_else(|| too_few(line, at, dim))?;
    let word = line[..start].trim_ascii_end();
    if fields(word).nth(1).is_some() && fields(word).next_back().is_some_and(is_number) {
        return Err(too_many(line, at, dim));
    }
    for (index, (number, place)) in fields(&line[start..]).zip(room.chunks_exact_mut(size_of::<f32>())).enumerate() {
        let value = std::str::from_utf8(number).ok().and_then(|number| number.parse::<f32>().ok());
        let value = value.ok_or_else(|| no_number(word, index, number, at))?;
        place.copy_from_slice(&value.to_le_bytes());
    }
    words.take(word, at)
}

#[cold]
fn too_few(line: &[u8], at: u64, dim: usize) -> Wrong {
    let word = shown(fields(line).next().unwrap_or_default());
    let count = fields(line).count().saturating_sub(1);
    Wrong::At(at, format!("{word} has {count} numbers where the first line promises {dim}"))
}

/// Either the first line is wrong, or the word ends in a number; nobody can tell which.
#[cold]
fn too_many(line: &[u8], at: u64, dim: usize) -> Wrong {
    let most = fields(line).count() - 1;
    let count = fields(line).rev().take(most).take_while(|field| is_number(field)).count();
    let word = shown(line[..start_of_numbers(line, count).unwrap_or(0)].trim_ascii());
    let promised = format!("{word} has {count} numbers where the first line promises {dim}");
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
fn shown(bytes: &[u8]) -> String {
    let more = if bytes.len() > MOST_SHOWN { "..." } else { "" };
    format!("{:?}{more}", lossy(&bytes[..bytes.len().min(MOST_SHOWN)]))
}

/// Largest number of bytes of a word that a message shows.
const MOST_SHOWN: usize = 60;

/// Writes words and their vectors (words, dim), whole or not at all ([`atomic::write`]). Text has the shortest
/// numbers that are read as the same f32.
///
/// # Errors
/// [`Error::File`] if it cannot be written; [`Error::Shape`] if the numbers of words and vectors differ;
/// [`Error::Usage`] for a word that is empty, contains white space, or is longer than readers accept, for vectors
/// that are too long, and for a file name that promises compression.
pub fn save(
    path: &Path,
    words: &[String],
    table: &[f32],
    dim: usize,
    Written { binary, escape }: Written,
) -> Result<()> {
    if words.len().checked_mul(dim) != Some(table.len()) || dim == 0 {
        return Err(Error::Shape(format!("{} numbers are not {} vectors of {dim}", table.len(), words.len())));
    }
    let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
    if let Some(ending @ ("gz" | "zst" | "bz2" | "xz")) = ending.as_ref().and_then(|ending| ending.to_str()) {
        return Err(Error::Usage(format!("{}: written as it is, not compressed: leave .{ending} out", path.display())));
    }
    if dim > MOST_DIM {
        return Err(Error::Usage(format!("vectors of {dim} numbers: readers take at most {MOST_DIM}")));
    }
    let written = |word| if escape { escaped(word) } else { word.into() };
    for (id, word) in words.iter().enumerate() {
        check_word(&written(word))
            .map_err(|why| Error::Usage(format!("word {id}, {}, {why}", shown(word.as_bytes()))))?;
    }
    atomic::write(path, |file| {
        writeln!(file, "{} {dim}", words.len())?;
        for (word, vector) in words.iter().zip(table.chunks_exact(dim)) {
            file.write_all(written(word).as_bytes())?;
            if binary {
                file.write_all(b" ")?;
                vector.iter().try_for_each(|x| file.write_all(&x.to_le_bytes()))?;
            } else {
                vector.iter().try_for_each(|x| write!(file, " {x}"))?;
                file.write_all(b"\n")?;
            }
        }
        Ok(())
    })
}

/// Checks that readers accept a word as it is written.
fn check_word(word: &str) -> std::result::Result<(), String> {
    if word.is_empty() {
        return Err("is empty".into());
    }
    if word.bytes().any(divides) {
        return Err("has white space in it, which ends a word in this format; escape: true writes it as \\x20".into());
    }
    if word.len() > LONGEST_WORD {
        return Err(format!("has {} bytes, and readers take at most {LONGEST_WORD}", word.len()));
    }
    Ok(())
}
