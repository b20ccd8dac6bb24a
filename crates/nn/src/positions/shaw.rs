//! Shaw's relative positions: a learned vector for each clipped distance (Shaw et al. 2018), as BERT's `relative_key`
//! and `relative_key_query` (Huang et al. 2020).
//!
//! ```text
//! row(i, j) = m + clip(offset + i - j, -m, m)                    of the table, (2 m + 1) x dim
//! scores[b, h, i, j] = query[b, h, i] . table[row(i, j)]
//!                    + key[b, h, j] . table[row(i, j)]           if keys take part
//! ```
//!
//! Every query is multiplied by every row of the table once, and the products are copied to where they belong. No table
//! with a vector for each pair is made.

use super::Matrix::{N, T};
use super::{Scores, check_len, collect_heads, cut, each_head, product};
use std::ops::Range;
use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_memory::{Gather, zeroed};
use tokenbed_threads::parallel_rows;

/// The table, and the inputs.
#[derive(Clone, Copy, Debug)]
pub struct Shaw<'a> {
    /// Sizes.
    pub scores: Scores,
    /// The table, (2 m + 1) x dim.
    pub weight: &'a [f32],
    /// (batch, heads, queries, dim).
    pub query: &'a [f32],
    /// (batch, heads, keys, dim), if keys take part.
    pub key: Option<&'a [f32]>,
}

