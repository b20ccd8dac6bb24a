//! Counts the bytes that are held, for `memoryUsage()`.

use std::sync::atomic::{AtomicUsize, Ordering};

static TABLES: AtomicUsize = AtomicUsize::new(0);
static MAPPED: AtomicUsize = AtomicUsize::new(0);
static RESULTS: AtomicUsize = AtomicUsize::new(0);
static POOLED: AtomicUsize = AtomicUsize::new(0);

/// Bytes that this process holds, over all threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of tables in memory, in whole pages.
    pub tables: usize,
    /// Bytes of files mapped into memory.
    pub mapped: usize,
    /// Bytes of results that Rust wrote.
    pub results: usize,
    /// Bytes of idle memory kept for the next results.
    pub pooled: usize,
}

/// The bytes that are held now.
pub fn usage() -> Usage {
    let [tables, mapped, results, pooled] =
        [&TABLES, &MAPPED, &RESULTS, &POOLED].map(|counter| counter.load(Ordering::Relaxed));
    Usage { tables, mapped, results, pooled }
}

/// Bytes that are counted for as long as this lives.
#[derive(Debug)]
pub(super) struct Counted {
    counter: &'static AtomicUsize,
    bytes: usize,
}

impl Counted {
    pub(super) fn table(bytes: usize) -> Self {
        Self::new(&TABLES, bytes)
    }

    pub(super) fn mapped(bytes: usize) -> Self {
        Self::new(&MAPPED, bytes)
    }

    pub(super) fn result(bytes: usize) -> Self {
        Self::new(&RESULTS, bytes)
    }

    pub(super) fn pooled(bytes: usize) -> Self {
        Self::new(&POOLED, bytes)
    }

    fn new(counter: &'static AtomicUsize, bytes: usize) -> Self {
        counter.fetch_add(bytes, Ordering::Relaxed);
        Self { counter, bytes }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.counter.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
