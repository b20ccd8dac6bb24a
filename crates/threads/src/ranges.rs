//! Divides rows among threads.

use crate::setting::num_threads;
use crate::sync::{LOOK_OUT, POOL};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Number of bytes from which on work is divided if helpers are still spinning after the last region, or in a loop,
/// where waking them pays from the next round on.
pub const PARALLEL_FROM_AWAKE: usize = 128 << 10;
/// Number of bytes from which on work is divided if helpers must be woken for it alone. Waking takes as long as
/// writing a megabyte.
pub const PARALLEL_FROM_PARKED: usize = 4 << 20;
/// Number of shares into which the work of one thread is cut. A thread that is done takes the next share, so that all
/// end together, whatever else the machine does and however long a helper takes to wake.
const SHARES_A_THREAD: usize = 8;
/// Smallest number of bytes in a share, because taking one costs a lock.
const LEAST_SHARE: usize = 32 << 10;

/// Size of the work in bytes, number of items in a share, and number of helpers that the work is worth.
struct Division {
    bytes: usize,
    share: usize,
    helpers: usize,
}

/// The moment when the last work that could have been divided ended.
static ENDED: Mutex<Option<Instant>> = Mutex::new(None);

/// Whether such work ended so recently that helpers woken now will still be awake for the next region.
fn in_a_loop() -> bool {
    lock(&ENDED).is_some_and(|ended| ended.elapsed() < LOOK_OUT)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that panics runs under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn divide(items: usize, bytes_per_item: usize) -> Division {
    let bytes = items.saturating_mul(bytes_per_item);
    let divided = bytes >= PARALLEL_FROM_PARKED || bytes >= PARALLEL_FROM_AWAKE && (POOL.is_awake() || in_a_loop());
    // An invalid setting was reported to the user before work began.
    let threads = if divided { num_threads().unwrap_or(1) } else { 1 };
    if threads == 1 {
        return Division { bytes, share: items, helpers: 0 };
    }
    let least = LEAST_SHARE.div_ceil(bytes_per_item.max(1));
    let share = items.div_ceil(threads * SHARES_A_THREAD).max(least);
    let helpers = threads.min(items.div_ceil(share.max(1))) - 1;
    Division { bytes, share, helpers }
}

/// Calls `run` with ranges that together are `0 .. items`, each item once, on as many threads as the work is worth,
/// and returns when all is done. `bytes_per_item` is the number of bytes that an item reads or writes, whichever is
/// more. Work that is not worth dividing is one range, on this thread.
///
/// # Panics
/// If `run` panics, on whichever thread.
pub fn parallel_ranges(items: usize, bytes_per_item: usize, run: impl Fn(Range<usize>) + Sync) {
    let division = divide(items, bytes_per_item);
    let next = Mutex::new(0);
    shared(&division, || {
        let mut next = lock(&next);
        let range = *next..items.min(*next + division.share);
        *next = range.end;
        drop(next);
        (!range.is_empty()).then(|| run(range))
    });
}

/// Like [`parallel_ranges`] over the rows of `out`, each of `row` elements: `run` gets a range of rows and the part
/// of `out` that holds them, to write. `bytes_per_row` is the number of bytes that a row reads or writes, whichever
/// is more.
///
/// # Panics
/// If `run` panics, on whichever thread, or if the length of `out` is not a multiple of `row`.
pub fn parallel_rows<T: Send>(
    out: &mut [T],
    row: usize,
    bytes_per_row: usize,
    run: impl Fn(Range<usize>, &mut [T]) + Sync,
) {
    if out.is_empty() {
        return run(0..0, out);
    }
    assert!(row > 0 && out.len().is_multiple_of(row), "parallel_rows: rows of another length");
    let division = divide(out.len() / row, bytes_per_row);
    // Number of the first remaining row, and the remaining rows.
    let left = Mutex::new((0, out));
    shared(&division, || {
        let mut guard = lock(&left);
        let (first, rest) = std::mem::take(&mut *guard);
        let (part, rest) = rest.split_at_mut(rest.len().min(division.share * row));
        let range = first..first + part.len() / row;
        *guard = (range.end, rest);
        drop(guard);
        (!range.is_empty()).then(|| run(range, part))
    });
}

/// Calls `run` once with each number below `shares`, on this thread and on helpers, at most `threads` together. This
/// is for work that computes more than it reads: the caller cuts it into shares and says how many threads it is
/// worth. Shares are handed out in order, and the call returns when all are done.
///
/// # Panics
/// If `run` panics, on whichever thread.
pub fn parallel_shares(shares: usize, threads: usize, run: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    let work = || loop {
        // Relaxed: a share is a number, and the end of the region publishes what its work wrote.
        let share = next.fetch_add(1, Ordering::Relaxed);
        if share >= shares {
            return;
        }
        run(share);
    };
    match threads.min(shares) {
        0 | 1 => work(),
        threads => POOL.run(threads - 1, &work),
    }
}

/// Takes shares, with as many helpers as the division says, until none is left.
fn shared(&Division { bytes, helpers, .. }: &Division, take: impl Fn() -> Option<()> + Sync) {
    let work = || while take().is_some() {};
    if helpers == 0 {
        work()
    } else {
        POOL.run(helpers, &work)
    }
    if bytes >= PARALLEL_FROM_AWAKE {
        *lock(&ENDED) = Some(Instant::now());
    }
}
