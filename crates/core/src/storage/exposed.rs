//! Keeps track of memory that others may write while a call reads it.
//!
//! A call from JavaScript reads memory of V8, which only its own thread can write, or memory of this crate, which may
//! be shared with other threads, be passed on by `postMessage`, or be a file that another process writes. An array
//! over the latter looks like any other. So a storage is entered here before an array over it is made, and stays
//! until its memory is freed.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The exposed ranges, by start, with their ends. Each is an allocation of its own, so that none overlap.
static RANGES: Mutex<BTreeMap<usize, usize>> = Mutex::new(BTreeMap::new());

/// Number of ranges. If it is 0, nothing needs to be looked up, because a range is entered before an array over it
/// exists.
static EXPOSED: AtomicUsize = AtomicUsize::new(0);

/// How often a range was added. A gap between ranges stays a gap until this changes, because removing a range only
/// makes gaps larger.
static ADDED: AtomicUsize = AtomicUsize::new(0);

/// Locks the ranges. Nothing panics while they are locked.
fn ranges() -> MutexGuard<'static, BTreeMap<usize, usize>> {
    RANGES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A range of bytes that is exposed as long as this lives. Drop it before the bytes are freed.
#[derive(Debug)]
pub(super) struct Exposed {
    start: usize,
}

impl Exposed {
    /// Exposes an allocation; `len` must not be 0.
    pub(super) fn new(start: *const u8, len: usize) -> Self {
        let start = start as usize;
        let mut ranges = ranges();
        ranges.insert(start, start + len);
        // The counters change under the lock: a thread that sees the new number then finds the range.
        ADDED.fetch_add(1, Ordering::Release);
        EXPOSED.fetch_add(1, Ordering::Release);
        Self { start }
    }
}

impl Drop for Exposed {
    fn drop(&mut self) {
        ranges().remove(&self.start);
        EXPOSED.fetch_sub(1, Ordering::Release);
    }
}

/// The addresses between two neighbouring ranges, when `added` ranges had been added.
#[derive(Clone, Copy)]
struct Gap {
    added: usize,
    start: usize,
    end: usize,
}

/// Number of gaps that a thread remembers. The arrays that calls are given lie in few places.
const GAPS: usize = 4;

thread_local! {
    static FOUND: [Cell<Gap>; GAPS] = const { [const { Cell::new(Gap { added: usize::MAX, start: 1, end: 0 }) }; GAPS] };
}

/// Whether these bytes are in no exposed storage, so that only the thread that has the array can write them. For an
/// array that was looked up before, this takes a nanosecond, as long as no other storage is exposed meanwhile.
#[inline]
pub fn is_private(start: *const u8, len: usize) -> bool {
    EXPOSED.load(Ordering::Acquire) == 0 || is_apart(start, len)
}

/// Whether these bytes are in no range.
fn is_apart(start: *const u8, len: usize) -> bool {
    let start = start as usize;
    let end = start + len;
    let added = ADDED.load(Ordering::Acquire);
    let holds = |gap: Gap| gap.added == added && gap.start <= start && end <= gap.end;
    FOUND.with(|found| found.iter().any(|gap| holds(gap.get())) || len == 0 || find(start, end, found))
}

#[cold]
fn find(start: usize, end: usize, found: &[Cell<Gap>; GAPS]) -> bool {
    let ranges = ranges();
    let added = ADDED.load(Ordering::Acquire);
    let before = ranges.range(..end).next_back().map_or(0, |(_, &end)| end);
    if before > start {
        return false;
    }
    let after = ranges.range(end..).next().map_or(usize::MAX, |(&start, _)| start);
    drop(ranges);
    (1..GAPS).rev().for_each(|i| found[i].set(found[i - 1].get()));
    found[0].set(Gap { added, start: before, end: after });
    true
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::is_private;
    use crate::storage::tests::alone;
    use crate::storage::{MappedFile, Storage};
    use std::sync::Arc;

    fn private(storage: &Storage) -> bool {
        is_private(storage.as_ptr(), storage.len())
    }

    #[test]
    fn memory_is_private_until_it_is_exposed() {
        let _alone = alone();
        for storage in [Storage::zeroed(100).unwrap(), Storage::zeroed(5 << 20).unwrap(), Storage::result(100).unwrap()]
        {
            assert!(private(&storage));
            storage.expose();
            storage.expose();
            assert!(!private(&storage));
            let end = storage.as_ptr().wrapping_add(storage.len());
            assert!(!is_private(storage.as_ptr().wrapping_sub(8), 9), "a range that reaches into it");
            assert!(!is_private(end.wrapping_sub(1), 9), "one that begins in it");
            assert!(!is_private(storage.as_ptr().wrapping_sub(8), storage.len() + 16), "one around it");
            assert!(!is_private(storage.as_ptr().wrapping_add(3), 1), "one within it");
            assert!(is_private(storage.as_ptr(), 0), "nothing of it");
            let own = vec![1u8; 1000];
            assert!(is_private(own.as_ptr(), own.len()), "memory of somebody else");
        }
    }

    #[test]
    fn reused_memory_is_private() {
        let _alone = alone();
        for _ in 0..100 {
            let storage = Storage::result(1 << 16).unwrap();
            assert!(private(&storage));
            storage.expose();
            assert!(!private(&storage));
        }
    }

    #[test]
    fn an_empty_storage_can_be_exposed() {
        let _alone = alone();
        let storage = Storage::zeroed(0).unwrap();
        storage.expose();
        assert!(private(&storage));
    }

    #[test]
    fn exposing_a_part_of_a_mapped_file_exposes_all_of_it() {
        let _alone = alone();
        let path = std::env::temp_dir().join(format!("tokenbed-exposed-{}", std::process::id()));
        std::fs::write(&path, [7; 8192]).unwrap();
        let file = MappedFile::open(&path).unwrap();
        let [one, other] = [0, 4096].map(|offset| Storage::of_file(&file, offset, 100).unwrap());
        one.expose();
        other.expose();
        assert!(!private(&one) && !private(&other));
        drop(other);
        assert!(!private(&one));
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn every_thread_sees_what_another_exposes() {
        let _alone = alone();
        let storages: Vec<_> = (0..64).map(|_| Arc::new(Storage::zeroed(4096).unwrap())).collect();
        let theirs = storages.clone();
        assert!(storages.iter().all(|storage| private(storage)));
        let thread = std::thread::spawn(move || theirs.iter().for_each(|storage| storage.expose()));
        thread.join().unwrap();
        assert!(storages.iter().all(|storage| !private(storage)));
    }
}
