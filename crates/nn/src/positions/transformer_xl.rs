//! Transformer-XL's scores (Dai et al. 2019): content and relative position, with learned biases u and v.
//!
//! ```text
//! r(d) = W sinusoid(d)                                           for head h: dim rows of W
//! scores[b, h, i, j] = (query[b, h, i] + u[h]) . key[b, h, j]
//!                    + (query[b, h, i] + v[h]) . r(offset + i - j)[h]
//! ```
//!
//! The second products are computed for every query and distance; each row of scores is a window of them (the relative
//! shift). Distances are negative for keys that come after the query, as in XLNet.

use super::Matrix::{N, T};
use super::{Scores, check_len, collect_heads, cut, each_head, product, with_row};
use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_memory::zeroed;
use tokenbed_threads::parallel_rows;

/// The parameters, and the inputs.
#[derive(Clone, Copy, Debug)]
pub struct TransformerXl<'a> {
    /// Sizes.
    pub scores: Scores,
    /// (heads, dim).
    pub u: &'a [f32],
    /// (heads, dim).
    pub v: &'a [f32],
    /// (heads * dim, model): the matrix that turns sinusoids into keys.
    pub weight: &'a [f32],
    /// (queries + keys - 1, model): row t belongs to distance `offset + queries - 1 - t`.
    pub sinusoids: &'a [f32],
    /// (batch, heads, queries, dim).
    pub query: &'a [f32],
    /// (batch, heads, keys, dim).
    pub key: &'a [f32],
}

/// The buffers for gradients, each in the shape of its tensor.
#[derive(Debug)]
#[allow(missing_docs, reason = "the names say it all")]
pub struct Gradients<'a> {
    pub query: &'a mut [f32],
    pub key: &'a mut [f32],
    pub u: &'a mut [f32],
    pub v: &'a mut [f32],
    pub weight: &'a mut [f32],
}

