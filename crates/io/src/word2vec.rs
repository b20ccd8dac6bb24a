//! The formats of word2vec: a line with the number of words and the length of their vectors, then the words with
//! their vectors, as text or as little endian f32. Beside them GloVe's, which is such a text without the first line.
//!
//! This is our own code: no crate reads both formats as gensim writes them, checks a header before believing it, and
//! says where a file is wrong.

mod escape;
pub mod glove;
mod kind;
mod lines;
mod number;
pub mod projector;
mod table;
mod text;
mod words;

use crate::atomic;
use crate::recognise::{LOOK, Wanted};
use crate::text::InvalidUtf8;
use escape::{divides, escaped};
use kind::Kind;
use lines::{Lines, Wrong};
use std::io::Write;
use std::path::Path;
use table::Table;
use text::{Expected, shown};
use tokenbed_core::storage::Storage;
use tokenbed_core::{Error, Result};
use tokenbed_memory::TextList;
use words::Words;

/// The words of a file and their vectors.
#[derive(Debug)]
pub struct Loaded {
    /// The words in the order of the file. Of a word that comes twice, only the first is kept.
    pub words: TextList,
    /// Length of a vector.
    pub dim: usize,
    /// The vectors, f32 (words, dim). There are more rows behind them if words came twice.
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
    /// Number of threads that parse lines of text.
    pub threads: usize,
}

/// How a file is written.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    /// Whether numbers are little endian f32 rather than text.
    pub binary: bool,
    /// Whether white space in words is written as `\x20`, and text that looks like such an escape as `\x5cx20`. If
    /// not, white space is an error.
    pub escape: bool,
    /// Whether the first line says how many words there are; without it, text is GloVe's.
    pub header: bool,
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
    Options { binary, limit, invalid, escape, threads, .. }: Options,
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
    if rows.checked_mul(dim * size_of::<f32>()).is_none() {
        return Err(lines.wrong("more numbers than memory holds"));
    }
    let mut words = Words::new(invalid, escape);
    let mut table = Table::new(dim, Some(rows))?;
    if binary {
        binary_rows(lines, rows, promised, &mut words, &mut table)?;
    } else {
        let expected = Expected { dim, by: "the first line promises", lines: Some(promised), limit };
        text::read(lines, &expected, threads, &mut words, &mut table)?;
    }
    Ok(Loaded { words: words.into_list(), dim, storage: table.finish()? })
}

/// Reads the number of words and the length of a vector.
fn header(lines: &mut Lines) -> std::result::Result<(usize, usize), Wrong> {
    const WANTED: &str = "the first line must say how many words there are and how many numbers each has, as in `400000 300` \
                          (loadGlove reads those of GloVe, which have no such line)";
    lines.look(LOOK);
    lines.skip(BYTE_ORDER_MARK);
    let line = match lines.line(64) {
        Ok(Some(line)) => line,
        Ok(None) | Err(Wrong::At(..)) => return Err(lines.refused(WANTED, Wanted::Words)),
        Err(other) => return Err(other),
    };
    let text = std::str::from_utf8(&line).unwrap_or_default();
    let mut numbers = text.split_whitespace().map(str::parse::<usize>);
    match (numbers.next(), numbers.next(), numbers.next()) {
        (Some(Ok(rows)), Some(Ok(dim)), None) if dim > 0 && dim <= MOST_DIM => Ok((rows, dim)),
        _ => Err(lines.refused(WANTED, Wanted::Words)),
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

/// Reads `rows` words with their numbers as bytes.
fn binary_rows(
    lines: &mut Lines,
    rows: usize,
    promised: usize,
    words: &mut Words,
    table: &mut Table,
) -> std::result::Result<(), Wrong> {
    for row in 0..rows {
        let at = lines.offset();
        let cut =
            |lines: &Lines| lines.wrong(&format!("{row} words where the first line promises {promised}: cut short"));
        let word = lines.word()?.ok_or_else(|| cut(lines))?;
        let is_new = words.take(&word, at)?;
        // The vector of a repeated word is overwritten by the next one.
        lines.bytes(table.next()?)?.ok_or_else(|| cut(lines))?;
        if is_new {
            table.keep();
        }
    }
    if rows == promised { lines.expect_end() } else { Ok(()) }
}

/// Largest number of bytes in a word.
const LONGEST_WORD: usize = 1 << 16;
/// Largest number of bytes in a number as text. Java writes up to 20, C with %f up to 47.
const LONGEST_NUMBER: usize = 64;

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
    Written { binary, escape, header }: Written,
) -> Result<()> {
    check_shape(words, table, dim)?;
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
        if header {
            writeln!(file, "{} {dim}", words.len())?;
        }
        let mut text = Vec::new();
        for (word, vector) in words.iter().zip(table.chunks_exact(dim)) {
            file.write_all(written(word).as_bytes())?;
            if binary {
                file.write_all(b" ")?;
                vector.iter().try_for_each(|x| file.write_all(&x.to_le_bytes()))?;
            } else {
                for &x in vector {
                    text.clear();
                    number::write(x, &mut text)?;
                    file.write_all(b" ")?;
                    file.write_all(&text)?;
                }
                file.write_all(b"\n")?;
            }
        }
        Ok(())
    })
}

/// Checks that there are as many vectors as words.
fn check_shape(words: &[String], table: &[f32], dim: usize) -> Result<()> {
    if words.len().checked_mul(dim) != Some(table.len()) || dim == 0 {
        return Err(Error::Shape(format!("{} numbers are not {} vectors of {dim}", table.len(), words.len())));
    }
    Ok(())
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
