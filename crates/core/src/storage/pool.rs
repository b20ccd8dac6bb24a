//! Memory for results that Rust writes. When it is given back, the pool keeps it for the next result of its size, up
//! to a limit.
//!
//! There is one pool for the process, so memory that one thread gives back serves all. The page faults of a fresh
//! large result cost more than the work on it.

use super::owned::Owned;
use super::usage::Counted;
use crate::Result;
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokenbed_memory::{Gather, List};

/// Largest number of idle bytes that are kept. The memory that has been idle longest is freed first.
pub const POOL_LIMIT: usize = 256 << 20;
/// Smaller results are left to the allocator, which keeps such memory itself.
const POOLED_FROM: usize = 64 << 10;

/// Results from this size on have pages of their own.
const PAGES_FROM: usize = 256 << 10;

/// Idle memory, the longest idle first.
static IDLE: Mutex<Vec<Idle>> = Mutex::new(Vec::new());

#[derive(Debug)]
struct Idle {
    owned: Owned,
    /// Number of its bytes that were ever written.
    written: usize,
    _counted: Counted,
}

/// Locks the list. Nothing panics while it is locked, and the list is valid even then.
fn idle() -> MutexGuard<'static, Vec<Idle>> {
    IDLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes of a result, which return to the pool when this is dropped.
#[derive(Debug)]
pub(super) struct Lease {
    /// `Some` until the lease is dropped.
    owned: Option<Owned>,
    written: usize,
    _counted: Counted,
}

impl Lease {
    /// At least `len` bytes. Their content is zeros or whatever an earlier result left.
    pub(super) fn take(len: usize) -> Result<Self> {
        let size = size_class(len);
        let kept = if size < POOLED_FROM { None } else { kept(size) };
        let (owned, before) =
            kept.map_or_else(|| Owned::with_pages_from(PAGES_FROM, size).map(|fresh| (fresh, 0)), Ok)?;
        let written = before.max(len);
        let counted = Counted::result(owned.touched(written));
        Ok(Self { owned: Some(owned), written, _counted: counted })
    }

    pub(super) fn start(&self) -> NonNull<u8> {
        self.owned.as_ref().map_or(NonNull::dangling(), Owned::start)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(owned) = self.owned.take().filter(|owned| (POOLED_FROM..=POOL_LIMIT).contains(&owned.len())) {
            keep(owned, self.written);
        }
    }
}

/// The memory of this size that has been idle for the shortest time, and how much of it was ever written.
fn kept(size: usize) -> Option<(Owned, usize)> {
    let mut idle = idle();
    let at = idle.iter().rposition(|one| one.owned.len() == size)?;
    let Idle { owned, written, .. } = idle.remove(at);
    Some((owned, written))
}

fn keep(owned: Owned, written: usize) {
    let counted = Counted::pooled(owned.touched(written));
    let mut idle = idle();
    idle.put(Idle { owned, written, _counted: counted });
    let mut over = idle.iter().map(|one| one.owned.len()).sum::<usize>().saturating_sub(POOL_LIMIT);
    let oldest = idle.iter().take_while(|one| {
        let goes = over > 0;
        over = over.saturating_sub(one.owned.len());
        goes
    });
    let count = oldest.count();
    let gone: Vec<_> = idle.drain(..count).into_list();
    // Unmapping takes time, so the lock is released first.
    drop(idle);
    drop(gone);
}

/// Number of bytes to reserve for `len`: a power of two, or one of three steps between two powers, so that at most a
/// fifth is unused.
fn size_class(len: usize) -> usize {
    if len < POOLED_FROM {
        return len;
    }
    let step = (len.next_power_of_two() / 8).max(1);
    len.checked_next_multiple_of(step).unwrap_or(len)
}
