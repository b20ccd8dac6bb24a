//! An allocator that refuses one request, for the tests that running out of memory is an error: built with the feature
//! `failing-allocator` alone, which no shipped binary has.

#![allow(unsafe_code, reason = "an allocator is one")]

use crate::node::borrow::size;
use crate::node::guard::{guard, status};
use napi_derive::napi;
use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

struct Failing;

/// Smaller requests are never refused.
const LARGE: usize = 4 << 10;

/// How many large requests are left up to the one that is refused, that one counted; 0 where none is.
static LEFT: AtomicUsize = AtomicUsize::new(0);

fn refuses(bytes: usize) -> bool {
    bytes > LARGE && LEFT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)) == Ok(1)
}

// SAFETY: what is not refused is the system's allocator's, as it is; a null pointer is how an allocator refuses.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are passed on.
        if refuses(layout.size()) { ptr::null_mut() } else { unsafe { System.alloc(layout) } }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        if refuses(layout.size()) { ptr::null_mut() } else { unsafe { System.alloc_zeroed(layout) } }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: as above; what is refused stays as it is.
        if refuses(bytes) { ptr::null_mut() } else { unsafe { System.realloc(start, layout, bytes) } }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(start, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Failing = Failing;

/// Has the request of this number refused, counted from now on over all threads; none with 0.
#[napi(catch_unwind)]
pub fn allocator_arm(request: f64) -> bool {
    status(|| {
        LEFT.store(size(request)?, Ordering::Relaxed);
        Ok(())
    })
}

/// How many requests are left up to the one that is refused; 0 once it was.
#[napi(catch_unwind)]
pub fn allocator_left() -> Option<f64> {
    guard(|| Ok(LEFT.load(Ordering::Relaxed) as f64))
}
