//! Encodes many texts at once, on many threads.

use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{TextError, fit_u32};
use tokenbed_memory::{Gather, List, with_room};
use tokenbed_threads::parallel_shares;

/// The ids of several texts, as the threads made them. They are written once more, to their final place.
#[derive(Debug, Clone, Default)]
pub struct EncodedTexts {
    /// Each part holds texts that follow one another.
    parts: Vec<Part>,
    texts: usize,
    ids: usize,
}

/// The ids of some texts, end to end.
#[derive(Debug, Clone, Default)]
struct Part {
    ids: Vec<u32>,
    /// The index in `ids` at which each text ends.
    ends: Vec<u32>,
}

impl Part {
    fn rows(&self) -> impl Iterator<Item = &[u32]> {
        let begins = [0].into_iter().chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(begin, &end)| &self.ids[begin as usize..end as usize])
    }
}

impl EncodedTexts {
    /// Rows that lie end to end, with the place at which each ends.
    pub(crate) fn of_rows(ids: Vec<u32>, ends: Vec<u32>) -> Self {
        let (texts, count) = (ends.len(), ids.len());
        Self { parts: Vec::from([Part { ids, ends }]), texts, ids: count }
    }

    /// Number of texts.
    pub fn texts(&self) -> usize {
        self.texts
    }

    /// Number of ids of all texts together.
    pub fn ids(&self) -> usize {
        self.ids
    }

    /// The ids of each text, in the order of the texts.
    pub fn rows(&self) -> impl Iterator<Item = &[u32]> {
        self.parts.iter().flat_map(Part::rows)
    }

    /// Writes all ids end to end into `ids`, and into `offsets` (texts + 1) the index at which each text begins, then
    /// the number of ids.
    ///
    /// # Errors
    /// [`TextError::Length`] if a buffer has another size.
    pub fn join(&self, ids: &mut [u32], offsets: &mut [u32]) -> Result<(), TextError> {
        fits("the buffer for ids", ids.len(), self.ids)?;
        fits("the buffer for offsets", offsets.len(), self.texts + 1)?;
        let (mut before, mut text) = (0, 0);
        offsets[0] = 0;
        for part in &self.parts {
            ids[before..before + part.ids.len()].copy_from_slice(&part.ids);
            for (to, end) in offsets[text + 1..].iter_mut().zip(&part.ends) {
                *to = before as u32 + end;
            }
            before += part.ids.len();
            text += part.ends.len();
        }
        Ok(())
    }
}

/// Checks that a buffer has the expected size.
pub(crate) fn fits(what: &'static str, found: usize, expected: usize) -> Result<(), TextError> {
    if found == expected { Ok(()) } else { Err(TextError::Length { what, found, expected }) }
}

/// Whether work may go on, which is asked between texts, and between the parts of a long text.
pub type GoOn<'a> = &'a (dyn Fn() -> bool + Sync);

/// Work that nobody stops.
pub(crate) const ALWAYS: GoOn<'static> = &|| true;

/// Number of shares into which the work of one thread is cut. A thread that is done takes the next share, so that all
/// end at about the same time, whatever else the machine does.
const SHARES_A_THREAD: usize = 8;

/// The ids of all texts, in their order; `encode` appends those of one text. Each thread gets at least so many bytes
/// of text. If several texts fail, the error is that of the first one.
pub(crate) fn encode<T: AsRef<str> + Sync>(
    texts: &[T],
    (threads, worth_a_thread): (usize, usize),
    go_on: GoOn<'_>,
    encode: impl Fn(&str, &mut Vec<u32>) -> Result<(), TextError> + Sync,
) -> Result<EncodedTexts, TextError> {
    let bytes: usize = texts.iter().map(|text| text.as_ref().len()).sum();
    let threads = threads.min(bytes / worth_a_thread).min(texts.len());
    let shares = shares(texts, if threads < 2 { usize::MAX } else { bytes / (threads * SHARES_A_THREAD) });
    let parts: Vec<OnceLock<Result<Part, TextError>>> = shares.iter().map(|_| OnceLock::new()).into_list();
    let first_failed = AtomicUsize::new(usize::MAX);
    parallel_shares(shares.len(), threads, |i| {
        // Texts after one that failed are no longer needed. Those before it are, because one of them may fail as
        // well.
        if i > first_failed.load(Ordering::Relaxed) {
            return;
        }
        let part = encode_share(texts, shares[i].clone(), go_on, &encode);
        if part.is_err() {
            first_failed.fetch_min(i, Ordering::Relaxed);
        }
        parts[i].get_or_init(|| part);
    });
    let parts: Vec<Part> = parts.into_iter().filter_map(OnceLock::into_inner).try_into_list()?;
    let ids = parts.iter().map(|part| part.ids.len()).sum();
    fit_u32("the batch", ids)?;
    Ok(EncodedTexts { parts, texts: texts.len(), ids })
}

/// Cuts the texts into shares of at least so many bytes each, except for the last.
fn shares<T: AsRef<str>>(texts: &[T], bytes: usize) -> Vec<Range<usize>> {
    let mut shares = Vec::new();
    let (mut start, mut size) = (0, 0);
    for (i, text) in texts.iter().enumerate() {
        size += text.as_ref().len();
        if size >= bytes || i + 1 == texts.len() {
            shares.put(start..i + 1);
            (start, size) = (i + 1, 0);
        }
    }
    shares
}

fn in_batch(index: usize, source: TextError) -> TextError {
    match source {
        TextError::Stopped => source,
        _ => TextError::InBatch { index, source: Box::new(source) },
    }
}

fn encode_share<T: AsRef<str>>(
    texts: &[T],
    share: Range<usize>,
    go_on: GoOn<'_>,
    encode: impl Fn(&str, &mut Vec<u32>) -> Result<(), TextError>,
) -> Result<Part, TextError> {
    let mut part = Part { ids: Vec::new(), ends: with_room(share.len()) };
    for index in share {
        if !go_on() {
            return Err(TextError::Stopped);
        }
        encode(texts[index].as_ref(), &mut part.ids).map_err(|source| in_batch(index, source))?;
        part.ends.put(fit_u32("the batch", part.ids.len())?);
    }
    Ok(part)
}
