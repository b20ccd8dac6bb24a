//! Memory for tables and results.

use crate::{Error, Result};
use memmap2::{MmapMut, MmapOptions};
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;

/// Size of a huge page on x86-64 and arm64 Linux. Two threads read tables in huge pages 1.5 times as fast.
const HUGE_PAGE: usize = 2 << 20;
/// Tables from this size on start at a huge page. For smaller ones the rounding would cost more than it gains.
const HUGE_FROM: usize = 4 << 20;
/// Smaller tables start at a cache line.
const CACHE_LINE: usize = 64;
/// The largest allocation, the same limit as in Rust itself: distances between pointers are signed.
const MOST: usize = isize::MAX as usize - HUGE_PAGE;

/// Zeroed bytes, which are freed when this is dropped.
#[derive(Debug)]
pub(super) struct Owned {
    start: NonNull<u8>,
    len: usize,
    /// Number of bytes that the system provides at a time.
    page: usize,
    backing: Backing,
}

// SAFETY: the memory is plain and may move between threads; `Owned` itself never reads or writes it.
unsafe impl Send for Owned {}

#[derive(Debug)]
enum Backing {
    Empty,
    Heap(Layout),
    Pages(#[allow(dead_code, reason = "held to be dropped")] MmapMut),
}

impl Owned {
    /// Memory for a table.
    pub(super) fn zeroed(len: usize) -> Result<Self> {
        Self::with_pages_from(HUGE_FROM, len)
    }

    /// Memory that has pages of its own from `pages_from` bytes on. Those return to the system when it is dropped,
    /// whereas an allocator keeps memory that many threads took and freed in turns.
    pub(super) fn with_pages_from(pages_from: usize, len: usize) -> Result<Self> {
        let refused = |reason: &dyn std::fmt::Display| Error::Memory { bytes: len, reason: reason.to_string() };
        if len == 0 {
            return Ok(Self { start: NonNull::<u64>::dangling().cast(), len, page: 1, backing: Backing::Empty });
        }
        if len > MOST {
            return Err(refused(&"more than an address space can hold"));
        }
        if len < pages_from.min(HUGE_FROM) {
            let layout = Layout::from_size_align(len, CACHE_LINE).map_err(|error| refused(&error))?;
            // SAFETY: the layout's size is not 0, as `len` is not 0.
            let start = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or_else(|| refused(&"out of memory"))?;
            return Ok(Self { start, len, page: 1, backing: Backing::Heap(layout) });
        }
        let large = len >= HUGE_FROM;
        let spare = if large { HUGE_PAGE } else { 0 };
        let mut pages = MmapOptions::new().len(len + spare).map_anon().map_err(|error| refused(&error))?;
        let huge = large && advise_huge(&pages);
        let skip = if large { pages.as_ptr().align_offset(HUGE_PAGE) } else { 0 };
        let start =
            pages.get_mut(skip..).map(|from| NonNull::from(from).cast()).ok_or_else(|| refused(&"unaligned"))?;
        let page = if huge { HUGE_PAGE } else { 1 };
        Ok(Self { start, len, page, backing: Backing::Pages(pages) })
    }

    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// Number of bytes.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Number of bytes that the system provides once the first `len` are touched. With huge pages that includes all
    /// of the last page.
    pub(super) fn touched(&self, len: usize) -> usize {
        len.next_multiple_of(self.page)
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if let Backing::Heap(layout) = self.backing {
            // SAFETY: allocated in `with_pages_from` with this layout, and dropped once.
            unsafe { dealloc(self.start.as_ptr(), layout) }
        }
    }
}

/// Asks for huge pages, and returns whether the system may provide them. This is advice: a refusal only costs speed.
#[cfg(target_os = "linux")]
fn advise_huge(pages: &MmapMut) -> bool {
    pages.advise(memmap2::Advice::HugePage).is_ok()
}

/// Other systems choose their page sizes themselves.
#[cfg(not(target_os = "linux"))]
fn advise_huge(_pages: &MmapMut) -> bool {
    false
}
