//! The cache of rows of a table that lies elsewhere.

use crate::node::borrow::{Operand, size};
use crate::node::external::External;
use crate::node::guard::{guard, status};
use napi_derive::napi;
use std::cell::RefCell;
use tokenbed_core::Error;
use tokenbed_core::ids::{BadIds, resolve};
use tokenbed_kernels::dispatch;
use tokenbed_nn::row_cache;

/// A cache, with what its calls use again.
#[derive(Debug)]
pub struct RowCache {
    cache: RefCell<row_cache::RowCache>,
    rows: usize,
    scratch: RefCell<Vec<u32>>,
    missing: RefCell<Vec<(u32, u32)>>,
}

/// Which of the ids are looked up by a call, and how old their rows may be.
#[napi(object, object_to_js = false)]
pub struct PieceOperand {
    pub from: f64,
    pub count: f64,
    /// The time at which a row must have been put here at the earliest.
    pub oldest: f64,
}

/// What happened so far, and what is there.
#[napi(object, object_from_js = false)]
pub struct CacheCounts {
    pub hits: f64,
    pub misses: f64,
    pub evicted: f64,
    pub rows: f64,
    pub bytes: f64,
    pub room: f64,
}

/// Makes a cache of at most so many bytes for a table (rows, row bytes).
#[napi(catch_unwind)]
pub fn row_cache_new(rows: f64, row_bytes: f64, max_bytes: f64) -> Option<External<RowCache>> {
    guard(|| {
        let rows = size(rows)?;
        let cache = row_cache::RowCache::new(rows, size(row_bytes)?, size(max_bytes)?)?;
        let bytes = cache.bytes();
        let cache =
            RowCache { cache: RefCell::new(cache), rows, scratch: RefCell::default(), missing: RefCell::default() };
        Ok(External::new_with_size_hint(cache, bytes))
    })
}

/// Copies the rows of a piece of the ids that are there into `out`, (piece, row bytes). The others are written to
/// `missing`: for each the id in the upper half of 64 bits and its place among all ids in the lower, in order of the
/// ids. Returns how many there are.
#[napi(catch_unwind)]
pub fn row_cache_gather(
    cache: &External<RowCache>,
    ids: Operand,
    piece: PieceOperand,
    out: Operand,
    missing: Operand,
) -> Option<f64> {
    guard(|| {
        let (mut scratch, mut found) = (cache.scratch.borrow_mut(), cache.missing.borrow_mut());
        let checked = resolve(dispatch::active(), ids.ids()?, cache.rows, BadIds::Throw, &mut scratch)?;
        let (from, count) = (size(piece.from)?, size(piece.count)?);
        if from.checked_add(count).is_none_or(|end| end > checked.ids().len()) {
            return Err(Error::Shape("the piece is outside the ids".into()).into());
        }
        let (out, missing) = (out.exclusive(&[&ids, &missing])?, missing.exclusive::<u64>(&[&ids])?);
        found.clear();
        cache.cache.borrow_mut().gather(checked.part(from..from + count), piece.oldest, out, &mut found)?;
        found.sort_unstable();
        if found.len() > missing.len() {
            return Err(Error::Shape("there is no room for the missing ids".into()).into());
        }
        for (&(id, at), to) in found.iter().zip(missing) {
            *to = u64::from(id) << 32 | (from as u64 + u64::from(at));
        }
        Ok(found.len() as f64)
    })
}

/// Keeps rows, (ids, row bytes), as of the time `now`. The ids are uint32.
#[napi(catch_unwind)]
pub fn row_cache_put(cache: &External<RowCache>, ids: Operand, rows: Operand, now: f64) -> bool {
    status(|| Ok(cache.cache.borrow_mut().put(ids.stable()?, rows.shared()?, now)?))
}

/// Forgets the rows of ids (uint32), or all.
#[napi(catch_unwind)]
pub fn row_cache_remove(cache: &External<RowCache>, ids: Option<Operand>) -> bool {
    status(|| {
        match ids {
            Some(ids) => cache.cache.borrow_mut().remove(ids.stable()?),
            None => cache.cache.borrow_mut().clear(),
        }
        Ok(())
    })
}

/// What happened so far.
#[napi(catch_unwind)]
pub fn row_cache_counts(cache: &External<RowCache>) -> Option<CacheCounts> {
    guard(|| {
        let cache = cache.cache.borrow();
        let counts = cache.counts();
        Ok(CacheCounts {
            hits: counts.hits as f64,
            misses: counts.misses as f64,
            evicted: counts.evicted as f64,
            rows: counts.rows as f64,
            bytes: cache.bytes() as f64,
            room: counts.room as f64,
        })
    })
}
