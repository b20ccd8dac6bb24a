//! The softmax over the whole vocabulary, in three passes over chunks of it.
//!
//! 1. The logits of a chunk are computed and at once replaced by their exponentials, with the maximum and the sum for
//!    each position.
//! 2. With the sums of all chunks, the gradient of the positions' vectors is computed, for blocks of positions.
//! 3. The gradient of the head is computed chunk by chunk, and the head is updated.
//!
//! Only the exponentials are kept of the logits; the factors that make them probabilities are applied to the small
//! matrix of the product. If the positions exceed the memory limit, they are processed in tiles.

use super::parameter::{CHUNK, Parameter, Source, row_of, values_of};
use super::{Batch, dot};
use crate::table::{Floats, WORTH, in_blocks};
use tokenbed_core::Result;
use tokenbed_kernels::ops::learn::optim::Update;
use tokenbed_kernels::ops::products::gemm::{View, gemm};
use tokenbed_kernels::ops::products::matmul::Product;
use tokenbed_memory::{List, Slice, filled, zeroed};
use tokenbed_threads::parallel_rows;

/// The number of exponentials that are kept at once: 256 MB.
const MOST: usize = 64 << 20;
/// The number of blocks of positions in the second pass, and the minimal size of a block.
const BLOCKS: usize = 8;
const LEAST_BLOCK: usize = 64;

/// Buffers that are reused from step to step.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    exponentials: Option<(usize, Floats)>,
}

/// The positions of a tile.
struct Tile<'a> {
    hidden: &'a [f32],
    targets: &'a [u32],
    count: usize,
    dim: usize,
    /// For each chunk and position: the factor that makes exponentials probabilities, divided by the number of
    /// positions in the batch.
    factors: Vec<f32>,
    /// 1 / the number of positions in the batch.
    share: f32,
}

impl Buffers {
    /// Fills the batch's gradient and updates the head. Returns the sum of the losses.
    pub(super) fn run(&mut self, batch: &mut Batch, head: &mut Parameter, by: &Update<f32>, tied: bool) -> Result<f64> {
        let (dim, count, chunks) = (head.dim, batch.ids.len(), head.chunks());
        let tile = (MOST / (chunks * CHUNK)).clamp(1, count);
        let block = tile * (CHUNK + 2);
        if self.exponentials.as_ref().is_none_or(|(len, _)| *len < block * chunks) {
            self.exponentials = Some((block * chunks, Floats::zeroed(block * chunks)?));
        }
        let Some((_, exponentials)) = &mut self.exponentials else { return Ok(f64::NAN) };
        let mut loss = 0.0;
        for from in (0..count).step_by(tile) {
            let to = count.min(from + tile);
            let mut tile = Tile {
                hidden: &batch.hidden[from * dim..to * dim],
                targets: &batch.targets[from..to],
                count: to - from,
                dim,
                factors: Vec::new(),
                share: 1.0 / count as f32,
            };
            let blocks = &mut exponentials.all()[..tile.count * (CHUNK + 2) * chunks];
            tile.exponentials(head, blocks);
            loss += tile.losses(head, blocks);
            tile.by_hidden(head, blocks, &mut batch.gradient[from * dim..to * dim]);
            let last = to == count;
            let mut sources = Vec::new();
            if tied && last {
                sources.put(Source::new(&batch.ids, &batch.gradient));
            }
            tile.by_head(head, blocks, from == 0, last.then_some((by, &sources)));
        }
        Ok(loss)
    }
}

impl Buffers {
    /// The sum of the losses of a batch. Nothing changes but the buffers.
    pub(super) fn loss(&mut self, batch: &Batch, head: &mut Parameter) -> Result<f64> {
        let (dim, count, chunks) = (head.dim, batch.ids.len(), head.chunks());
        let tile = (MOST / (chunks * CHUNK)).clamp(1, count.max(1));
        let block = tile * (CHUNK + 2);
        if self.exponentials.as_ref().is_none_or(|(len, _)| *len < block * chunks) {
            self.exponentials = Some((block * chunks, Floats::zeroed(block * chunks)?));
        }
        let Some((_, exponentials)) = &mut self.exponentials else { return Ok(f64::NAN) };
        let mut loss = 0.0;
        for from in (0..count).step_by(tile) {
            let to = count.min(from + tile);
            let mut tile = Tile {
                hidden: &batch.hidden[from * dim..to * dim],
                targets: &batch.targets[from..to],
                count: to - from,
                dim,
                factors: Vec::new(),
                share: 1.0,
            };
            let blocks = &mut exponentials.all()[..tile.count * (CHUNK + 2) * chunks];
            tile.exponentials(head, blocks);
            loss += tile.losses(head, blocks);
        }
        Ok(loss)
    }
}

