//! What makes vectors of texts.

use crate::error::EmbedError;
use crate::form::Form;
use crate::pool::{Pool, Rows};
use crate::semantics::{Semantics, UnknownTokens};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use tokenbed_core::Error;
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_memory::{Gather, List, with_room};
use tokenbed_text::{Encoder, GoOn, Side, SpecialPolicy, TextError, Tokenizer};
use tokenbed_threads::parallel_shares;

/// What an [`Embedder`] is made of.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Which tokens count.
    pub semantics: Semantics,
    /// The largest number of tokens of a text; None for any number.
    pub max_length: Option<usize>,
    /// A factor for each token, by its id.
    pub weights: Option<Vec<f32>>,
    /// The row of each token, by its id; without it a token's row has its id.
    pub mapping: Option<Vec<u32>>,
    /// The number of rows of the table.
    pub rows: usize,
}

/// A tokenizer, and what belongs to its tokens. The rows themselves are given to each call.
pub struct Embedder {
    tokenizer: Tokenizer,
    special: SpecialPolicy,
    parts: Parts,
    /// The token that is left out, and when.
    unknown: (Option<u32>, UnknownTokens),
    /// The side on which a text with too many tokens is cut.
    cut: Side,
    /// The median length of a token in characters.
    median: OnceLock<usize>,
}

/// Number of shares into which the work of one thread is cut. A thread that is done takes the next share, so that all
/// end at about the same time.
const SHARES_A_THREAD: usize = 8;

impl Embedder {
    /// Puts the parts together.
    ///
    /// # Errors
    /// [`Error::Shape`] if a token has no row, no factor, or no place in the mapping; [`Error::TokenIndex`] for a place
    /// in the mapping that is no row.
    pub fn new(tokenizer: Tokenizer, parts: Parts) -> Result<Self, Error> {
        let Parts { semantics, rows, .. } = parts;
        let unknown = tokenizer.unknown_id();
        let unknown = match semantics.unknown() {
            // Without a row, an unknown token cannot count.
            UnknownTokens::Stay if unknown.is_some_and(|id| parts.mapping.is_none() && id as usize >= rows) => {
                (unknown, UnknownTokens::GoLast)
            }
            UnknownTokens::Stay => (None, UnknownTokens::Stay),
            goes => (unknown, goes),
        };
        let size = tokenizer.vocab_size();
        // The last token may be one that never counts.
        let needed = if unknown.0.is_some_and(|id| id as usize + 1 == size) { size - 1 } else { size };
        let has_rows = parts.mapping.is_some() || semantics.clamps() || needed <= rows;
        if !has_rows {
            return Err(Error::Shape(format!("the tokenizer has {size} tokens, but the table has {rows} rows")));
        }
        if rows == 0 && needed > 0 {
            return Err(Error::Shape(format!("the tokenizer has {size} tokens, but the table has no rows")));
        }
        let lists =
            [("mapping", parts.mapping.as_ref().map(Vec::len)), ("weights", parts.weights.as_ref().map(Vec::len))];
        for (name, length) in lists {
            if let Some(length) = length.filter(|&length| length < needed) {
                let why = format!("the tokenizer has {size} tokens, but {name} has {length} elements: each needs one");
                return Err(Error::Shape(why));
            }
        }
        if let Some((flat, &row)) = parts.mapping.iter().flatten().enumerate().find(|&(_, &row)| row as usize >= rows) {
            return Err(Error::TokenIndex { flat, value: row.into(), rows, count: 1 });
        }
        let cut =
            if semantics == Semantics::SentenceTransformers { tokenizer.habits().truncation_side } else { Side::Right };
        let mut parts = parts;
        if semantics == Semantics::SentenceTransformers && parts.max_length.is_none() {
            // The library cuts texts as the tokenizer's file says.
            parts.max_length = tokenizer.habits().truncation_length;
        }
        Ok(Self { special: semantics.special(), tokenizer, parts, unknown, cut, median: OnceLock::new() })
    }

