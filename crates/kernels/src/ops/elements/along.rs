//! Along rows: softmax, its logarithm, cross-entropy, and their derivatives.
//!
//! ```text
//! max = the largest of x[0 .. n];  sum = sum(exp(x[i] - max)), in f64, in 16 lanes that are then halved
//! softmax:     y[i] = exp(x[i] - max) * (1 / sum)        computed twice: a result that waits rounded would round again
//! log softmax: y[i] = (x[i] - max) - ln(sum)
//! softmax:     dx[i] = y[i] * (dy[i] - sum(y * dy))
//! log softmax: dx[i] = dy[i] - exp(y[i]) * sum(dy)
//! cross-entropy of a row: ln(sum) + max - x[target];  dx[i] = (exp(x[i] - (max + ln(sum))) - (i == target)) * scale
//! ```
//!
//! Everything is computed in f64 and rounded once. A NaN makes its whole row NaN, as in PyTorch.

use super::pass::pass;
use crate::dispatch::Kernels;
use crate::probe::{DIMS, Framed, Probe, ROWS, Results, numbers};
use crate::real::Real;
use crate::rows::total::{SUM_LANES, halved};

/// Rows of `n` elements: `out` = their softmax, or its logarithm.
#[derive(Debug)]
#[allow(missing_docs, reason = "the names say it all")]
pub struct Softmax<'a, T> {
    pub log: bool,
    pub n: usize,
    pub x: &'a [T],
    pub out: &'a mut [T],
}

/// The gradient of [`Softmax`], from its result `y` and the result's gradient.
#[derive(Debug)]
#[allow(missing_docs, reason = "the names say it all")]
pub struct SoftmaxBack<'a, T> {
    pub log: bool,
    pub n: usize,
    pub y: &'a [T],
    pub grad: &'a [T],
    pub out: &'a mut [T],
}

/// The target of rows that do not count.
pub const IGNORED: u32 = u32::MAX;

/// What [`Entropy`] computes for a row: the logarithm of the sum of the exponentials, and the same minus the target's
/// logit. Both are 0 if the row is ignored.
pub type RowEntropy = [f64; 2];

/// Rows of `n` logits, each with the index of its target or [`IGNORED`]. `out` has one element for each row.
#[derive(Debug)]
#[allow(missing_docs, reason = "the names say it all")]
pub struct Entropy<'a, T> {
    pub n: usize,
    pub logits: &'a [T],
    pub targets: &'a [u32],
    pub out: &'a mut [RowEntropy],
}

/// The gradient of the logits, with a `scale` for each row, or one for all.
#[derive(Debug)]
#[allow(missing_docs, reason = "the names say it all")]
pub struct EntropyBack<'a, T> {
    pub n: usize,
    pub logits: &'a [T],
    pub targets: &'a [u32],
    pub rows: &'a [RowEntropy],
    pub scale: Scale<'a, T>,
    pub out: &'a mut [T],
}

/// The factor of a row's gradient.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the names say it all")]
pub enum Scale<'a, T> {
    One(f64),
    Each(&'a [T]),
}