impl TransformerXl<'_> {
    fn distances(&self) -> usize {
        self.scores.queries + self.scores.keys - 1
    }

    /// The number of elements in a sinusoid, after checking all sizes.
    fn check(&self, scores: &[f32]) -> Result<usize> {
        let Scores { heads, dim, .. } = self.scores;
        self.scores.check(self.query, Some(self.key), scores)?;
        check_len("u", self.u.len(), &[heads, dim])?;
        check_len("v", self.v.len(), &[heads, dim])?;
        let model = self.weight.len().checked_div(heads * dim).unwrap_or(0);
        check_len("the weight", self.weight.len(), &[heads, dim, model])?;
        if !scores.is_empty() {
            check_len("the sinusoids", self.sinusoids.len(), &[self.distances(), model])?;
        }
        if model == 0 { Err(Error::Shape("sinusoids must have at least one element".into())) } else { Ok(model) }
    }

    /// The keys of a head's distances: (distances, dim).
    fn positions(&self, kernels: Kernels, model: usize, head: usize) -> Vec<f32> {
        let Scores { dim, .. } = self.scores;
        let weight = &self.weight[head * dim * model..][..dim * model];
        product(kernels, self.distances(), model, dim, N(self.sinusoids), T(weight))
    }

    /// `out` = the scores, (batch, heads, queries, keys), without scaling.
    ///
    /// # Errors
    /// [`Error::Shape`] for slices of other sizes.
    pub fn forward(&self, kernels: Kernels, out: &mut [f32]) -> Result<()> {
        let Scores { heads, queries, keys, dim, .. } = self.scores;
        let model = self.check(out)?;
        if out.is_empty() {
            return Ok(());
        }
        let count = self.distances();
        let by_head = each_head(&self.scores, dim * count, |head, piece| {
            piece.copy_from_slice(&self.positions(kernels, model, head));
        });
        parallel_rows(out, queries * keys, (count + keys) * queries * dim, |range, out| {
            for (at, out) in range.zip(out.chunks_exact_mut(queries * keys)) {
                let (batch, head) = (at / heads, at % heads);
                let query = self.scores.head(self.query, queries, batch, head);
                let key = T(self.scores.head(self.key, keys, batch, head));
                let content = with_row(query, &self.u[head * dim..][..dim]);
                out.copy_from_slice(&product(kernels, queries, dim, keys, N(&content), key));
                let query = with_row(query, &self.v[head * dim..][..dim]);
                let positions = T(&by_head[head * dim * count..][..dim * count]);
                let position = product(kernels, queries, dim, count, N(&query), positions);
                for (i, out) in out.chunks_exact_mut(keys).enumerate() {
                    let window = &position[i * count + queries - 1 - i..][..keys];
                    out.iter_mut().zip(window).for_each(|(out, more)| *out += more);
                }
            }
        });
        Ok(())
    }

    /// The gradients of all inputs and parameters, given the gradient of the scores. The bits are the same on any
    /// number of threads.
    ///
    /// # Errors
    /// [`Error::Shape`] for slices of other sizes.
    pub fn backward(&self, kernels: Kernels, grad: &[f32], to: &mut Gradients<'_>) -> Result<()> {
        let Scores { batch, heads, queries, keys, dim, .. } = self.scores;
        let model = self.check(grad)?;
        check_len("the query's gradient", to.query.len(), &[self.query.len()])?;
        check_len("the key's gradient", to.key.len(), &[self.key.len()])?;
        check_len("u's gradient", to.u.len(), &[self.u.len()])?;
        check_len("v's gradient", to.v.len(), &[self.v.len()])?;
        check_len("the weight's gradient", to.weight.len(), &[self.weight.len()])?;
        if grad.is_empty() {
            [&mut *to.query, to.key, to.u, to.v, to.weight].into_iter().for_each(|grad| grad.fill(0.0));
            return Ok(());
        }
        let count = self.distances();
        let lengths = [batch * queries * dim, batch * keys * dim, dim, dim, dim * model];
        let all = each_head(&self.scores, lengths.iter().sum(), |head, piece| {
            let [query_grads, key_grads, u_grad, v_grad, weight_grad] = cut(piece, lengths);
            let positions = self.positions(kernels, model, head);
            let mut position_grad = zeroed(count * dim);
            let (mut u_sums, mut v_sums) = (zeroed(dim), zeroed(dim));
            for b in 0..batch {
                let grad = &grad[(b * heads + head) * queries * keys..][..queries * keys];
                let query = self.scores.head(self.query, queries, b, head);
                let key = self.scores.head(self.key, keys, b, head);
                let content = with_row(query, &self.u[head * dim..][..dim]);
                let by_content = product(kernels, queries, keys, dim, N(grad), N(key));
                let by_key = product(kernels, keys, queries, dim, T(grad), N(&content));
                key_grads[b * keys * dim..][..keys * dim].copy_from_slice(&by_key);
                let mut shifted = zeroed(queries * count);
                for (i, grad) in grad.chunks_exact(keys).enumerate() {
                    shifted[i * count + queries - 1 - i..][..keys].copy_from_slice(grad);
                }
                let by_position = product(kernels, queries, count, dim, N(&shifted), N(&positions));
                let query = with_row(query, &self.v[head * dim..][..dim]);
                let more = product(kernels, count, queries, dim, T(&shifted), N(&query));
                position_grad.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
                let out = &mut query_grads[b * queries * dim..][..queries * dim];
                out.iter_mut().zip(by_content.iter().zip(&by_position)).for_each(|(out, (a, b))| *out = a + b);
                add_rows(&mut u_sums, &by_content);
                add_rows(&mut v_sums, &by_position);
            }
            u_grad.iter_mut().zip(u_sums).for_each(|(grad, sum)| *grad = sum as f32);
            v_grad.iter_mut().zip(v_sums).for_each(|(grad, sum)| *grad = sum as f32);
            weight_grad.copy_from_slice(&product(kernels, dim, count, model, T(&position_grad), N(self.sinusoids)));
        });
        collect_heads(&self.scores, &all, 0, queries, to.query);
        collect_heads(&self.scores, &all, lengths[0], keys, to.key);
        let per_head: usize = lengths.iter().sum();
        for (head, piece) in all.chunks_exact(per_head).enumerate() {
            let rest = &piece[lengths[0] + lengths[1]..];
            to.u[head * dim..][..dim].copy_from_slice(&rest[..dim]);
            to.v[head * dim..][..dim].copy_from_slice(&rest[dim..2 * dim]);
            to.weight[head * dim * model..][..dim * model].copy_from_slice(&rest[2 * dim..]);
        }
        Ok(())
    }
}

/// Adds each row of `x` to the sums.
fn add_rows(sums: &mut [f64], x: &[f32]) {
    for row in x.chunks_exact(sums.len()) {
        sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x));
    }
}
