//! Layer normalization of rows, and its derivative. Ba, Kiros, Hinton 2016.
//!
//! Forward has the bits of [`crate::ops::lookup::layer_norm`], so an input layer that normalizes gives the same as one
//! followed by a normalization. A missing weight counts as 1, a missing bias as 0.
//!
//! ```text
//! u[d] = ((x[d] - high) - low) * rstd                 the moments are computed again: cheaper than keeping them
//! g[d] = dy[d] * weight[d];  a = mean(g);  b = mean(g * u)                           in f64, 16 lanes, halved
//! dx[d] = rstd * (g[d] - a - u[d] * b)
//! dweight[d] += dy[d] * u[d];  dbias[d] += dy[d]                                     in f64, row by row
//! ```

use super::pass::pass;
use crate::dispatch::Kernels;
use crate::probe::{DIMS, Framed, Probe, ROWS, Results, numbers};
use crate::real::Real;
use crate::rows::total::{SUM_LANES, halved};

/// The lanes of a row's sums, as in [`crate::ops::lookup::layer_norm`].
const LANES: usize = 32;

/// Rows of `dim` elements: `out` = the normalized rows.
#[derive(Debug)]
#[allow(missing_docs, reason = "the names say it all")]
pub struct NormRows<'a, T> {
    pub dim: usize,
    pub eps: f64,
    pub weight: Option<&'a [T]>,
    pub bias: Option<&'a [T]>,
    pub x: &'a [T],
    pub out: &'a mut [T],
}

/// The gradient of the rows. Those of weight and bias are added to `sums`, `dim` elements each.
#[derive(Debug)]
#[allow(missing_docs, reason = "the names say it all")]
pub struct NormBack<'a, T> {
    pub dim: usize,
    pub eps: f64,
    pub weight: Option<&'a [T]>,
    pub x: &'a [T],
    pub grad: &'a [T],
    pub out: &'a mut [T],
    pub sums: &'a mut [f64],
}

/// The moments by which a row is normalized.
#[derive(Clone, Copy)]
struct Moments<T> {
    high: T,
    low: T,
    rstd: T,
}

impl<T: Real> Moments<T> {
    #[inline(always)]
    fn of(row: &[T], eps: f64) -> Self {
        let share = 1.0 / row.len() as f64;
        let mut sums = [T::default(); LANES];
        let (chunks, rest) = row.as_chunks::<LANES>();
        for chunk in chunks {
            for i in 0..LANES {
                sums[i] = sums[i] + chunk[i];
            }
        }
        for (sum, &x) in sums.iter_mut().zip(rest) {
            *sum = *sum + x;
        }
        let high = T::round(halved(sums).wide() * share);
        let (mut deviations, mut squares) = ([T::default(); LANES], [T::default(); LANES]);
        for chunk in chunks {
            for i in 0..LANES {
                let deviation = chunk[i] - high;
                deviations[i] = deviations[i] + deviation;
                squares[i] = deviation.fused(deviation, squares[i]);
            }
        }
        for (i, &x) in rest.iter().enumerate() {
            let deviation = x - high;
            deviations[i] = deviations[i] + deviation;
            squares[i] = deviation.fused(deviation, squares[i]);
        }
        let low = T::round(halved(deviations).wide() * share);
        let variance = halved(squares).wide() * share - low.wide() * low.wide();
        // NaN stays NaN.
        let variance = if variance < 0.0 { 0.0 } else { variance };
        Self { high, low, rstd: T::round(1.0 / (variance + eps).sqrt()) }
    }

    #[inline(always)]
    fn unit(self, x: T) -> T {
        ((x - self.high) - self.low) * self.rstd
    }
}

pass!(
    /// Normalizes rows.
    norm_rows: NormRows, norm_rows
);

#[inline(always)]
fn norm_rows<T: Real>(NormRows { dim, eps, weight, bias, x, out }: NormRows<'_, T>) {
    for (row, out) in x.chunks_exact(dim).zip(out.chunks_exact_mut(dim)) {
        let moments = Moments::of(row, eps);
        match (weight, bias) {
            (Some(weight), Some(bias)) => {
                for (((out, &x), &weight), &bias) in out.iter_mut().zip(row).zip(weight).zip(bias) {
                    *out = moments.unit(x).fused(weight, bias);
                }
            }
            (Some(weight), None) => {
                for ((out, &x), &weight) in out.iter_mut().zip(row).zip(weight) {
                    *out = moments.unit(x) * weight;
                }
            }
            (None, Some(bias)) => {
                for ((out, &x), &bias) in out.iter_mut().zip(row).zip(bias) {
                    *out = moments.unit(x) + bias;
                }
            }
            (None, None) => {
                for (out, &x) in out.iter_mut().zip(row) {
                    *out = moments.unit(x);
                }
            }
        }
    }
}

/// The factor of a gradient before it goes through the normalization. It is a trait because closures do not inherit the
/// instruction set.
trait Weighted<T>: Copy {
    /// The part `from .. from + length`.
    fn part(self, from: usize, length: usize) -> Self;
    fn times(self, grad: T, d: usize) -> f64;
}

impl<T: Real> Weighted<T> for &[T] {
    #[inline(always)]
    fn part(self, from: usize, length: usize) -> Self {
        &self[from..from + length]
    }
    #[inline(always)]
    fn times(self, grad: T, d: usize) -> f64 {
        grad.wide() * self[d].wide()
    }
}

