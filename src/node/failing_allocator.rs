//! An allocator that refuses one request. Tests use it to check that running out of memory is an error. It is built
//! only with the feature `failing-allocator`, which no shipped binary has.

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

/// The number of large requests up to and including the one that is refused; 0 if none will be.
static LEFT: AtomicUsize = AtomicUsize::new(0);

fn refuses(bytes: usize) -> bool {
    bytes > LARGE && LEFT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)) == Ok(1)
}

// SAFETY: requests that are not refused go unchanged to the system's allocator; a refusal returns a null pointer, as
// the contract says.
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
        // SAFETY: as above; a refused request leaves the memory unchanged.
        if refuses(bytes) { ptr::null_mut() } else { unsafe { System.realloc(start, layout, bytes) } }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(start, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Failing = Failing;

/// Makes the request with this number fail, counted from now over all threads. With 0, none fails.
#[napi(catch_unwind)]
pub fn allocator_arm(request: f64) -> bool {
    status(|| {
        LEFT.store(size(request)?, Ordering::Relaxed);
        Ok(())
    })
}

/// The number of requests up to and including the one that is refused; 0 after it was refused.
#[napi(catch_unwind)]
pub fn allocator_left() -> Option<f64> {
    guard(|| Ok(LEFT.load(Ordering::Relaxed) as f64))
}
