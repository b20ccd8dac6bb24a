//! A table with the moments of its optimizer, in chunks of rows that a thread computes and updates while they are in
//! its cache: each chunk is values, first moments, second moments, gradient.

use crate::model::Array;
use crate::table::{Floats, WORTH};
use tokenbed_core::Result;
use tokenbed_kernels::dispatch::{self, Kernels};
use tokenbed_kernels::ops::learn::optim::{Slots, Update};
use tokenbed_memory::{Gather, Slice};
use tokenbed_threads::parallel_rows;

/// Rows of a chunk: a multiple of 16.
pub(super) const CHUNK: usize = 128;
/// What a chunk holds for each row.
const KINDS: usize = 4;

#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) kernels: Kernels,
    chunks: Floats,
    pub(super) rows: usize,
    pub(super) dim: usize,
}

/// Rows that are added to a gradient: `rows[order[i]]` gets the part of `values` that has its number, in order.
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

    /// Adds what rows from `first` on get.
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

/// A chunk, taken apart.
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
    /// Moves the values by the gradient.
    pub(super) fn update(&mut self, by: &Update<f32>) {
        let slots = Slots { param: self.values, grad: self.gradient, first: self.m, second: self.v };
        self.kernels.update(by, slots);
    }
}

impl Parameter {
    pub(super) fn zeroed(rows: usize, dim: usize) -> Result<Self> {
        let size = rows.div_ceil(CHUNK).saturating_mul(CHUNK * KINDS).saturating_mul(dim);
        Ok(Self { kernels: dispatch::active(), chunks: Floats::zeroed(size)?, rows, dim })
    }

    /// Elements of a chunk of one kind.
    fn part(&self) -> usize {
        CHUNK * self.dim
    }

    pub(super) fn chunks(&self) -> usize {
        self.rows.div_ceil(CHUNK)
    }

    /// All memory, for [`values_of`].
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

    /// Runs over all chunks, on all threads.
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

    /// A step over all rows, whose gradient is what the sources add to them.
    pub(super) fn step(&mut self, by: &Update<f32>, sources: &[Source<'_>]) {
        let dim = self.dim;
        self.each(|mut chunk| {
            chunk.gradient.fill(0.0);
            sources.iter().for_each(|source| source.add(chunk.first, dim, chunk.gradient));
            chunk.update(by);
        });
    }
}

/// The values of the i-th chunk in all memory of a parameter.
pub(super) fn values_of(all: &[f32], i: usize, rows: usize, dim: usize) -> &[f32] {
    &all[i * CHUNK * KINDS * dim..][..rows * dim]
}

/// A row in all memory of a parameter.
pub(super) fn row_of(all: &[f32], row: u32, dim: usize, part: usize) -> &[f32] {
    let row = row as usize;
    &all[row / CHUNK * part * KINDS + row % CHUNK * dim..][..dim]
}