impl Tile<'_> {
    /// The number of exponentials in a chunk; the maxima and sums follow them.
    fn matrix(&self) -> usize {
        self.count * CHUNK
    }

    fn block(&self) -> usize {
        self.count * (CHUNK + 2)
    }

    fn exponentials(&self, head: &mut Parameter, blocks: &mut [f32]) {
        let (kernels, dim, rows) = (head.kernels, self.dim, head.rows);
        let all = head.all();
        parallel_rows(blocks, self.block(), WORTH, |range, blocks| {
            for (i, block) in range.zip(blocks.chunks_exact_mut(self.block())) {
                let columns = CHUNK.min(rows - i * CHUNK);
                let (logits, sums) = block.split_at_mut(self.matrix());
                let hidden = View { values: self.hidden, row: dim, column: 1 };
                let weights = View { values: values_of(all, i, columns, dim), row: 1, column: dim };
                gemm(kernels, Product { rows: self.count, inner: dim, columns }, hidden, weights, false, logits, CHUNK);
                if columns < CHUNK {
                    logits.chunks_exact_mut(CHUNK).for_each(|row| row[columns..].fill(f32::NEG_INFINITY));
                }
                kernels.exp_rows(logits, CHUNK, sums);
            }
        });
    }

    /// Fills the factors. Returns the sum of the losses.
    fn losses(&mut self, head: &mut Parameter, blocks: &[f32]) -> f64 {
        let (chunks, width, block) = (head.chunks(), head.chunks().next_multiple_of(16), self.block());
        let largest_and_sum = |chunk: usize, position: usize| {
            let at = chunk * block + self.matrix() + 2 * position;
            (blocks[at], blocks[at + 1])
        };
        // The maxima of the chunks are combined like a softmax of their own.
        let mut scales = filled(f32::NEG_INFINITY, self.count * width);
        for (position, row) in scales.chunks_exact_mut(width).enumerate() {
            row[..chunks].iter_mut().enumerate().for_each(|(i, x)| *x = largest_and_sum(i, position).0);
        }
        let mut tops = zeroed(2 * self.count);
        head.kernels.exp_rows(&mut scales, width, &mut tops);
        let (dim, part) = (self.dim, CHUNK * self.dim);
        let all = head.all();
        let mut factors = zeroed(chunks * self.count);
        let mut loss = 0.0;
        for (position, scales) in scales.chunks_exact(width).enumerate() {
            let sum: f32 =
                scales[..chunks].iter().enumerate().map(|(i, scale)| scale * largest_and_sum(i, position).1).sum();
            for (i, scale) in scales[..chunks].iter().enumerate() {
                factors[i * self.count + position] = scale / sum * self.share;
            }
            let hidden = &self.hidden[position * dim..][..dim];
            let logit = dot(hidden, row_of(all, self.targets[position], dim, part));
            loss += f64::from(sum).ln() + f64::from(tops[2 * position]) - f64::from(logit);
        }
        self.factors = factors;
        loss
    }

    /// Computes the gradient of the positions' vectors.
    fn by_hidden(&self, head: &mut Parameter, blocks: &[f32], gradient: &mut [f32]) {
        let (kernels, dim, rows, chunks) = (head.kernels, self.dim, head.rows, head.chunks());
        let (all, part) = (head.all(), CHUNK * dim);
        let positions = self.count.div_ceil(BLOCKS).max(LEAST_BLOCK).min(self.count);
        let run = |first: usize, gradient: &mut [f32]| {
            let count = gradient.len() / dim;
            let mut product = zeroed(gradient.len());
            for i in 0..chunks {
                let inner = CHUNK.min(rows - i * CHUNK);
                let exponentials = &blocks[i * self.block() + first * CHUNK..][..count * CHUNK];
                let exponentials = View { values: exponentials, row: CHUNK, column: 1 };
                let weights = View { values: values_of(all, i, inner, dim), row: dim, column: 1 };
                gemm(
                    kernels,
                    Product { rows: count, inner, columns: dim },
                    exponentials,
                    weights,
                    false,
                    &mut product,
                    dim,
                );
                let factors = &self.factors[i * self.count + first..][..count];
                for ((to, by), factor) in gradient.chunks_exact_mut(dim).zip(product.chunks_exact(dim)).zip(factors) {
                    to.iter_mut().zip(by).for_each(|(x, y)| *x += factor * y);
                }
            }
            for (to, &target) in gradient.chunks_exact_mut(dim).zip(&self.targets[first..]) {
                let row = row_of(all, target, dim, part);
                to.iter_mut().zip(row).for_each(|(x, w)| *x -= self.share * w);
            }
        };
        in_blocks(gradient, dim, positions, run);
    }

    /// Computes the gradient of the head. With the last tile it also adds the other sources of that gradient, and does
    /// the step.
    fn by_head(
        &self,
        head: &mut Parameter,
        blocks: &[f32],
        first: bool,
        last: Option<(&Update<f32>, &Vec<Source<'_>>)>,
    ) {
        let (kernels, dim, count) = (head.kernels, self.dim, self.count);
        let mut taken = self.hidden.to_list();
        taken.iter_mut().for_each(|x| *x *= -self.share);
        let targets = Source::new(self.targets, &taken);
        head.each(|mut chunk| {
            let i = chunk.first / CHUNK;
            let rows = chunk.gradient.len() / dim;
            let mut scaled = self.hidden.to_list();
            for (row, factor) in scaled.chunks_exact_mut(dim).zip(&self.factors[i * count..][..count]) {
                row.iter_mut().for_each(|x| *x *= factor);
            }
            let exponentials = View { values: &blocks[i * self.block()..][..self.matrix()], row: 1, column: CHUNK };
            let hidden = View { values: &scaled, row: dim, column: 1 };
            gemm(
                kernels,
                Product { rows, inner: count, columns: dim },
                exponentials,
                hidden,
                !first,
                chunk.gradient,
                dim,
            );
            targets.add(chunk.first, dim, chunk.gradient);
            if let Some((by, sources)) = last {
                sources.iter().for_each(|source| source.add(chunk.first, dim, chunk.gradient));
                chunk.update(by);
            }
        });
    }
}
