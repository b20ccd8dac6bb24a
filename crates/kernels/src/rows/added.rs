//! Rows of a small table (positions, segments) that are added to rows of the large one.

use crate::ids::CheckedIds;
use std::ops::Range;

/// Which row of an added table goes with which id.
#[derive(Clone, Copy, Debug)]
pub enum Along<'a> {
    /// `offset + (first + i) mod length` with the i-th id: a batch of sequences of one length, of which a part may
    /// begin in the middle of one. Rows `offset .. offset + length` must exist. A length of 0 goes with no ids only.
    Cycle {
        /// The first row of every sequence.
        offset: usize,
        /// Rows before it starts again.
        length: usize,
        /// Where in its sequence the first id stands.
        first: usize,
    },
    /// A row for each id.
    Each(CheckedIds<'a>),
}

impl Along<'_> {
    /// That of a range of the ids.
    fn part(&self, range: Range<usize>) -> Self {
        match *self {
            Along::Cycle { offset, length, first } => {
                // Both below the length, so that the sum does not wrap: a length fits a table's rows.
                let first = if length == 0 { 0 } else { (first % length + range.start % length) % length };
                Along::Cycle { offset, length, first }
            }
            Along::Each(rows) => Along::Each(rows.part(range)),
        }
    }
}

/// A table and which of its rows are added.
#[derive(Clone, Copy, Debug)]
pub struct Added<'a> {
    /// Its rows, as long as those of the table of the op.
    pub table: &'a [f32],
    /// Which row goes with which id.
    pub along: Along<'a>,
}

impl Added<'_> {
    /// That of a range of the ids.
    pub(crate) fn part(&self, range: Range<usize>) -> Self {
        Self { table: self.table, along: self.along.part(range) }
    }

    /// As the kernels take it, for `len` ids and rows of `dim`.
    ///
    /// # Panics
    /// Where sizes do not fit.
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

/// As the kernels take it. Contract, kept by [`Added::raw`]: `each` points at as many rows as there are ids, or is null
/// and rows `first .. end` exist, `next` among them where there are ids.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawAdded {
    table: *const f32,
    each: *const u32,
    first: usize,
    end: usize,
    next: usize,
}

impl RawAdded {
    /// Nothing to add: never asked for a row.
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
