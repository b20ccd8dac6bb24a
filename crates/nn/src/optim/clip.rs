//! Gradient clipping.

use crate::row_grad::{GradRows, Hot, ScratchRow, for_each_share, shares};
use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::real::Real;
use tokenbed_memory::{Gather, zeroed};
use tokenbed_threads::parallel_rows;

/// The number of elements whose squares form one partial sum, if the values are not in rows.
const PART: usize = 1 << 16;

/// The sum of squares, in f64: first within each row, then over the rows in order. Rows of zeros change nothing, so a
/// gradient in rows has the same sum as the dense one. The bits are the same on any number of threads. `dim` is the
/// length of a row, or 0 if there are no rows.
///
/// # Errors
/// [`Error::Shape`] if the values are not whole rows.
pub fn sum_squares<F: Real>(kernels: Kernels, values: &[F], dim: usize) -> Result<f64> {
    if dim > 0 && !values.len().is_multiple_of(dim) {
        return Err(Error::Shape(format!("{} elements are not rows of {dim}", values.len())));
    }
    let part = if dim == 0 { PART } else { dim };
    let mut sums = zeroed(values.len().div_ceil(part));
    parallel_rows(&mut sums, 1, part * size_of::<F>(), |range, sums| {
        for (sum, part) in sums.iter_mut().zip(values.chunks(part).skip(range.start)) {
            *sum = kernels.sum_squares(part);
        }
    });
    Ok(sums.iter().sum())
}

/// The sum of the powers `p` of all magnitudes, in f64; the largest magnitude if `p` is infinite, and NaN if one is
/// NaN. Parts of one size are summed in order, so the bits are the same on any number of threads.
pub fn sum_powers<F: Real>(values: &[F], p: f64) -> f64 {
    let power = |sum: f64, x: &F| {
        let x = x.wide().abs();
        match p {
            f64::INFINITY => larger(sum, x),
            1.0 => sum + x,
            2.0 => sum + x * x,
            p => sum + libm::pow(x, p),
        }
    };
    let mut sums = zeroed(values.len().div_ceil(PART));
    parallel_rows(&mut sums, 1, 4 * PART * size_of::<F>(), |range, sums| {
        for (sum, part) in sums.iter_mut().zip(values.chunks(PART).skip(range.start)) {
            *sum = part.iter().fold(0.0, power);
        }
    });
    sums.iter().fold(0.0, |all, &sum| if p == f64::INFINITY { larger(all, sum) } else { all + sum })
}

/// The larger one; NaN if either is NaN.
fn larger(a: f64, b: f64) -> f64 {
    if a > b || a.is_nan() { a } else { b }
}

/// Does the same as [`sum_squares`], for rows that are summed as they are read.
pub fn sum_squares_of_rows<G: GradRows + ?Sized>(kernels: Kernels, grad: &G) -> f64 {
    let mut sums = zeroed(grad.ids().len());
    let shares = shares(grad, Hot::Whole);
    let occurrences: usize = (0..sums.len()).map(|i| grad.occurrences(i)).sum();
    let mut rest = &mut sums[..];
    let parts = shares.iter().map(|share| {
        let (part, after) = std::mem::take(&mut rest).split_at_mut(share.rows.len());
        rest = after;
        part
    });
    for_each_share(&shares, parts.into_list(), occurrences * grad.dim() * size_of::<f32>(), |share, sums| {
        let mut scratch = ScratchRow::new(grad.dim());
        for (i, sum) in share.rows.clone().zip(sums) {
            *sum = kernels.sum_squares(grad.row(i, 0..grad.dim(), scratch.row()));
        }
    });
    sums.iter().sum()
}

/// Multiplies every element by a factor, in place.
pub fn scale<F: Real>(values: &mut [F], factor: f64) {
    let factor = F::round(factor);
    parallel_rows(values, 1, size_of::<F>(), |_, values| values.iter_mut().for_each(|x| *x = *x * factor));
}

/// Clamps every element to `-limit ..= limit`, in place; NaN stays.
pub fn clamp<F: Real>(values: &mut [F], limit: f64) {
    let limit = F::round(limit);
    let clamped = |x: F| {
        if x > limit {
            limit
        } else if x < -limit {
            -limit
        } else {
            x
        }
    };
    parallel_rows(values, 1, size_of::<F>(), |_, values| values.iter_mut().for_each(|x| *x = clamped(*x)));
}
