//! Texts that come in parts, divided into documents.

use crate::error::TextError;
use crate::special::SpecialPolicy;
use crate::stream::TextStream;
use crate::tokenizer::Tokenizer;
use tokenbed_memory::{Gather, List};

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Division {
    /// A whole text, which may be empty.
    Texts,
    /// A line of a text, without the `\n` or `\r\n` that ends it. Lines in which nothing stands are no documents.
    Lines,
}

/// Encodes texts that are pushed part by part, each document for itself: its ids are those of [`Tokenizer::encode`].
#[derive(Debug)]
pub struct Documents {
    stream: TextStream,
    division: Division,
    /// Whether the text ended in `\r` so far: whether that ends a line shows in what follows.
    carriage: bool,
    /// Whether the line has any text.
    begun: bool,
}

/// Smallest number of bytes of lines that are divided among threads.
const LEAST: usize = 64 << 10;
/// Largest number of bytes of a line that is encoded as a whole.
const LONGEST: usize = 32 << 10;

/// A part of a text as the end of a line, whole lines, and the beginning of a line.
fn whole_lines(part: &str) -> (&str, &str, &str) {
    let (Some(first), Some(last)) = (part.find('\n'), part.rfind('\n')) else { return (part, "", "") };
    (&part[..=first], &part[first + 1..=last], &part[last + 1..])
}

impl Documents {
    /// Before the first text.
    pub fn new(policy: SpecialPolicy, division: Division) -> Self {
        Self { stream: TextStream::new(policy), division, carriage: false, begun: false }
    }

    /// Says how many bytes may be held back: see [`TextStream::hold_at_most`].
    pub fn hold_at_most(&mut self, bytes: usize) {
        self.stream.hold_at_most(bytes);
    }

    /// Sets the number of threads among which parts of hundreds of kilobytes are divided, by default one.
    pub fn divide_among(&mut self, threads: usize) {
        self.stream.divide_among(threads);
    }

    /// Takes the next part of a text. Appends the ids that are certain by now to `ids`, and for each document that
    /// ended the length of `ids` there to `ends`.
    ///
    /// # Errors
    /// As [`TextStream::push`]. Nothing of the text is of use then.
    pub fn push(
        &mut self,
        tokenizer: &Tokenizer,
        part: &str,
        ids: &mut Vec<u32>,
        ends: &mut Vec<usize>,
    ) -> Result<(), TextError> {
        if self.division == Division::Texts {
            return self.stream.push(tokenizer, part, ids);
        }
        let (first, whole, last) = whole_lines(part);
        self.lines(tokenizer, first, ids, ends)?;
        let is_free = !self.begun && !self.carriage && self.stream.most() >= LONGEST;
        if is_free && self.stream.threads() > 1 && whole.len() >= LEAST {
            self.many_lines(tokenizer, whole, ids, ends)?;
        } else {
            self.lines(tokenizer, whole, ids, ends)?;
        }
        self.lines(tokenizer, last, ids, ends)
    }

    /// Takes lines, or parts of them, one after the other.
    fn lines(
        &mut self,
        tokenizer: &Tokenizer,
        part: &str,
        ids: &mut Vec<u32>,
        ends: &mut Vec<usize>,
    ) -> Result<(), TextError> {
        for line in part.split_inclusive('\n') {
            let (text, ends_here) = match line.strip_suffix('\n') {
                Some(text) => (text, true),
                None => (line, false),
            };
            // A return that was held back is text, unless the line ends right behind it.
            if self.carriage && !(text.is_empty() && ends_here) {
                self.add(tokenizer, "\r", ids)?;
            }
            self.carriage = text.ends_with('\r');
            self.add(tokenizer, text.strip_suffix('\r').unwrap_or(text), ids)?;
            if ends_here {
                self.carriage = false;
                self.end_line(tokenizer, ids, ends)?;
            }
        }
        Ok(())
    }

    /// Takes whole lines, on several threads.
    fn many_lines(
        &mut self,
        tokenizer: &Tokenizer,
        lines: &str,
        ids: &mut Vec<u32>,
        ends: &mut Vec<usize>,
    ) -> Result<(), TextError> {
        let text = |line| str::strip_suffix(line, '\r').unwrap_or(line);
        let texts = lines.split('\n').map(text).filter(|text| !text.is_empty()).into_list();
        // A long line may have to be refused, or is encoded in parts.
        if texts.iter().any(|text| text.len() > LONGEST) {
            return self.lines(tokenizer, lines, ids, ends);
        }
        let encoded = tokenizer.encode_batch(&texts, self.stream.policy(), self.stream.threads());
        let encoded = encoded.map_err(|error| match error {
            TextError::InBatch { source, .. } => *source,
            error => error,
        })?;
        for line in encoded.rows() {
            ids.put_slice(line);
            ends.put(ids.len());
        }
        Ok(())
    }

    /// Ends a text: appends what was held back, and where its last document ends.
    ///
    /// # Errors
    /// As [`Documents::push`].
    pub fn finish(
        &mut self,
        tokenizer: &Tokenizer,
        ids: &mut Vec<u32>,
        ends: &mut Vec<usize>,
    ) -> Result<(), TextError> {
        if self.division == Division::Texts {
            self.stream.finish(tokenizer, ids)?;
            ends.put(ids.len());
            return Ok(());
        }
        if std::mem::take(&mut self.carriage) {
            self.add(tokenizer, "\r", ids)?;
        }
        self.end_line(tokenizer, ids, ends)
    }

    fn add(&mut self, tokenizer: &Tokenizer, text: &str, ids: &mut Vec<u32>) -> Result<(), TextError> {
        self.begun |= !text.is_empty();
        if text.is_empty() { Ok(()) } else { self.stream.push(tokenizer, text, ids) }
    }

    fn end_line(&mut self, tokenizer: &Tokenizer, ids: &mut Vec<u32>, ends: &mut Vec<usize>) -> Result<(), TextError> {
        if std::mem::take(&mut self.begun) {
            self.stream.finish(tokenizer, ids)?;
            ends.put(ids.len());
        }
        Ok(())
    }
}
