//! The text of GloVe: lines of a word and its numbers, and no line before them that says how many there are.

use super::kind::{fields, is_number};
use super::lines::{Lines, Wrong};
use super::table::Table;
use super::text::{self, Expected};
use super::words::Words;
use super::{BYTE_ORDER_MARK, LONGEST_NUMBER, LONGEST_WORD, Loaded, MOST_DIM};
use crate::recognise::Wanted;
use crate::text::InvalidUtf8;
use std::path::Path;
use tokenbed_core::Result;
use tokenbed_memory::{Gather, List};

/// How a file is read.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Largest number of lines that are read.
    pub limit: Option<usize>,
    /// What happens to words that are not UTF-8.
    pub invalid: InvalidUtf8,
    /// Largest number of bytes that each byte of a compressed file may become
    /// ([`MAX_RATIO`](crate::text::MAX_RATIO)).
    pub ratio: u64,
    /// Number of threads that parse lines.
    pub threads: usize,
}

/// Number of bytes in which lines are looked for to find out how many numbers they have.
const SAMPLE: usize = 1 << 18;
/// Number of lines that are looked at.
const LINES: usize = 100;

/// Reads a file; one that ends in `.gz` or `.zst` is decompressed. Memory grows with the size of the file.
///
/// # Errors
/// [`Error::File`](tokenbed_core::Error::File) if it cannot be read; [`Error::Format`](tokenbed_core::Error::Format),
/// with the byte, if a line is not a word and as many numbers as the others have.
pub fn load(path: &Path, options: Options) -> Result<Loaded> {
    let mut lines = Lines::open(path, options.ratio)?;
    read(&mut lines, options).map_err(|wrong| {
        // What is wrong from the first byte on may be another kind of file.
        let wrong = match wrong {
            Wrong::At(0, message) => lines.refused(&message, Wanted::Lines),
            other => other,
        };
        lines.explain(wrong)
    })
}

fn read(lines: &mut Lines, Options { limit, invalid, threads, .. }: Options) -> std::result::Result<Loaded, Wrong> {
    lines.skip(BYTE_ORDER_MARK);
    let dim = length(lines)?;
    let mut words = Words::new(invalid, false);
    let mut table = Table::new(dim, None)?;
    let expected = Expected { dim, by: "the lines of this file have", lines: None, limit };
    text::read(lines, &expected, threads, &mut words, &mut table)?;
    Ok(Loaded { words: words.into_list(), dim, storage: table.finish()? })
}

/// The number of numbers that most of the first lines have.
fn length(lines: &mut Lines) -> std::result::Result<usize, Wrong> {
    let mut most = SAMPLE;
    let counts = loop {
        let (sample, whole) = lines.look(most);
        let end = memchr::memrchr(b'\n', sample).or(whole.then_some(sample.len()));
        if let Some(end) = end {
            break counts_of(&sample[..end]);
        }
        if sample.len() < most || most > LONGEST_WORD + MOST_DIM * LONGEST_NUMBER {
            // The file cannot be read any further, or is one long line.
            if let Err(Wrong::Read(error)) = lines.line(most) {
                return Err(Wrong::Read(error));
            }
            break Counts::default();
        }
        most *= 2;
    };
    let usual = counts.lines.iter().copied().max_by_key(|&count| {
        let first = counts.lines.iter().position(|&one| one == count);
        (counts.lines.iter().filter(|&&one| one == count).count(), std::cmp::Reverse(first))
    });
    match usual {
        Some(dim) if counts.header.is_some_and(|promised| promised == dim && counts.lines.len() > 1) => {
            let message =
                format!("it begins with the counts of word2vec ({dim} numbers a word): loadWord2Vec reads it");
            Err(Wrong::At(0, message))
        }
        Some(dim) if (1..=MOST_DIM).contains(&dim) => Ok(dim),
        _ => Err(lines.refused(WANTED, Wanted::Lines)),
    }
}

const WANTED: &str = "every line must be a word and its numbers, as in `the 0.418 0.24968 -0.41242`, with as many numbers in \
                      each";

/// What the first lines look like.
#[derive(Default)]
struct Counts {
    /// How many numbers each ends in; a line has at least one field before them.
    lines: Vec<usize>,
    /// The second of two whole numbers, if the first line is that.
    header: Option<usize>,
}

fn counts_of(sample: &[u8]) -> Counts {
    let lines = sample.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).take(LINES);
    let mut counts = Counts::default();
    for line in lines {
        if counts.lines.is_empty() {
            let numbers = fields(line).take(3).map(|field| std::str::from_utf8(field).ok()?.parse::<usize>().ok());
            let numbers = numbers.into_list();
            if let [Some(_), Some(dim)] = numbers[..] {
                counts.header = Some(dim);
            }
        }
        let all = fields(line).count();
        counts.lines.put(fields(line).rev().take(all - 1).take_while(|field| is_number(field)).count());
    }
    counts
}
