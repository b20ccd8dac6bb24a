//! The layout of both tables: rows are grouped in parts, and each thread that changes rows has its own part.

use crate::table::{Floats, WORTH};
use std::ops::Range;
use tokenbed_core::Result;
use tokenbed_memory::Gather;
use tokenbed_threads::{parallel_rows, setting};

/// Every `parts`-th row lies in the same part. Words are numbered by frequency, so the parts have about the same work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// The number of rows in both tables: the words as neighbours, then as centers.
    pub(super) rows: u32,
    /// The distance between rows in elements: whole blocks of 16, the last padded with zeros.
    pub(super) stride: usize,
    /// The number of rows in a part.
    each: u32,
    /// There are `1 << shift` parts.
    shift: u32,
}

impl Layout {
    /// The place of a row, counted in rows.
    #[inline(always)]
    pub(super) fn place(self, row: u32) -> u32 {
        (row & ((1 << self.shift) - 1)) * self.each + (row >> self.shift)
    }

    /// The part of a row.
    #[inline(always)]
    pub(super) fn part(self, row: u32) -> usize {
        (row & ((1 << self.shift) - 1)) as usize
    }

    pub(super) fn parts(self) -> usize {
        1 << self.shift
    }
}

/// Both tables.
#[derive(Debug)]
pub(super) struct Rows {
    values: Floats,
    layout: Layout,
    dim: usize,
}

impl Rows {
    pub(super) fn new(vocabulary: usize, dim: usize) -> Result<Self> {
        let too_many = |_| tokenbed_core::Error::Usage(format!("{vocabulary} words are too many"));
        let rows = u32::try_from(vocabulary * 2).map_err(too_many)?;
        // There is one part per thread. Which thread changes a row does not change its bits.
        let threads = setting::num_threads().unwrap_or(1) as u32;
        let shift = threads.min(64).next_power_of_two().trailing_zeros();
        let each = rows.div_ceil(1 << shift);
        let layout = Layout { rows, stride: dim.next_multiple_of(16), each, shift };
        Ok(Self { values: Floats::zeroed((each as usize * layout.stride) << shift)?, layout, dim })
    }

    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    pub(super) fn all(&mut self) -> &mut [f32] {
        self.values.all()
    }

    /// Writes a row.
    pub(super) fn set(&mut self, row: usize, values: &[f32]) {
        let at = self.layout.place(row as u32) as usize * self.layout.stride;
        self.all()[at..at + values.len()].copy_from_slice(values);
    }

    /// A range of rows, end to end without padding.
    pub(super) fn dense(&mut self, rows: Range<usize>) -> Vec<f32> {
        let (layout, dim) = (self.layout, self.dim);
        let all = self.all();
        let row = |row| &all[layout.place(row as u32) as usize * layout.stride..][..dim];
        rows.flat_map(row).copied().into_list()
    }

    /// Calls `walk` with the number of each part and the part itself, on all threads.
    pub(super) fn in_parts(&mut self, walk: impl Fn(usize, &mut Part<'_>) + Sync) {
        let Layout { stride, each, .. } = self.layout;
        let part = each as usize * stride;
        parallel_rows(self.values.all(), part, WORTH, |parts, values| {
            for (number, values) in parts.zip(values.chunks_exact_mut(part)) {
                walk(number, &mut Part { values, first: number as u32 * each, stride });
            }
        });
    }
}

/// Rows that one thread changes.
pub(super) struct Part<'a> {
    values: &'a mut [f32],
    first: u32,
    stride: usize,
}

impl Part<'_> {
    /// Adds to the row at this place.
    #[inline(always)]
    pub(super) fn add(&mut self, place: u32, change: &[f32]) {
        let at = (place - self.first) as usize * self.stride;
        self.values[at..at + self.stride].iter_mut().zip(change).for_each(|(value, by)| *value += by);
    }

    /// Adds a fraction of a change to the row at this place; of 0 the row keeps its bits.
    pub(super) fn add_some(&mut self, place: u32, factor: f32, change: &[f32]) {
        if factor == 1.0 {
            self.add(place, change);
        } else if factor != 0.0 {
            let at = (place - self.first) as usize * self.stride;
            self.values[at..at + self.stride].iter_mut().zip(change).for_each(|(value, by)| *value += factor * by);
        }
    }
}
