//! The header: counts and options, all of which are checked.

use super::Wrong;

/// The first number of a file that says its version.
const MAGIC: i32 = 793_712_314;
/// The newest version.
const NEWEST: i32 = 12;
/// The version whose supervised models have no sub-words, whatever they say.
const WITHOUT_SUBWORDS: i32 = 11;
/// The longest sub-word in characters, and the most words in an n-gram: what a text costs grows with both.
const LONGEST: i32 = 256;
/// Largest length of a vector.
const MOST_DIM: usize = 1 << 20;

/// What a model was trained for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Words from those around them.
    Cbow,
    /// The words around a word.
    SkipGram,
    /// The classes of lines.
    Supervised,
}

/// How the output is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Hierarchical softmax.
    Hierarchical,
    /// Negative sampling.
    Negative,
    /// Softmax.
    Softmax,
    /// One against all others.
    OneVsAll,
}

/// What the header says.
#[derive(Clone, Debug)]
pub struct Header {
    /// Length of a vector.
    pub dim: usize,
    /// Largest number of words in an n-gram; at most 1 if there are none.
    pub word_ngrams: usize,
    /// How the output is computed.
    pub loss: Loss,
    /// What the model was trained for.
    pub kind: Kind,
    /// Number of rows that sub-words and n-grams share before pruning; 0 if there are none.
    pub bucket: u32,
    /// Fewest characters in a sub-word.
    pub minn: usize,
    /// Most characters in a sub-word; 0 if there are none.
    pub maxn: usize,
    /// Number of words.
    pub words: usize,
    /// Number of classes.
    pub labels: usize,
    /// Number of rows of sub-words and n-grams that pruning kept, if the model was pruned.
    pub pruned: Option<usize>,
    /// Whether the file says its version, and which matrices are quantized.
    pub(super) is_marked: bool,
    /// The byte at which the dictionary's entries begin.
    pub(super) end: usize,
}

impl Header {
    /// Number of rows of the input matrix.
    pub fn input_rows(&self) -> usize {
        self.words + self.pruned.unwrap_or(self.bucket as usize)
    }

    /// Number of rows of the output matrix.
    pub fn output_rows(&self) -> usize {
        if self.kind == Kind::Supervised { self.labels } else { self.words }
    }
}

/// Reads numbers one after the other.
pub(super) struct Numbers<'a> {
    bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Numbers<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// The next bytes.
    fn take<const N: usize>(&mut self, what: &str) -> Result<[u8; N], Wrong> {
        let next = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>()).copied();
        let next = next.ok_or_else(|| (self.bytes.len(), format!("the file ends before {what}: cut short")))?;
        self.at += N;
        Ok(next)
    }

    pub(super) fn i32(&mut self, what: &str) -> Result<i32, Wrong> {
        self.take(what).map(i32::from_le_bytes)
    }

    pub(super) fn i64(&mut self, what: &str) -> Result<i64, Wrong> {
        self.take(what).map(i64::from_le_bytes)
    }

    /// A byte that is 0 or 1.
    pub(super) fn flag(&mut self, what: &str) -> Result<bool, Wrong> {
        let at = self.at;
        match self.take::<1>(what)? {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => Err((at, format!("{what} is {other}, where 0 and 1 are known"))),
        }
    }

    /// A number from 0 to `most`.
    fn among(&mut self, most: i32, what: &str) -> Result<i32, Wrong> {
        let at = self.at;
        let number = self.i32(what)?;
        if (0..=most).contains(&number) {
            return Ok(number);
        }
        Err((at, format!("{what} is {number}, where 0 to {most} are read: damaged, or not a model of fastText")))
    }
}

/// Reads the header of a file.
pub(super) fn read(bytes: &[u8]) -> Result<Header, Wrong> {
    let mut numbers = Numbers::new(bytes, 0);
    let first = numbers.i32("the beginning of a model of fastText")?;
    let is_marked = first == MAGIC;
    // Before version 11 a file began with the options.
    let mut version = 0;
    if is_marked {
        version = numbers.i32("the version")?;
        if !(0..=NEWEST).contains(&version) {
            let message = format!("version {version} of fastText's format, where up to {NEWEST} are known");
            return Err((4, message));
        }
    } else {
        numbers.at = 0;
    }
    let at = numbers.at;
    let dim = numbers.among(i32::MAX, "the length of a vector")? as usize;
    if dim == 0 || dim > MOST_DIM || dim > bytes.len() / size_of::<f32>() {
        let message =
            format!("vectors of {dim} numbers in a file of {} bytes: damaged, or not a model of fastText", bytes.len());
        return Err((at, message));
    }
    for what in ["the window", "the number of epochs", "the least count", "the number of negative samples"] {
        numbers.i32(what)?;
    }
    let word_ngrams = numbers.among(LONGEST, "the length of word n-grams")? as usize;
    let at = numbers.at;
    let loss = match numbers.i32("the loss")? {
        1 => Loss::Hierarchical,
        2 => Loss::Negative,
        3 => Loss::Softmax,
        4 => Loss::OneVsAll,
        other => return Err((at, format!("a loss of number {other}, where 1 to 4 are known"))),
    };
    let at = numbers.at;
    let kind = match numbers.i32("the kind of the model")? {
        1 => Kind::Cbow,
        2 => Kind::SkipGram,
        3 => Kind::Supervised,
        other => return Err((at, format!("a model of kind {other}, where 1 to 3 are known"))),
    };
    let bucket = numbers.among(i32::MAX, "the number of buckets")? as u32;
    let minn = numbers.among(LONGEST, "the length of the shortest sub-word")? as usize;
    let mut maxn = numbers.among(LONGEST, "the length of the longest sub-word")? as usize;
    if kind == Kind::Supervised && version <= WITHOUT_SUBWORDS {
        maxn = 0;
    }
    numbers.i32("the rate of updates")?;
    numbers.i64("the sampling threshold")?;
    let at = numbers.at;
    let size = numbers.among(i32::MAX, "the size of the dictionary")? as usize;
    let words = numbers.among(i32::MAX, "the number of words")? as usize;
    let labels = numbers.among(i32::MAX, "the number of classes")? as usize;
    if words + labels != size {
        return Err((at, format!("a dictionary of {size} entries, {words} words and {labels} classes: these differ")));
    }
    if kind == Kind::Supervised && labels == 0 {
        return Err((at, "a supervised model without classes".into()));
    }
    numbers.i64("the number of tokens")?;
    let at = numbers.at;
    let pruned = if is_marked { numbers.i64("the number of rows that pruning kept")? } else { -1 };
    let pruned = match pruned {
        -1 => None,
        0..=0x7fff_ffff => Some(pruned as usize),
        _ => return Err((at, format!("{pruned} rows that pruning kept: damaged"))),
    };
    let end = numbers.at;
    // An entry has a letter at least, a zero, its count and its kind. A pair has two numbers.
    let least = size as u64 * 11 + pruned.unwrap_or(0) as u64 * 8;
    if least > (bytes.len() - end) as u64 {
        let message = format!("a dictionary of {size} entries, more than the file has room for: damaged or cut short");
        return Err((at, message));
    }
    Ok(Header { dim, word_ngrams, loss, kind, bucket, minn, maxn, words, labels, pruned, is_marked, end })
}