impl Shaw<'_> {
    /// The largest distance that has its own vector, after checking the table's size.
    fn clip(&self) -> Result<i64> {
        let rows = self.weight.len().checked_div(self.scores.dim).unwrap_or(0);
        check_len("the table", self.weight.len(), &[rows, self.scores.dim])?;
        if rows.is_multiple_of(2) {
            return Err(Error::Shape(format!(
                "a table of clipped distances must have an odd number of rows, not {rows}"
            )));
        }
        Ok((rows / 2) as i64)
    }

    /// The rows of the table that occur, and the index among them of the row for distance 0.
    fn used(&self, clip: i64) -> (Range<usize>, i64) {
        let Scores { queries, keys, offset, .. } = self.scores;
        let (offset, queries, keys) = (offset as i64, queries as i64, keys as i64);
        let low = (offset - (keys - 1)).clamp(-clip, clip);
        let high = (offset + queries - 1).clamp(-clip, clip);
        ((clip + low) as usize..(clip + high) as usize + 1, -low)
    }

    /// The index, among the rows that occur, of the row for query i and key j.
    fn row(&self, clip: i64, zero: i64, i: usize, j: usize) -> usize {
        ((self.scores.offset + i) as i64 - j as i64).clamp(-clip, clip).wrapping_add(zero) as usize
    }

    /// `out` = the scores, (batch, heads, queries, keys).
    ///
    /// # Errors
    /// [`Error::Shape`] for slices of other sizes.
    pub fn forward(&self, kernels: Kernels, out: &mut [f32]) -> Result<()> {
        let Scores { heads, queries, keys, dim, .. } = self.scores;
        self.scores.check(self.query, self.key, out)?;
        let clip = self.clip()?;
        if out.is_empty() {
            return Ok(());
        }
        let (used, zero) = self.used(clip);
        let count = used.len();
        let table = T(&self.weight[used.start * dim..used.end * dim]);
        parallel_rows(out, queries * keys, count.max(keys) * queries * dim, |range, out| {
            for (at, out) in range.zip(out.chunks_exact_mut(queries * keys)) {
                let (batch, head) = (at / heads, at % heads);
                let by_query =
                    product(kernels, queries, dim, count, N(self.scores.head(self.query, queries, batch, head)), table);
                for (i, out) in out.chunks_exact_mut(keys).enumerate() {
                    let line = &by_query[i * count..][..count];
                    out.iter_mut().enumerate().for_each(|(j, out)| *out = line[self.row(clip, zero, i, j)]);
                }
                if let Some(key) = self.key {
                    let by_key = product(kernels, keys, dim, count, N(self.scores.head(key, keys, batch, head)), table);
                    for (i, out) in out.chunks_exact_mut(keys).enumerate() {
                        let lines = by_key.chunks_exact(count).enumerate();
                        out.iter_mut().zip(lines).for_each(|(out, (j, line))| *out += line[self.row(clip, zero, i, j)]);
                    }
                }
            }
        });
        Ok(())
    }

    /// The gradients of query, key (if it takes part) and table, given the gradient of the scores. The bits are the
    /// same on any number of threads: a head's gradient is summed in the order of the batch, then the table's in the
    /// order of the heads.
    ///
    /// # Errors
    /// [`Error::Shape`] for slices of other sizes.
    pub fn backward(
        &self,
        kernels: Kernels,
        grad: &[f32],
        query_grad: &mut [f32],
        key_grad: Option<&mut [f32]>,
        weight_grad: &mut [f32],
    ) -> Result<()> {
        let Scores { batch, heads, queries, keys, dim, .. } = self.scores;
        self.scores.check(self.query, self.key, grad)?;
        let clip = self.clip()?;
        check_len("the table's gradient", weight_grad.len(), &[self.weight.len()])?;
        check_len("the query's gradient", query_grad.len(), &[self.query.len()])?;
        check_len("the key's gradient", key_grad.as_ref().map_or(0, |x| x.len()), &[self.key.map_or(0, <[f32]>::len)])?;
        weight_grad.fill(0.0);
        if grad.is_empty() {
            query_grad.fill(0.0);
            key_grad.into_iter().for_each(|grad| grad.fill(0.0));
            return Ok(());
        }
        let (used, zero) = self.used(clip);
        let count = used.len();
        let table = &self.weight[used.start * dim..used.end * dim];
        let of_key = if self.key.is_some() { batch * keys * dim } else { 0 };
        let lengths = [batch * queries * dim, of_key, count * dim];
        let all = each_head(&self.scores, lengths.iter().sum(), |head, piece| {
            let [query_grads, key_grads, table_grad] = cut(piece, lengths);
            let mut add = |by_row: &[f32], length: usize, x: &[f32], out: &mut [f32]| {
                out.copy_from_slice(&product(kernels, length, count, dim, N(by_row), N(table)));
                let more = product(kernels, count, length, dim, T(by_row), N(x));
                table_grad.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
            };
            for b in 0..batch {
                let grad = &grad[(b * heads + head) * queries * keys..][..queries * keys];
                let mut sums = zeroed(queries * count);
                for (i, grad) in grad.chunks_exact(keys).enumerate() {
                    let line = &mut sums[i * count..][..count];
                    grad.iter().enumerate().for_each(|(j, &g)| line[self.row(clip, zero, i, j)] += f64::from(g));
                }
                let out = &mut query_grads[b * queries * dim..][..queries * dim];
                add(&rounded(&sums), queries, self.scores.head(self.query, queries, b, head), out);
                if let Some(key) = self.key {
                    let mut sums = zeroed(keys * count);
                    for (i, grad) in grad.chunks_exact(keys).enumerate() {
                        let at = |j: usize| j * count + self.row(clip, zero, i, j);
                        grad.iter().enumerate().for_each(|(j, &g)| sums[at(j)] += f64::from(g));
                    }
                    let out = &mut key_grads[b * keys * dim..][..keys * dim];
                    add(&rounded(&sums), keys, self.scores.head(key, keys, b, head), out);
                }
            }
        });
        collect_heads(&self.scores, &all, 0, queries, query_grad);
        if let Some(key_grad) = key_grad {
            collect_heads(&self.scores, &all, lengths[0], keys, key_grad);
        }
        let out = &mut weight_grad[used.start * dim..used.end * dim];
        for piece in all.chunks_exact(lengths.iter().sum()) {
            out.iter_mut().zip(&piece[lengths[0] + lengths[1]..]).for_each(|(sum, more)| *sum += more);
        }
        Ok(())
    }
}

/// Rounds sums to f32. They are f64 because a clipped end may have many terms.
fn rounded(sums: &[f64]) -> Vec<f32> {
    sums.iter().map(|&sum| sum as f32).into_list()
}
