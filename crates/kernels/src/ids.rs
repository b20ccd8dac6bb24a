//! Checks in one pass over the ids whether a table has all of them. A cold path elsewhere finds out which id is bad.

use crate::dispatch::{Kernels, arms};
use crate::probe::{Probe, Results, words};
use std::ops::Range;

/// Ids that were checked to be below [`CheckedIds::rows`]. Kernels index with them without a branch.
#[derive(Clone, Copy, Debug)]
pub struct CheckedIds<'a> {
    ids: &'a [u32],
    rows: usize,
}

impl<'a> CheckedIds<'a> {
    /// The ids if all are below `rows`; None otherwise.
    pub fn new(kernels: Kernels, ids: &'a [u32], rows: usize) -> Option<Self> {
        (ids.is_empty() || (kernels.max_id(ids) as usize) < rows).then_some(Self { ids, rows })
    }

    /// Does the same as [`CheckedIds::new`] for signed integers; a negative one is out of range for every table.
    pub fn from_signed(kernels: Kernels, ids: &'a [i32], rows: usize) -> Option<Self> {
        // As u32, a negative id is 2^31 or more, which is above every valid i32.
        Self::new(kernels, as_unsigned(ids), rows.min(1 << 31))
    }

    /// The ids.
    pub fn ids(&self) -> &'a [u32] {
        self.ids
    }

    /// A range of the ids, for a part of the work.
    ///
    /// # Panics
    /// If the range is outside the ids.
    pub fn part(&self, range: Range<usize>) -> Self {
        Self { ids: &self.ids[range], rows: self.rows }
    }

    /// The number of rows of the table that they were checked against.
    pub fn rows(&self) -> usize {
        self.rows
    }
}

fn as_unsigned(ids: &[i32]) -> &[u32] {
    // SAFETY: i32 and u32 have the same size and alignment, and every bit pattern is a value of both.
    unsafe { std::slice::from_raw_parts(ids.as_ptr().cast(), ids.len()) }
}

arms!(MAX_ID: fn(ids: &[u32]) -> u32, max_id, max_id);

impl Kernels {
    /// The largest id; 0 if there are no ids.
    fn max_id(self, ids: &[u32]) -> u32 {
        // SAFETY: `self` proves that its instruction set runs here.
        unsafe { MAX_ID.on(self)(ids) }
    }
}

/// The reference, and the body for every instruction set.
#[inline(always)]
fn max_id(ids: &[u32]) -> u32 {
    // A fold without a branch: with an instruction set's features, the compiler turns it into a vector maximum.
    ids.iter().fold(0, |max, &id| if id > max { id } else { max })
}

pub(crate) const PROBE: Probe = Probe { name: "ids", line: "ids", sizes: &[199], run: probe };

fn probe(kernels: Kernels, most_ids: usize, results: &mut Results) {
    let ids = words(most_ids, 5);
    for length in 0..most_ids {
        let part = &ids[..length];
        let most = part.iter().max().map_or(0, |&most| most as usize);
        // The ids are valid for as many rows as the largest id needs, and not for one row fewer.
        results.put(&[most + 1, most].map(|rows| u8::from(CheckedIds::new(kernels, part, rows).is_some())));
    }
}
