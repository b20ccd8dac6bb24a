//! Memory and time that work takes, as an oracle: an allocator that counts, for programs of tests alone.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// The system's allocator, with what each thread has of it counted. A program makes it its own:
/// `#[global_allocator] static ALLOCATOR: Counting = Counting;`
pub struct Counting;

thread_local! {
    /// Bytes that this thread has, those counted that it freed for others.
    static LIVE: Cell<isize> = const { Cell::new(0) };
    /// The most that there were.
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // A thread that ends has no counters any more.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

// SAFETY: the system's allocator does all the work; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promises are those that are asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promises are those that are asked for.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's promises are those that are asked for; the pointer came from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both are there while the bytes are copied.
        count(size as isize);
        count(-(layout.size() as isize));
        // SAFETY: the caller's promises are those that are asked for; the pointer came from the system's allocator.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Runs work of this thread, which may have so many bytes at once and take so long.
///
/// # Panics
/// Where it had more or took longer; and in a program that does not count.
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
