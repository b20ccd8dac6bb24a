//! Models of fastText as fastText 0.9.2 runs them: vectors of words, known or not, vectors of sentences, the classes of
//! lines, and the words whose vectors are nearest. Sums are made in the order and the type in which fastText makes
//! them.
//!
//! The file stays as it is: rows are read where they lie, and those of a quantized matrix are decoded one by one.

#![cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_macros))]
#![forbid(unsafe_code)]

mod classes;
mod line;
mod losses;
mod neighbours;
mod sentences;
mod subwords;
mod tree;

pub use classes::Classes;

use line::Scratch;
use std::path::Path;
use std::sync::OnceLock;
use subwords::Subwords;
use tokenbed_core::{Error, Result};
use tokenbed_io::fasttext::{self, Dictionary, Header, Opened};
use tokenbed_memory::{List, lossy, owned};
use tree::Tree;

/// The word that stands for the end of a line.
const END_OF_LINE: &[u8] = b"</s>";
/// What a class begins with in a line, if the model does not have it.
const LABEL: &[u8] = b"__label__";

/// An open model.
#[derive(Debug)]
pub struct FastText {
    file: Opened,
    /// The tree of hierarchical softmax, made when it is first needed.
    tree: OnceLock<Tree>,
}

/// A model with its words, as a call uses it.
#[derive(Clone, Copy)]
struct Open<'a> {
    file: &'a Opened,
    bytes: &'a [u8],
    header: &'a Header,
    dictionary: &'a Dictionary,
}

impl FastText {
    /// Opens a file. Its words are indexed when one is first asked for.
    ///
    /// # Errors
    /// Those of [`fasttext::open`].
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self { file: fasttext::open(path)?, tree: OnceLock::new() })
    }

    /// What the header of the file says.
    pub fn header(&self) -> &Header {
        self.file.header()
    }

    fn ready(&self) -> Result<Open<'_>> {
        let dictionary = self.file.dictionary()?;
        Ok(Open { file: &self.file, bytes: self.file.bytes(), header: self.file.header(), dictionary })
    }

    /// Number of bytes that are held beside the file.
    ///
    /// # Errors
    /// [`Error::Format`] if the dictionary does not match the header.
    pub fn index_bytes(&self) -> Result<usize> {
        Ok(self.file.dictionary()?.bytes())
    }

    /// The texts of `count` entries from `from` on: words, then classes. What is not UTF-8 becomes U+FFFD.
    ///
    /// # Errors
    /// [`Error::Format`] if the dictionary does not match the header.
    pub fn texts(&self, from: usize, count: usize) -> Result<Vec<String>> {
        let open = self.ready()?;
        let end = open.entries().min(from.saturating_add(count));
        let mut texts = Vec::new();
        texts.put_all((from..end).map(|number| owned(&lossy(open.dictionary.text(open.bytes, number)))));
        Ok(texts)
    }

    /// The row of a word that the model has.
    ///
    /// # Errors
    /// [`Error::Format`] if the dictionary does not match the header.
    pub fn word(&self, text: &str) -> Result<Option<usize>> {
        let open = self.ready()?;
        Ok(open.word(text.as_bytes()))
    }

    /// Writes the vector of a word, known or not: the mean of its own row and those of its sub-words. Returns of how
    /// many rows; it is zeros if there is none.
    ///
    /// # Errors
    /// [`Error::Format`] if the dictionary does not match the header; [`Error::Shape`] for another length.
    pub fn vector(&self, text: &str, out: &mut [f32]) -> Result<usize> {
        let open = self.ready()?;
        self.check(out.len(), 1)?;
        Ok(open.vector(text.as_bytes(), &mut Scratch::default(), out))
    }

    /// Writes the vectors (words, dim) of the words from row `from` on.
    ///
    /// # Errors
    /// [`Error::Format`] if the dictionary does not match the header; [`Error::Shape`] if there are not so many words.
    pub fn vectors(&self, from: usize, out: &mut [f32]) -> Result<()> {
        let (open, dim) = (self.ready()?, self.header().dim);
        let count = out.len() / dim;
        self.check(out.len(), count)?;
        if from.checked_add(count).is_none_or(|end| end > open.header.words) {
            return Err(Error::Shape(format!("{count} words from {from} on, of {}", open.header.words)));
        }
        tokenbed_threads::parallel_rows(out, dim, open.word_bytes(), |range, out| {
            let mut scratch = Scratch::default();
            for (word, out) in range.zip(out.chunks_exact_mut(dim)) {
                open.known(from + word, &mut scratch, out);
            }
        });
        Ok(())
    }

    fn check(&self, len: usize, rows: usize) -> Result<()> {
        let dim = self.header().dim;
        if rows.checked_mul(dim) == Some(len) {
            return Ok(());
        }
        Err(Error::Shape(format!("{len} elements for {rows} vectors of {dim}")))
    }
}

impl<'a> Open<'a> {
    fn entries(self) -> usize {
        self.header.words + self.header.labels
    }

    /// The row of a word; classes have none.
    fn word(self, text: &[u8]) -> Option<usize> {
        self.dictionary.find(self.bytes, text).filter(|&number| number < self.header.words)
    }

    fn subwords(self) -> Subwords<'a> {
        Subwords { header: self.header, dictionary: self.dictionary }
    }

    /// About how many bytes are read for the vector of a word.
    fn word_bytes(self) -> usize {
        const SUBWORDS: usize = 16;
        let rows = if self.subwords().are_used() { 1 + SUBWORDS } else { 1 };
        rows * self.file.input().row_bytes().max(size_of::<f32>() * self.header.dim / 4)
    }

    /// sum += a row of the input matrix.
    #[inline]
    fn add(self, row: usize, sum: &mut [f32]) {
        self.file.input().add_row(self.bytes, row, sum);
    }

    /// The vector of a word with its own row.
    fn known(self, number: usize, scratch: &mut Scratch, out: &mut [f32]) -> usize {
        let text = self.dictionary.text(self.bytes, number);
        self.mean(Some(number), text, scratch, out)
    }

    /// The vector of any word.
    fn vector(self, text: &[u8], scratch: &mut Scratch, out: &mut [f32]) -> usize {
        self.mean(self.word(text), text, scratch, out)
    }

    fn mean(self, own: Option<usize>, text: &[u8], scratch: &mut Scratch, out: &mut [f32]) -> usize {
        out.fill(0.0);
        let mut rows = 0;
        if let Some(own) = own {
            self.add(own, out);
            rows = 1;
        }
        if text != END_OF_LINE {
            self.subwords().each(text, &mut scratch.word, |row| {
                self.add(row, out);
                rows += 1;
            });
        }
        scale(out, rows);
        rows
    }
}

/// Divides a sum of so many rows by their number, by the product that fastText computes.
fn scale(sum: &mut [f32], rows: usize) {
    if rows > 0 {
        let factor = (1.0 / rows as f64) as f32;
        sum.iter_mut().for_each(|x| *x *= factor);
    }
}
