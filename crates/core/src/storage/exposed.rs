//! Which memory others may write while a call reads it.
//!
//! A call of JavaScript's reads memory of V8's, which its own thread alone can write, or memory of this crate's, which may
//! be shared with other threads, be handed on by `postMessage`, or be a file that another process writes. Arrays over the
//! latter cannot be told from others by looking at them: so a storage is entered here before an array over it is made, and
//! stays until its memory is freed.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is exposed: where ranges begin, and where they end. They are allocations of their own, so that none overlap.
static RANGES: Mutex<BTreeMap<usize, usize>> = Mutex::new(BTreeMap::new());

/// Ranges there are. Where there is none, nothing needs to be looked up: a range is there before an array over it is.
static EXPOSED: AtomicUsize = AtomicUsize::new(0);

/// How often a range was added. What was found between ranges holds until that changes: leaving, they only make room.
static ADDED: AtomicUsize = AtomicUsize::new(0);

/// Nothing panics while it is locked.
fn ranges() -> MutexGuard<'static, BTreeMap<usize, usize>> {
    RANGES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes that are exposed as long as this lives: to be dropped before they are freed.
#[derive(Debug)]
pub(super) struct Exposed {
    start: usize,
}

impl Exposed {
    /// Of an allocation; `len` is not 0.
    pub(super) fn new(start: *const u8, len: usize) -> Self {
        let start = start as usize;
        let mut ranges = ranges();
        ranges.insert(start, start + len);
        // While it is locked: who sees the number then finds the range.
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

/// Addresses between two neighbouring ranges, as they were when so many had been added.
#[derive(Clone, Copy)]
struct Gap {
    added: usize,
    start: usize,
    end: usize,
}

/// Arrays that calls are given lie in few places: so many gaps are remembered.
const GAPS: usize = 4;

thread_local! {
    static FOUND: [Cell<Gap>; GAPS] = const { [const { Cell::new(Gap { added: usize::MAX, start: 1, end: 0 }) }; GAPS] };
}

/// Whether these bytes are in no storage that was exposed: nobody but the thread whose array they are can write them. Of
/// an array that has been looked at before this takes a nanosecond, as long as no storage is exposed meanwhile.
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
    use crate::storage::{MappedFile, Storage};
    use std::sync::Arc;

    fn private(storage: &Storage) -> bool {
        is_private(storage.as_ptr(), storage.len())
    }

    #[test]
    fn memory_is_private_until_it_is_exposed() {
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
    fn memory_that_was_freed_and_is_used_again_is_private() {
        for _ in 0..100 {
            let storage = Storage::result(1 << 16).unwrap();
            assert!(private(&storage));
            storage.expose();
            assert!(!private(&storage));
        }
    }

    #[test]
    fn nothing_can_be_exposed() {
        let storage = Storage::zeroed(0).unwrap();
        storage.expose();
        assert!(private(&storage));
    }

    #[test]
    fn of_a_mapped_file_all_is_exposed_with_any_part() {
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
        let storages: Vec<_> = (0..64).map(|_| Arc::new(Storage::zeroed(4096).unwrap())).collect();
        let theirs = storages.clone();
        assert!(storages.iter().all(|storage| private(storage)));
        let thread = std::thread::spawn(move || theirs.iter().for_each(|storage| storage.expose()));
        thread.join().unwrap();
        assert!(storages.iter().all(|storage| !private(storage)));
    }
}