    /// What it was made of.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Writes the vector of each text to `out`, one after the other, on up to `threads` threads of the process, as long
    /// as it may go on. Texts are divided among threads by their bytes, and few are computed on this thread.
    ///
    /// # Errors
    /// [`EmbedError::Text`] for a text that cannot be encoded, the first of those, and if it may not go on;
    /// [`Error::Shape`] if a form or `out` does not fit. `out` is written in part then.
    pub fn embed<T: AsRef<str> + Sync>(
        &self,
        kernels: Kernels,
        rows: Rows<'_>,
        texts: &[T],
        form: Form,
        (threads, go_on): (usize, Option<GoOn<'_>>),
        out: &mut [u8],
    ) -> Result<(), EmbedError> {
        let bytes_each = form.bytes()?;
        if rows.len() != self.parts.rows || texts.len().checked_mul(bytes_each) != Some(out.len()) {
            let why = format!("{} vectors of {} rows do not fill {} bytes", texts.len(), rows.len(), out.len());
            return Err(Error::Shape(why).into());
        }
        let encoder = self.tokenizer.encoder(&self.special);
        let run =
            |range: Range<usize>, out: &mut [u8]| self.share(kernels, rows, texts, range, form, (&encoder, go_on), out);
        let bytes: usize = texts.iter().map(|text| text.as_ref().len()).sum();
        let threads = threads.min(bytes / encoder.worth_a_thread()).min(texts.len());
        if threads < 2 || bytes_each == 0 {
            return run(0..texts.len(), out);
        }
        let shares = shares(texts, bytes / (threads * SHARES_A_THREAD), bytes_each, out);
        let first_failed = AtomicUsize::new(usize::MAX);
        let failures: Vec<OnceLock<EmbedError>> = shares.iter().map(|_| OnceLock::new()).into_list();
        parallel_shares(shares.len(), threads, |i| {
            // Of several failures the first counts.
            if i > first_failed.load(Ordering::Relaxed) {
                return;
            }
            // Each share is taken once, so nobody waits for its lock.
            let mut share = shares[i].lock().unwrap_or_else(PoisonError::into_inner);
            let (range, out) = &mut *share;
            if let Err(error) = run(range.clone(), out) {
                first_failed.fetch_min(i, Ordering::Relaxed);
                failures[i].get_or_init(|| error);
            }
        });
        failures.into_iter().find_map(OnceLock::into_inner).map_or(Ok(()), Err)
    }

    /// The vectors of texts that follow one another.
    #[allow(clippy::too_many_arguments, reason = "one caller, which has them all at hand")]
    fn share<T: AsRef<str>>(
        &self,
        kernels: Kernels,
        rows: Rows<'_>,
        texts: &[T],
        range: Range<usize>,
        form: Form,
        (encoder, go_on): (&Encoder<'_>, Option<GoOn<'_>>),
        mut out: &mut [u8],
    ) -> Result<(), EmbedError> {
        let least_norm = self.parts.semantics.least_norm();
        let mut pool = Pool::new(kernels, rows, form, least_norm, self.parts.weights.is_some())?;
        for index in range {
            if go_on.is_some_and(|go_on| !go_on()) {
                return Err(TextError::Stopped.into());
            }
            self.tokens(texts[index].as_ref(), encoder, go_on, &mut pool).map_err(|source| in_batch(index, source))?;
            if pool.end_text() {
                out = pool.write(out)?;
            }
        }
        pool.end(out)
    }

    /// Appends the rows and the factors of a text's tokens.
    fn tokens(
        &self,
        text: &str,
        encoder: &Encoder<'_>,
        go_on: Option<GoOn<'_>>,
        pool: &mut Pool<'_>,
    ) -> Result<(), TextError> {
        let Parts { semantics, max_length, weights, mapping, rows } = &self.parts;
        let ids = &mut pool.ids;
        let start = ids.len();
        encoder.encode(self.front(text), go_on, ids)?;
        if let (Some(unknown), UnknownTokens::GoFirst) = self.unknown {
            remove(ids, start, unknown);
        }
        let excess = max_length.map_or(0, |most| (ids.len() - start).saturating_sub(most));
        match self.cut {
            Side::Right => ids.truncate(ids.len() - excess),
            Side::Left => drop(ids.drain(start..start + excess)),
        }
        if let (Some(unknown), UnknownTokens::GoLast) = self.unknown {
            remove(ids, start, unknown);
        }
        let ids = &mut ids[start..];
        if let (Some(weights), Some(factors)) = (weights, &mut pool.weights) {
            factors.put_all(ids.iter().map(|&id| weights.get(id as usize).copied().unwrap_or(0.0)));
        }
        if let Some(mapping) = mapping {
            // What has no place in the mapping has no row, which the lookup reports.
            ids.iter_mut().for_each(|id| *id = mapping.get(*id as usize).copied().unwrap_or(u32::MAX));
        } else if semantics.clamps() {
            let last = u32::try_from(rows.saturating_sub(1)).unwrap_or(u32::MAX);
            ids.iter_mut().for_each(|id| *id = (*id).min(last));
        }
        Ok(())
    }

    /// The front of a text that is encoded: `max_length` tokens of median length.
    fn front<'a>(&self, text: &'a str) -> &'a str {
        let Some(most) = self.parts.max_length.filter(|_| self.parts.semantics.cuts_characters()) else { return text };
        // The median is found when the first text comes that may be long enough.
        if text.len() <= most {
            return text;
        }
        let characters = most.saturating_mul(*self.median.get_or_init(|| self.median_length()));
        if text.len() <= characters {
            return text;
        }
        text.char_indices().nth(characters).map_or(text, |(end, _)| &text[..end])
    }

    /// The median length of a token in characters, rounded down. `numpy.median`.
    fn median_length(&self) -> usize {
        let size = self.tokenizer.vocab_size();
        let mut lengths: Vec<usize> = with_room(size);
        for id in 0..size {
            if let Ok(token) = self.tokenizer.token(id as u32) {
                lengths.put(token.chars().count());
            }
        }
        lengths.sort_unstable();
        let middle = lengths.len() / 2;
        match lengths.get(middle) {
            None => 0,
            Some(&upper) if lengths.len() % 2 == 1 => upper,
            Some(&upper) => (upper + lengths.get(middle.wrapping_sub(1)).copied().unwrap_or(upper)) / 2,
        }
    }
}

