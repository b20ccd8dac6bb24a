//! Bounds on the memory and time of an operation: an allocator that counts, for test programs only.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// The system's allocator, counting the bytes that each thread holds. A program uses it by `#[global_allocator]
/// static ALLOCATOR: Counting = Counting;`
pub struct Counting;

thread_local! {
    /// Bytes that this thread holds. Frees of another thread's memory count, too.
    static LIVE: Cell<isize> = const { Cell::new(0) };
    /// The largest value of `LIVE` so far.
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // A thread that is ending no longer has counters.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

// SAFETY: the system's allocator does all the work; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the promises that this function requires.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the promises that this function requires.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller keeps the promises that this function requires; the pointer came from the system's
        // allocator.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both blocks exist while the bytes are copied.
        count(size as isize);
        count(-(layout.size() as isize));
        // SAFETY: the caller keeps the promises that this function requires; the pointer came from the system's
        // allocator.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Runs work on this thread, which may hold at most `bytes` at once and take at most `time`.
///
/// # Panics
/// If it held more or took longer, or if the program does not use [`Counting`].
#[track_caller]
pub fn within<T>(bytes: usize, time: Duration, run: impl FnOnce() -> T) -> T {
    let before = LIVE.get();
    assert!(before != 0 || is_counted(), "the program's allocator is another: nothing would be seen");
    PEAK.set(before);
    let began = Instant::now();
    let result = run();
    let (took, most) = (began.elapsed(), (PEAK.get() - before) as usize);
    assert!(took <= time, "it took {took:?}, and {time:?} are enough");
    assert!(most <= bytes, "it had {most} bytes at once, and {bytes} are enough");
    result
}

fn is_counted() -> bool {
    let before = LIVE.get();
    let some = std::hint::black_box(Vec::<u8>::with_capacity(100));
    let counted = LIVE.get() != before;
    drop(some);
    counted
}