/// The largest element. It may miss a NaN, but the sum keeps it.
#[inline(always)]
fn largest<T: Real>(row: &[T]) -> f64 {
    let mut lanes = [row[0]; SUM_LANES];
    let (chunks, rest) = row.as_chunks::<SUM_LANES>();
    for chunk in chunks {
        for i in 0..SUM_LANES {
            lanes[i] = if chunk[i] > lanes[i] { chunk[i] } else { lanes[i] };
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane = if x > *lane { x } else { *lane };
    }
    let mut max = lanes[0];
    for lane in lanes {
        max = if lane > max { lane } else { max };
    }
    max.wide()
}

/// The sum of `exp(x - max)`.
#[inline(always)]
fn sum_of_exp<T: Real>(row: &[T], max: f64) -> f64 {
    let mut lanes = [0.0; SUM_LANES];
    let (chunks, rest) = row.as_chunks::<SUM_LANES>();
    for chunk in chunks {
        for i in 0..SUM_LANES {
            lanes[i] += T::exp(chunk[i].wide() - max);
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane += T::exp(x.wide() - max);
    }
    halved(lanes)
}

pass!(
    /// The softmax of rows, or its logarithm.
    softmax: Softmax, softmax
);

#[inline(always)]
fn softmax<T: Real>(Softmax { log, n, x, out }: Softmax<'_, T>) {
    for (x, out) in x.chunks_exact(n).zip(out.chunks_exact_mut(n)) {
        let max = largest(x);
        let sum = sum_of_exp(x, max);
        if log {
            let log_sum = libm::log(sum);
            for (out, x) in out.iter_mut().zip(x) {
                *out = T::round((x.wide() - max) - log_sum);
            }
        } else {
            let share = 1.0 / sum;
            for (out, x) in out.iter_mut().zip(x) {
                *out = T::round(T::exp(x.wide() - max) * share);
            }
        }
    }
}

/// The sums of `a`, and of `a * b`.
#[inline(always)]
fn sum_and_product<T: Real>(a: &[T], b: &[T]) -> (f64, f64) {
    let (mut sums, mut products) = ([0.0; SUM_LANES], [0.0; SUM_LANES]);
    let ((a_chunks, a_rest), (b_chunks, b_rest)) = (a.as_chunks::<SUM_LANES>(), b.as_chunks::<SUM_LANES>());
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for i in 0..SUM_LANES {
            sums[i] += a[i].wide();
            products[i] += a[i].wide() * b[i].wide();
        }
    }
    for (i, (a, b)) in a_rest.iter().zip(b_rest).enumerate() {
        sums[i] += a.wide();
        products[i] += a.wide() * b.wide();
    }
    (halved(sums), halved(products))
}

pass!(
    /// The backward pass of softmax.
    softmax_back: SoftmaxBack, softmax_back
);

#[inline(always)]
fn softmax_back<T: Real>(SoftmaxBack { log, n, y, grad, out }: SoftmaxBack<'_, T>) {
    for ((y, grad), out) in y.chunks_exact(n).zip(grad.chunks_exact(n)).zip(out.chunks_exact_mut(n)) {
        let (sum, product) = sum_and_product(grad, y);
        if log {
            for ((out, y), grad) in out.iter_mut().zip(y).zip(grad) {
                *out = T::round(grad.wide() - T::exp(y.wide()) * sum);
            }
        } else {
            for ((out, y), grad) in out.iter_mut().zip(y).zip(grad) {
                *out = T::round(y.wide() * (grad.wide() - product));
            }
        }
    }
}

pass!(
    /// The cross-entropy of rows of logits.
    entropy: Entropy, entropy
);

#[inline(always)]
fn entropy<T: Real>(Entropy { n, logits, targets, out }: Entropy<'_, T>) {
    for ((row, &target), out) in logits.chunks_exact(n).zip(targets).zip(out) {
        if target == IGNORED {
            *out = RowEntropy::default();
            continue;
        }
        let max = largest(row);
        let log = libm::log(sum_of_exp(row, max));
        *out = [max + log, (max - row[target as usize].wide()) + log];
    }
}

pass!(
    /// The backward pass of cross-entropy.
    entropy_back: EntropyBack, entropy_back
);

#[inline(always)]
fn entropy_back<T: Real>(EntropyBack { n, logits, targets, rows, scale, out }: EntropyBack<'_, T>) {
    let rows = logits.chunks_exact(n).zip(targets).zip(rows);
    for (i, (((row, &target), &[log_sum, _]), out)) in rows.zip(out.chunks_exact_mut(n)).enumerate() {
        if target == IGNORED {
            out.fill(T::default());
            continue;
        }
        let scale = match scale {
            Scale::One(scale) => scale,
            Scale::Each(scales) => scales[i].wide(),
        };
        for (out, x) in out.iter_mut().zip(row) {
            *out = T::round(T::exp(x.wide() - log_sum) * scale);
        }
        let at = target as usize;
        out[at] = T::round((T::exp(row[at].wide() - log_sum) - 1.0) * scale);
    }
}

pub(crate) const SOFTMAX: Probe = Probe { name: "softmax", line: "softmax", sizes: &DIMS, run: probe_softmax };

pub(crate) const SOFTMAX_BACK: Probe =
    Probe { name: "softmax_back", line: "gradients", sizes: &DIMS, run: probe_softmax_back };

/// The forward and the backward pass.
pub(crate) const ENTROPY: Probe = Probe { name: "entropy", line: "gradients", sizes: &DIMS, run: probe_entropy };

fn probe_softmax(kernels: Kernels, n: usize, results: &mut Results) {
    let x = numbers(ROWS * n, 83);
    for log in [false, true] {
        let mut out = Framed::room(x.len());
        kernels.softmax(Softmax { log, n, x: &x, out: &mut out });
        results.take(&out);
    }
}

fn probe_softmax_back(kernels: Kernels, n: usize, results: &mut Results) {
    let [y, grad] = [131, 137].map(|seed| numbers(ROWS * n, seed));
    for log in [false, true] {
        let mut out = Framed::room(y.len());
        kernels.softmax_back(SoftmaxBack { log, n, y: &y, grad: &grad, out: &mut out });
        results.take(&out);
    }
}

fn probe_entropy(kernels: Kernels, n: usize, results: &mut Results) {
    let logits = numbers(ROWS * n, 131);
    let targets: Vec<u32> = (0..ROWS).map(|i| if i % 5 == 3 { IGNORED } else { (i % n) as u32 }).collect();
    let mut rows = [[0.0; 2]; ROWS];
    kernels.entropy(Entropy { n, logits: &logits, targets: &targets, out: &mut rows });
    results.put(rows.as_flattened());
    let mut out = Framed::room(logits.len());
    let scale = Scale::One(0.7);
    kernels.entropy_back(EntropyBack { n, logits: &logits, targets: &targets, rows: &rows, scale, out: &mut out });
    results.take(&out);
}
