//! A table with the moments of its optimizer, in chunks of rows. A thread computes and updates a chunk while it is in
//! its cache. Each chunk holds values, first moments, second moments and gradient.

use crate::model::Array;
use crate::table::{Floats, WORTH};
use tokenbed_core::Result;
use tokenbed_kernels::dispatch::{self, Kernels};
use tokenbed_kernels::ops::learn::optim::{Slots, Update};
use tokenbed_memory::{Gather, Slice};
use tokenbed_threads::parallel_rows;

/// Rows per chunk; a multiple of 16.
pub(super) const CHUNK: usize = 128;
/// The number of values that a chunk holds for each element.
const KINDS: usize = 4;

#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) kernels: Kernels,
    chunks: Floats,
    pub(super) rows: usize,
    pub(super) dim: usize,
}

/// Rows that are added to a gradient: row `a` of the table gets row `b` of `values` for each pair (a, b) in `order`.
pub(super) struct Source<'a> {
    values: &'a [f32],
    /// (row of the table, row of the values), ascending.
    order: Vec<(u32, u32)>,
}

impl<'a> Source<'a> {
    pub(super) fn new(rows: &[u32], values: &'a [f32]) -> Self {
        let mut order: Vec<(u32, u32)> = rows.iter().copied().zip(0..).into_list();
        order.sort_unstable();
        Self { values, order }
    }

    /// Adds to the rows of a chunk, which begins with row `first`.
    pub(super) fn add(&self, first: usize, dim: usize, gradient: &mut [f32]) {
        let end = first + gradient.len() / dim;
        let from = self.order.partition_point(|&(row, _)| (row as usize) < first);
        for &(row, at) in self.order[from..].iter().take_while(|(row, _)| (*row as usize) < end) {
            let to = &mut gradient[(row as usize - first) * dim..][..dim];
            let by = &self.values[at as usize * dim..][..dim];
            to.iter_mut().zip(by).for_each(|(x, y)| *x += y);
        }
    }
}

/// A chunk, split into its parts.
pub(super) struct Chunk<'a> {
    kernels: Kernels,
    /// The number of its first row.
    pub(super) first: usize,
    pub(super) values: &'a mut [f32],
    pub(super) m: &'a mut [f32],
    pub(super) v: &'a mut [f32],
    pub(super) gradient: &'a mut [f32],
}

impl Chunk<'_> {
    /// Updates the values by the gradient.
    pub(super) fn update(&mut self, by: &Update<f32>) {
        let slots = Slots { param: self.values, grad: self.gradient, first: self.m, second: self.v, third: &mut [] };
        self.kernels.update(by, slots);
    }
}

impl Parameter {
    pub(super) fn zeroed(rows: usize, dim: usize) -> Result<Self> {
        let size = rows.div_ceil(CHUNK).saturating_mul(CHUNK * KINDS).saturating_mul(dim);
        Ok(Self { kernels: dispatch::active(), chunks: Floats::zeroed(size)?, rows, dim })
    }

    /// The number of elements in one part of a chunk.
    fn part(&self) -> usize {
        CHUNK * self.dim
    }

    pub(super) fn chunks(&self) -> usize {
        self.rows.div_ceil(CHUNK)
    }

    /// The memory of all chunks, for [`values_of`].
    pub(super) fn all(&mut self) -> &[f32] {
        self.chunks.all()
    }

    pub(super) fn row(&mut self, row: u32) -> &[f32] {
        let (dim, part) = (self.dim, self.part());
        row_of(self.chunks.all(), row, dim, part)
    }

    /// Writes all values (0) or moments (1, 2).
    pub(super) fn set(&mut self, kind: usize, values: &[f32]) {
        let part = self.part();
        for (chunk, values) in self.chunks.all().chunks_exact_mut(part * KINDS).zip(values.chunks(part)) {
            chunk[kind * part..][..values.len()].copy_from_slice(values);
        }
    }

    /// All values (0) or moments (1, 2).
    pub(super) fn array(&mut self, name: &'static str, kind: usize) -> Array {
        let (rows, dim, part) = (self.rows, self.dim, self.part());
        let of = |chunk: &'_ [f32]| chunk[kind * part..(kind + 1) * part].to_list();
        let mut values: Vec<f32> = self.chunks.all().chunks_exact(part * KINDS).flat_map(of).into_list();
        values.truncate(rows * dim);
        Array { name, shape: [rows, dim], values }
    }

    /// Calls `run` with every chunk, on all threads.
    pub(super) fn each(&mut self, run: impl Fn(Chunk<'_>) + Sync) {
        let (kernels, part, rows, dim) = (self.kernels, self.part(), self.rows, self.dim);
        parallel_rows(self.chunks.all(), part * KINDS, WORTH, |range, chunks| {
            for (i, chunk) in range.zip(chunks.chunks_exact_mut(part * KINDS)) {
                let len = CHUNK.min(rows - i * CHUNK) * dim;
                let (values, rest) = chunk.split_at_mut(part);
                let (m, rest) = rest.split_at_mut(part);
                let (v, gradient) = rest.split_at_mut(part);
                let [values, m, v, gradient] = [values, m, v, gradient].map(|kind| &mut kind[..len]);
                run(Chunk { kernels, first: i * CHUNK, values, m, v, gradient });
            }
        });
    }

    /// Does a step on all rows; their gradient is the sum of what the sources add.
    pub(super) fn step(&mut self, by: &Update<f32>, sources: &[Source<'_>]) {
        let dim = self.dim;
        self.each(|mut chunk| {
            chunk.gradient.fill(0.0);
            sources.iter().for_each(|source| source.add(chunk.first, dim, chunk.gradient));
            chunk.update(by);
        });
    }
}

/// The values of the i-th chunk, in the memory of a parameter.
pub(super) fn values_of(all: &[f32], i: usize, rows: usize, dim: usize) -> &[f32] {
    &all[i * CHUNK * KINDS * dim..][..rows * dim]
}

/// One row, in the memory of a parameter.
pub(super) fn row_of(all: &[f32], row: u32, dim: usize, part: usize) -> &[f32] {
    let row = row as usize;
    &all[row / CHUNK * part * KINDS + row % CHUNK * dim..][..dim]
}
