//! The vectors of sentences.

use super::line::{Scratch, divides};
use super::{FastText, Open, scale};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use tokenbed_core::{Error, Result};
use tokenbed_io::fasttext::Kind;
use tokenbed_memory::filled;
use tokenbed_threads::parallel_shares;

/// Texts that a thread takes at a time.
const SHARE: usize = 16;

impl FastText {
    /// Writes the vector of each text, (texts, dim), on at most `threads` threads. In a supervised model it is the mean
    /// of the rows of its words, their sub-words and n-grams, with the end of the line; in others the mean of its
    /// words' vectors, each scaled to length 1. A line break counts as a space.
    ///
    /// # Errors
    /// [`Error::Format`](tokenbed_core::Error::Format) if the dictionary does not match the header;
    /// [`Error::Shape`](tokenbed_core::Error::Shape) for a result of another size.
    pub fn sentences<T: AsRef<str> + Sync>(&self, texts: &[T], threads: usize, out: &mut [f32]) -> Result<()> {
        let write = |vector: &mut [f32], out: &mut [f32]| out.copy_from_slice(vector);
        self.write_sentences(texts, (threads, None), (self.header().dim, out), write).map(|_| ())
    }

    /// Computes the vectors of texts as [`sentences`](Self::sentences) does, as long as it may go on, and hands each to
    /// `write` with its place in `out`, which has `width` elements for a text. Returns whether all were written.
    ///
    /// # Errors
    /// Those of [`sentences`](Self::sentences).
    pub fn write_sentences<T: AsRef<str> + Sync, O: Send>(
        &self,
        texts: &[T],
        (threads, go_on): (usize, Option<&(dyn Fn() -> bool + Sync)>),
        (width, out): (usize, &mut [O]),
        write: impl Fn(&mut [f32], &mut [O]) + Sync,
    ) -> Result<bool> {
        let (open, dim) = (self.ready()?, self.header().dim);
        if width == 0 || texts.len().checked_mul(width) != Some(out.len()) {
            return Err(Error::Shape(format!("{} elements for {} vectors of {width}", out.len(), texts.len())));
        }
        let stopped = AtomicBool::new(false);
        let shares = Mutex::new(texts.chunks(SHARE).zip(out.chunks_mut(SHARE * width)));
        parallel_shares(texts.len().div_ceil(SHARE), threads, |_| {
            let next = shares.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((texts, out)) = next else { return };
            let (mut scratch, mut word, mut sum) = (Scratch::default(), filled(0.0, dim), filled(0.0, dim));
            for (text, out) in texts.iter().zip(out.chunks_exact_mut(width)) {
                // Relaxed: nothing else is read by what this says.
                if stopped.load(Ordering::Relaxed) || go_on.is_some_and(|go_on| !go_on()) {
                    stopped.store(true, Ordering::Relaxed);
                    return;
                }
                open.sentence(text.as_ref().as_bytes(), &mut scratch, &mut word, &mut sum);
                write(&mut sum, out);
            }
        });
        Ok(!stopped.into_inner())
    }
}

impl Open<'_> {
    fn sentence(self, text: &[u8], scratch: &mut Scratch, word: &mut [f32], out: &mut [f32]) {
        if self.header.kind == Kind::Supervised {
            self.hidden(text, scratch, out);
            return;
        }
        out.fill(0.0);
        let mut count = 0;
        // Zeros do not divide words here.
        for token in text.split(|&byte| divides(byte)).filter(|token| !token.is_empty()) {
            self.vector(token, scratch, word);
            let norm = word.iter().fold(0.0f32, |sum, &x| sum + x * x).sqrt();
            if norm > 0.0 {
                let factor = (1.0 / f64::from(norm)) as f32;
                out.iter_mut().zip(&*word).for_each(|(sum, &x)| *sum += x * factor);
                count += 1;
            }
        }
        scale(out, count);
    }

    /// The mean of a line's rows, from which classes are computed. Returns how many there are.
    pub(super) fn hidden(self, text: &[u8], scratch: &mut Scratch, out: &mut [f32]) -> usize {
        out.fill(0.0);
        let mut rows = 0;
        self.line(text, scratch, |row| {
            self.add(row, out);
            rows += 1;
        });
        scale(out, rows);
        rows
    }
}
