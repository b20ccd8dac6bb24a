//! Memory of results that Rust writes: given back, it is kept for the next of its size, up to a limit.
//!
//! One pool for the process: what one thread gives back serves all. A fresh large result costs more in page faults than
//! the work on it.

use super::owned::Owned;
use super::usage::Counted;
use crate::Result;
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokenbed_memory::{Gather, List};

/// Idle memory is kept up to so many bytes; the longest idle goes first.
pub const POOL_LIMIT: usize = 256 << 20;
/// Smaller results are left to the allocator, which keeps such memory itself.
const POOLED_FROM: usize = 64 << 10;

/// From here on results have pages of their own.
const PAGES_FROM: usize = 256 << 10;

/// What is idle, the longest so first.
static IDLE: Mutex<Vec<Idle>> = Mutex::new(Vec::new());

#[derive(Debug)]
struct Idle {
    owned: Owned,
    /// Bytes of it that were ever written.
    written: usize,
    _counted: Counted,
}

/// Nothing panics while it is locked, and a list is good even then.
fn idle() -> MutexGuard<'static, Vec<Idle>> {
    IDLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes of a result, which go back to the pool when dropped.
#[derive(Debug)]
pub(super) struct Lease {
    /// There until dropped.
    owned: Option<Owned>,
    written: usize,
    _counted: Counted,
}

impl Lease {
    /// At least so many bytes, with whatever is in them: zeros, or what an earlier result left.
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

/// The one of this size that was idle for the shortest time, and how much of it was ever written.
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
    // Unmapping takes its time: others need not wait for it.
    drop(idle);
    drop(gone);
}

/// The bytes reserved for so many: a power of two or one of three steps between two, so that at most a fifth is spare.
fn size_class(len: usize) -> usize {
    if len < POOLED_FROM {
        return len;
    }
    let step = (len.next_power_of_two() / 8).max(1);
    len.checked_next_multiple_of(step).unwrap_or(len)
}
