//! The softmax over the next token and a sample. The logits are those of the full softmax minus the logarithm of how
//! often a token is expected in the sample, so that the mean gradient approaches the full one as the sample grows. A
//! sample that equals the next token is left out.

use super::parameter::{CHUNK, Parameter, Source, row_of};
use super::{Batch, dot};
use crate::draws::Draws;
use crate::table::in_blocks;
use crate::unigram::Unigram;
use tokenbed_core::Result;
use tokenbed_kernels::ops::learn::optim::Update;
use tokenbed_kernels::ops::products::gemm::{View, gemm};
use tokenbed_kernels::ops::products::matmul::Product;
use tokenbed_memory::{Gather, List, Slice, filled, zeroed};

/// Positions that are computed together.
const BLOCK: usize = 64;
/// Columns in front of those of the samples; the first holds the next token.
const BEFORE: usize = 16;

/// Buffers that are reused from step to step.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    /// The vectors of the sample.
    weights: Vec<f32>,
    /// For each position: the gradients of its logits, followed by its loss.
    gradients: Vec<f32>,
}

impl Buffers {
    /// Fills the batch's gradient and updates the head. Returns the sum of the losses.
    pub(super) fn run(
        &mut self,
        batch: &mut Batch,
        head: &mut Parameter,
        by: &Update<f32>,
        tied: bool,
        unigram: &Unigram,
        (samples, mut draws): (usize, Draws),
    ) -> Result<f64> {
        let (kernels, dim, count) = (head.kernels, head.dim, batch.ids.len());
        let sample: Vec<u32> = (0..samples).map(|_| unigram.id(draws.bits())).into_list();
        let expected = |id: u32| libm::logf((unigram.probability(id) * samples as f32).max(f32::MIN_POSITIVE));
        let off: Vec<f32> = sample.iter().map(|&id| expected(id)).into_list();
        let (all, part) = (head.all(), CHUNK * dim);
        self.weights.clear();
        sample.iter().for_each(|&id| self.weights.put_slice(row_of(all, id, dim, part)));
        let width = (BEFORE + samples).next_multiple_of(16);
        let row = width + BEFORE;
        self.gradients.fill_to(count * row, 0.0);

        let share = 1.0 / count as f32;
        let (weights, batch_ref) = (&self.weights, &*batch);
        // Computes the logits, then their probabilities, then the gradients of the logits.
        let logits = |first: usize, gradients: &mut [f32]| {
            let count = gradients.len() / row;
            let hidden = &batch_ref.hidden[first * dim..][..count * dim];
            let mut scores = filled(f32::NEG_INFINITY, count * width);
            let sizes = Product { rows: count, inner: dim, columns: samples };
            let hidden_view = View { values: hidden, row: dim, column: 1 };
            gemm(
                kernels,
                sizes,
                hidden_view,
                View { values: weights, row: 1, column: dim },
                false,
                &mut scores[BEFORE..],
                width,
            );
            let targets = &batch_ref.targets[first..first + count];
            let mut own = zeroed(count);
            for (((row, &target), hidden), own) in
                scores.chunks_exact_mut(width).zip(targets).zip(hidden.chunks_exact(dim)).zip(&mut own)
            {
                *own = dot(hidden, row_of(all, target, dim, part)) - expected(target);
                row[..BEFORE].fill(f32::NEG_INFINITY);
                row[0] = *own;
                for ((x, &id), off) in row[BEFORE..].iter_mut().zip(&sample).zip(&off) {
                    *x = if id == target { f32::NEG_INFINITY } else { *x - off };
                }
                row[BEFORE + samples..].fill(f32::NEG_INFINITY);
            }
            let mut tops = zeroed(2 * count);
            kernels.exp_rows(&mut scores, width, &mut tops);
            let rows = gradients.chunks_exact_mut(row).zip(scores.chunks_exact(width));
            for (((to, from), top), own) in rows.zip(tops.chunks_exact(2)).zip(own) {
                let factor = share / top[1];
                to[..width].iter_mut().zip(from).for_each(|(x, e)| *x = e * factor);
                to[0] -= share;
                to[width] = top[1].ln() + top[0] - own;
            }
        };
        in_blocks(&mut self.gradients, row, BLOCK, logits);
        let gradients = &self.gradients;
        let loss = gradients.chunks_exact(row).map(|row| f64::from(row[width])).sum();

        // The gradient of the positions' vectors.
        let mut by_hidden = std::mem::take(&mut batch.gradient);
        let targets = &batch.targets;
        in_blocks(&mut by_hidden, dim, BLOCK, |first, to| {
            let from = View { values: &gradients[first * row + BEFORE..], row, column: 1 };
            let sizes = Product { rows: to.len() / dim, inner: samples, columns: dim };
            gemm(kernels, sizes, from, View { values: weights, row: dim, column: 1 }, false, to, dim);
            for (to, position) in to.chunks_exact_mut(dim).zip(first..) {
                let weight = row_of(all, targets[position], dim, part);
                let by = gradients[position * row];
                to.iter_mut().zip(weight).for_each(|(x, w)| *x += by * w);
            }
        });
        batch.gradient = by_hidden;

        // The gradients of the vectors of the sample, and of the next tokens.
        let mut by_sample = zeroed(samples * dim);
        let hidden = View { values: &batch.hidden, row: dim, column: 1 };
        in_blocks(&mut by_sample, dim, BLOCK, |first, to| {
            let from = View { values: &gradients[BEFORE + first..], row: 1, column: row };
            gemm(kernels, Product { rows: to.len() / dim, inner: count, columns: dim }, from, hidden, false, to, dim);
        });
        let mut by_target = batch.hidden.to_list();
        for (to, row) in by_target.chunks_exact_mut(dim).zip(gradients.chunks_exact(row)) {
            to.iter_mut().for_each(|x| *x *= row[0]);
        }
        let mut sources = Vec::from([Source::new(&sample, &by_sample), Source::new(&batch.targets, &by_target)]);
        if tied {
            sources.put(Source::new(&batch.ids, &batch.gradient));
        }
        head.step(by, &sources);
        Ok(loss)
    }
}
