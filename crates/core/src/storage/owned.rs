//! Memory of a table's own.

use super::usage::Counted;
use crate::{Error, Result};
use memmap2::{MmapMut, MmapOptions};
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;

/// A huge page of x86-64 and arm64 Linux: tables that use them are read 1.5 times as fast by two threads.
const HUGE_PAGE: usize = 2 << 20;
/// Tables from this size on start at a huge page; below, the rounding would cost more than it brings.
const HUGE_FROM: usize = 4 << 20;
/// Smaller ones start at a cache line.
const CACHE_LINE: usize = 64;
/// The most that any allocation may ask for, as Rust's own: pointers' distances are signed.
const MOST: usize = isize::MAX as usize - HUGE_PAGE;

/// Zeroed bytes, given back when dropped.
#[derive(Debug)]
pub(super) struct Owned {
    start: NonNull<u8>,
    backing: Backing,
    _counted: Counted,
}

#[derive(Debug)]
enum Backing {
    Empty,
    Heap(Layout),
    Pages(#[allow(dead_code, reason = "held to be dropped")] MmapMut),
}

impl Owned {
    pub(super) fn zeroed(len: usize) -> Result<Self> {
        let refused = |reason: &dyn std::fmt::Display| Error::Memory { bytes: len, reason: reason.to_string() };
        if len == 0 {
            return Ok(Self {
                start: NonNull::<u64>::dangling().cast(),
                backing: Backing::Empty,
                _counted: Counted::table(0),
            });
        }
        if len > MOST {
            return Err(refused(&"more than an address space holds"));
        }
        if len < HUGE_FROM {
            let layout = Layout::from_size_align(len, CACHE_LINE).map_err(|error| refused(&error))?;
            // SAFETY: the layout has a size, as `len` is not 0.
            let start = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or_else(|| refused(&"out of memory"))?;
            return Ok(Self { start, backing: Backing::Heap(layout), _counted: Counted::table(len) });
        }
        let mut pages = MmapOptions::new().len(len + HUGE_PAGE).map_anon().map_err(|error| refused(&error))?;
        let huge = advise_huge(&pages);
        let skip = pages.as_ptr().align_offset(HUGE_PAGE);
        let start =
            pages.get_mut(skip..).map(|from| NonNull::from(from).cast()).ok_or_else(|| refused(&"unaligned"))?;
        // With huge pages the last one is touched whole.
        let touched = if huge { len.next_multiple_of(HUGE_PAGE) } else { len };
        Ok(Self { start, backing: Backing::Pages(pages), _counted: Counted::table(touched) })
    }

    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if let Backing::Heap(layout) = self.backing {
            // SAFETY: allocated in `zeroed` with this layout, and dropped once.
            unsafe { dealloc(self.start.as_ptr(), layout) }
        }
    }
}

/// Asks for huge pages; whether the system may give them. Advice: a refusal only costs speed.
#[cfg(target_os = "linux")]
fn advise_huge(pages: &MmapMut) -> bool {
    pages.advise(memmap2::Advice::HugePage).is_ok()
}

/// Other systems choose their page sizes themselves.
#[cfg(not(target_os = "linux"))]
fn advise_huge(_pages: &MmapMut) -> bool {
    false
}
