//! Rows of a small table (positions, segments) that are added to rows of a large one.

use crate::ids::CheckedIds;
use std::ops::Range;

/// The row of an added table that belongs to each id.
#[derive(Clone, Copy, Debug)]
pub enum Along<'a> {
    /// The i-th id gets row `offset + (first + i) mod length`. This describes a batch of sequences of one length, of
    /// which a part may begin in the middle of a sequence. Rows `offset .. offset + length` must exist. A length of 0
    /// is only valid without ids.
    Cycle {
        /// The first row of every sequence.
        offset: usize,
        /// The number of rows before the cycle starts again.
        length: usize,
        /// The place of the first id within its sequence.
        first: usize,
    },
    /// One row for each id.
    Each(CheckedIds<'a>),
}

impl Along<'_> {
    /// The same for a range of the ids.
    fn part(&self, range: Range<usize>) -> Self {
        match *self {
            Along::Cycle { offset, length, first } => {
                // Both terms are below the length, which is at most the rows of a table, so the sum does not wrap.
                let first = if length == 0 { 0 } else { (first % length + range.start % length) % length };
                Along::Cycle { offset, length, first }
            }
            Along::Each(rows) => Along::Each(rows.part(range)),
        }
    }
}

/// A table, and which of its rows are added.
#[derive(Clone, Copy, Debug)]
pub struct Added<'a> {
    /// The rows, which have the same length as those of the op's table.
    pub table: &'a [f32],
    /// The row that belongs to each id.
    pub along: Along<'a>,
}

impl Added<'_> {
    /// The same for a range of the ids.
    pub(crate) fn part(&self, range: Range<usize>) -> Self {
        Self { table: self.table, along: self.along.part(range) }
    }

    /// The raw form, for `len` ids and rows of `dim`.
    ///
    /// # Panics
    /// If sizes do not fit.
    pub(crate) fn raw(&self, len: usize, dim: usize) -> RawAdded {
        let holds = |rows: Option<usize>| {
            rows.and_then(|rows| rows.checked_mul(dim)).is_some_and(|need| need <= self.table.len())
        };
        let table = self.table.as_ptr();
        match self.along {
            Along::Cycle { offset, length, first } => {
                assert!(holds(offset.checked_add(length)), "embed: added too small");
                assert!(length > 0 || len == 0, "embed: ids, but no rows to add");
                let next = if length == 0 { 0 } else { offset + first % length };
                RawAdded { table, each: std::ptr::null(), first: offset, end: offset + length, next }
            }
            Along::Each(rows) => {
                assert!(holds(Some(rows.rows())), "embed: added too small");
                assert!(rows.ids().len() == len, "embed: rows to add for other ids");
                RawAdded { table, each: rows.ids().as_ptr(), first: 0, end: 0, next: 0 }
            }
        }
    }
}

/// The raw form for kernels. Its contract, which [`Added::raw`] checks: either `each` points at one row number per id,
/// or it is null and rows `first .. end` exist, with `next` among them if there are ids.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawAdded {
    table: *const f32,
    each: *const u32,
    first: usize,
    end: usize,
    next: usize,
}

impl RawAdded {
    /// Nothing is added; no row may be requested.
    pub(crate) const NONE: RawAdded =
        RawAdded { table: std::ptr::null(), each: std::ptr::null(), first: 0, end: 0, next: 0 };

    /// The row for id `i`, of `dim` elements.
    ///
    /// # Safety
    /// Called for 0, 1, 2 ... below the number of ids, with the op's `dim`.
    #[inline(always)]
    pub(crate) unsafe fn row(&mut self, i: usize, dim: usize) -> *const f32 {
        // SAFETY: the contract of `RawAdded`.
        unsafe {
            let row = if self.each.is_null() {
                let row = self.next;
                self.next = if row + 1 == self.end { self.first } else { row + 1 };
                row
            } else {
                *self.each.add(i) as usize
            };
            self.table.add(row * dim)
        }
    }
}
