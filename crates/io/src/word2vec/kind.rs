//! Finds out from the beginning of a file whether its numbers are text or binary.
//!
//! A text that is read as binary gives meaningless words and numbers, and no error. So a file counts as binary only
//! if its bytes cannot be text. Binary numbers are full of such bytes: zeros, control characters, invalid UTF-8.

use super::LONGEST_WORD;
use super::number::number;
use std::str::from_utf8;

/// Number of bytes after the first line that are looked at.
pub(super) const SAMPLE: usize = 1 << 18;
/// Number of lines that are read as text before deciding.
const LINES: usize = 100;

/// The kind of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Binary,
    /// Its numbers are not text, but words and vectors do not follow one another either.
    Damaged,
}

/// The kind of a file. `sample` is what follows the first line: all of the file if `whole`, else its beginning.
///
/// - It is text if most lines end in as many numbers as the first line promises.
/// - It is binary if words and vectors of this size follow one another to the end of the sample, and the vectors
///   contain bytes that text does not.
/// - If neither fits, control characters tell what it was meant to be.
pub(super) fn find_out(sample: &[u8], whole: bool, promised: usize, dim: usize) -> Kind {
    if lines_fit(sample, whole, dim) {
        return Kind::Text;
    }
    match records(sample, promised, dim) {
        // Words of a text may contain some control characters.
        Some(Vectors { bytes, strange }) if strange * 16 > bytes || (strange > 0 && bytes < 64) => Kind::Binary,
        Some(_) => Kind::Text,
        None if sample.iter().filter(|&&byte| is_control(byte)).count() * 50 > sample.len() => Kind::Damaged,
        None => Kind::Text,
    }
}

/// Whether a field is a number as text.
pub(super) fn is_number(field: &[u8]) -> bool {
    number(field).is_some()
}

/// Position of the last `dim` fields of a line; `None` if it has fewer.
pub(super) fn start_of_numbers(line: &[u8], dim: usize) -> Option<usize> {
    let mut at = line.len();
    for _ in 0..dim {
        let end = line[..at].trim_ascii_end();
        if end.is_empty() {
            return None;
        }
        at = end.iter().rposition(u8::is_ascii_whitespace).map_or(0, |blank| blank + 1);
    }
    Some(at)
}

/// Whether most lines are a word and `dim` numbers.
fn lines_fit(sample: &[u8], whole: bool, dim: usize) -> bool {
    let Some(end) = sample.iter().rposition(|&byte| byte == b'\n').or(whole.then_some(sample.len())) else {
        return one_line_fits(sample);
    };
    let lines = if whole { sample } else { &sample[..end] };
    let (mut good, mut all) = (0, 0);
    for line in lines.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).take(LINES) {
        all += 1;
        let start = start_of_numbers(line, dim).filter(|&start| start > 0);
        good += usize::from(start.is_some_and(|start| fields(&line[start..]).all(is_number)));
    }
    good * 2 > all
}

/// Whether most fields are numbers, in the beginning of a line that is longer than the sample.
fn one_line_fits(sample: &[u8]) -> bool {
    let (mut good, mut all) = (0, 0);
    for field in fields(sample) {
        all += 1;
        good += usize::from(is_number(field));
    }
    good * 2 > all
}

/// The fields between white space.
pub(super) fn fields(line: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty())
}

/// Number of bytes of vectors, and how many of them cannot be text.
struct Vectors {
    bytes: usize,
    strange: usize,
}

/// The vectors of a binary file, as far as the sample goes; `None` if words and vectors do not follow one another.
fn records(sample: &[u8], promised: usize, dim: usize) -> Option<Vectors> {
    let mut vectors = Vectors { bytes: 0, strange: 0 };
    let mut rest = sample;
    for _ in 0..promised {
        rest = &rest[rest.iter().take_while(|&&byte| byte == b'\n').count()..];
        let Some(end) = memchr::memchr(b' ', rest) else {
            // The file is cut short, or the sample ends here.
            return (rest.len() <= LONGEST_WORD).then_some(vectors);
        };
        let (word, after) = (&rest[..end], &rest[end + 1..]);
        if word.is_empty() || word.contains(&b'\n') {
            return None;
        }
        let (vector, after) = after.split_at(after.len().min(dim * size_of::<f32>()));
        vectors.bytes += vector.len();
        vectors.strange += strange(vector);
        rest = after;
    }
    rest.iter().all(u8::is_ascii_whitespace).then_some(vectors)
}

/// Number of bytes that no text contains: control characters and invalid UTF-8. A character that is cut at the end
/// does not count.
fn strange(bytes: &[u8]) -> usize {
    let control = bytes.iter().filter(|&&byte| is_control(byte)).count();
    let mut invalid = 0;
    let mut chunks = bytes.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        let is_cut = chunks.peek().is_none() && from_utf8(chunk.invalid()).is_err_and(|e| e.error_len().is_none());
        invalid += if is_cut { 0 } else { chunk.invalid().len() };
    }
    control + invalid
}

/// Whether this is a control character other than white space.
fn is_control(byte: u8) -> bool {
    byte.is_ascii_control() && !(b'\t'..=b'\r').contains(&byte)
}
