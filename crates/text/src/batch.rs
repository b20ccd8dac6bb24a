//! Many texts at once, on many threads.

use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::error::{TextError, fit_u32};
use tokenbed_memory::{Gather, List, with_room};

/// The ids of several texts, end to end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EncodedBatch {
    /// All ids.
    pub ids: Vec<u32>,
    /// Text `i` is `ids[offsets[i] .. offsets[i + 1]]`: one more offset than there are texts.
    pub offsets: Vec<u32>,
}

/// Into how many shares the work of a thread is cut. Whoever is done takes the next share, so that all end at about the
/// same time, whatever else the machine does.
const SHARES_A_THREAD: usize = 8;

/// The ids of all texts, in their order; `encode` appends those of one. A thread gets so many bytes of text at least.
/// The error is that of the first text that has one.
pub(crate) fn encode<T: AsRef<str> + Sync>(
    texts: &[T],
    threads: usize,
    worth_a_thread: usize,
    encode: impl Fn(&str, &mut Vec<u32>) -> Result<(), TextError> + Sync,
) -> Result<EncodedBatch, TextError> {
    let bytes: usize = texts.iter().map(|text| text.as_ref().len()).sum();
    let threads = threads.min(bytes / worth_a_thread).min(texts.len());
    if threads < 2 {
        return encode_share(texts, 0..texts.len(), &encode);
    }
    let shares = shares(texts, bytes / (threads * SHARES_A_THREAD));
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some(share) = shares.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = encode_share(texts, share.clone(), &encode);
            if result.is_err() {
                // No more shares are handed out. Those before this one are, so that the first error will be among them.
                next.store(shares.len(), Ordering::Relaxed);
            }
            done.put((share.start, result));
        }
        done
    };
    let mut parts = thread::scope(|scope| {
        // Where the system gives fewer threads, those there are do the work.
        let helpers: Vec<_> =
            (1..threads).map_while(|_| thread::Builder::new().spawn_scoped(scope, work).ok()).into_list();
        let mut parts = work();
        for helper in helpers {
            parts.put_all(helper.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        parts
    });
    parts.sort_unstable_by_key(|&(start, _)| start);
    join(parts.into_iter().map(|(_, part)| part).try_into_list()?)
}

/// Cuts the texts into shares of at least so many bytes, but for the last.
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

fn encode_share<T: AsRef<str>>(
    texts: &[T],
    share: Range<usize>,
    encode: impl Fn(&str, &mut Vec<u32>) -> Result<(), TextError>,
) -> Result<EncodedBatch, TextError> {
    let mut part = EncodedBatch { ids: Vec::new(), offsets: with_room(share.len() + 1) };
    part.offsets.put(0);
    for index in share {
        encode(texts[index].as_ref(), &mut part.ids)
            .map_err(|source| TextError::InBatch { index, source: Box::new(source) })?;
        part.offsets.put(fit_u32("the batch", part.ids.len())?);
    }
    Ok(part)
}

fn join(parts: Vec<EncodedBatch>) -> Result<EncodedBatch, TextError> {
    let ids = parts.iter().map(|part| part.ids.len()).sum();
    fit_u32("the batch", ids)?;
    let texts: usize = parts.iter().map(|part| part.offsets.len() - 1).sum();
    let mut batch = EncodedBatch { ids: with_room(ids), offsets: with_room(texts + 1) };
    batch.offsets.put(0);
    for part in parts {
        let before = batch.ids.len() as u32;
        batch.ids.put_slice(&part.ids);
        batch.offsets.put_all(part.offsets[1..].iter().map(|offset| before + offset));
    }
    Ok(batch)
}