/// Removes a token from the ids at and after `start`.
fn remove(ids: &mut Vec<u32>, start: usize, token: u32) {
    let mut kept = start;
    for at in start..ids.len() {
        let id = ids[at];
        if id != token {
            ids[kept] = id;
            kept += 1;
        }
    }
    ids.truncate(kept);
}

fn in_batch(index: usize, source: TextError) -> TextError {
    match source {
        TextError::Stopped => source,
        _ => TextError::InBatch { index, source: Box::new(source) },
    }
}

/// Texts that follow one another, and where their vectors are written.
type Share<'out> = Mutex<(Range<usize>, &'out mut [u8])>;

/// Cuts the texts into shares of at least so many bytes each, except for the last.
fn shares<'out, T: AsRef<str>>(
    texts: &[T],
    bytes: usize,
    bytes_each: usize,
    mut out: &'out mut [u8],
) -> Vec<Share<'out>> {
    let mut shares = Vec::new();
    let (mut start, mut size) = (0, 0);
    for (i, text) in texts.iter().enumerate() {
        size += text.as_ref().len();
        if size >= bytes || i + 1 == texts.len() {
            let (now, later) = std::mem::take(&mut out).split_at_mut((i + 1 - start) * bytes_each);
            shares.put(Mutex::new((start..i + 1, now)));
            (start, size, out) = (i + 1, 0, later);
        }
    }
    shares
}