impl<T: Real> Weighted<T> for () {
    #[inline(always)]
    fn part(self, _from: usize, _length: usize) -> Self {}
    #[inline(always)]
    fn times(self, grad: T, _d: usize) -> f64 {
        grad.wide()
    }
}

pass!(
    /// The backward pass of the normalization.
    norm_back: NormBack, norm_back
);

#[inline(always)]
fn norm_back<T: Real>(op: NormBack<'_, T>) {
    let NormBack { dim, eps, weight, x, grad, out, sums } = op;
    let (weights, biases) = sums.split_at_mut(dim);
    for ((row, grad), out) in x.chunks_exact(dim).zip(grad.chunks_exact(dim)).zip(out.chunks_exact_mut(dim)) {
        match weight {
            Some(weight) => row_back(eps, weight, row, grad, out, weights, biases),
            None => row_back(eps, (), row, grad, out, weights, biases),
        }
    }
}

#[inline(always)]
fn row_back<T: Real, W: Weighted<T>>(
    eps: f64,
    weight: W,
    row: &[T],
    grad: &[T],
    out: &mut [T],
    weights: &mut [f64],
    biases: &mut [f64],
) {
    let moments = Moments::of(row, eps);
    let (a, b) = means(moments, row, grad, weight);
    let rstd = moments.rstd.wide();
    let dim = row.len();
    let (weight, grad, out) = (weight.part(0, dim), &grad[..dim], &mut out[..dim]);
    let (weights, biases) = (&mut weights[..dim], &mut biases[..dim]);
    for d in 0..dim {
        let unit = moments.unit(row[d]).wide();
        let dy = grad[d].wide();
        out[d] = T::round(rstd * ((weight.times(grad[d], d) - a) - unit * b));
        weights[d] += dy * unit;
        biases[d] += dy;
    }
}

/// The mean of `grad * weight`, and the mean of the same times the normalized row.
#[inline(always)]
fn means<T: Real, W: Weighted<T>>(moments: Moments<T>, row: &[T], grad: &[T], weight: W) -> (f64, f64) {
    let share = 1.0 / row.len() as f64;
    let (mut a, mut b) = ([0.0; SUM_LANES], [0.0; SUM_LANES]);
    let whole = row.len() - row.len() % SUM_LANES;
    let mut at = 0;
    while at < whole {
        let (row, grad) = (&row[at..at + SUM_LANES], &grad[at..at + SUM_LANES]);
        let weight = weight.part(at, SUM_LANES);
        for i in 0..SUM_LANES {
            let g = weight.times(grad[i], i);
            a[i] += g;
            b[i] += g * moments.unit(row[i]).wide();
        }
        at += SUM_LANES;
    }
    for d in whole..row.len() {
        let g = weight.times(grad[d], d);
        a[d - whole] += g;
        b[d - whole] += g * moments.unit(row[d]).wide();
    }
    (halved(a) * share, halved(b) * share)
}

pub(crate) const NORM_ROWS: Probe = Probe { name: "norm_rows", line: "passes", sizes: &DIMS, run: probe_norm_rows };

pub(crate) const NORM_BACK: Probe = Probe { name: "norm_back", line: "gradients", sizes: &DIMS, run: probe_norm_back };

fn probe_norm_rows(kernels: Kernels, dim: usize, results: &mut Results) {
    let [x, y] = [113, 127].map(|seed| numbers(ROWS * dim, seed));
    let (weight, bias) = (Some(&y[..dim]), Some(&x[..dim]));
    let mut out = Framed::room(x.len());
    kernels.norm_rows(NormRows { dim, eps: 1e-5, weight, bias, x: &x, out: &mut out });
    results.take(&out);
}

fn probe_norm_back(kernels: Kernels, dim: usize, results: &mut Results) {
    let [x, grad] = [131, 137].map(|seed| numbers(ROWS * dim, seed));
    let (mut out, mut sums) = (Framed::room(x.len()), Framed::new(&vec![0.0; 2 * dim]));
    let weight = Some(&grad[..dim]);
    kernels.norm_back(NormBack { dim, eps: 1e-5, weight, x: &x, grad: &grad, out: &mut out, sums: &mut sums });
    results.take(&out);
    results.take(&sums);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::lookup::layer_norm::{RawNorm, reference};

    /// Irregular numbers far from zero.
    fn numbers(n: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * 7919 + 13) % 1009) as f32 / 97.0 + 100.0).collect()
    }

    #[test]
    fn forward_has_the_bits_of_the_input_layers_normalization() {
        for dim in [1, 2, 31, 32, 33, 63, 64, 85, 163, 768] {
            let (x, weight, bias) = (numbers(3 * dim), numbers(dim), numbers(dim));
            let mut wanted = x.clone();
            let (weight_at, bias_at, share) = (weight.as_ptr(), bias.as_ptr(), 1.0 / dim as f64);
            let norm = RawNorm { weight: weight_at, bias: bias_at, share, eps: 1e-5 };
            for row in wanted.chunks_exact_mut(dim) {
                // SAFETY: rows of `dim` elements, as the parameters are.
                unsafe { reference(norm, row.as_mut_ptr(), dim) };
            }
            let mut out = vec![0.0; x.len()];
            let (weight, bias) = (Some(&weight[..]), Some(&bias[..]));
            norm_rows(NormRows { dim, eps: 1e-5, weight, bias, x: &x, out: &mut out });
            assert!(out.iter().zip(&wanted).all(|(a, b)| a.to_bits() == b.to_bits()), "{dim}");
        }
    }
}
