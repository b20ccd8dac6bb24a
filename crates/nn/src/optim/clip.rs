//! Gradients kept small.

use crate::row_grad::{GradRows, Hot, for_each_share, shares};
use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::real::Real;
use tokenbed_memory::{Gather, zeroed};
use tokenbed_threads::parallel_rows;

/// Elements of what has no rows whose squares are one sum.
const PART: usize = 1 << 16;

/// The sum of the squares, in f64: each row's, then these one after the other. Rows of zeros change nothing, so that a
/// gradient in rows has the same sum as the dense one; the bits are the same at any number of threads. `dim` is the
/// length of a row; 0 where there are no rows.
///
/// # Errors
/// [`Error::Shape`] where values are not whole rows.
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

/// As [`sum_squares`], of rows that are summed as they are read.
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
        let mut scratch = zeroed(grad.dim());
        for (i, sum) in share.rows.clone().zip(sums) {
            *sum = kernels.sum_squares(grad.row(i, 0..grad.dim(), &mut scratch));
        }
    });
    sums.iter().sum()
}

/// Every element times a factor, in place.
pub fn scale<F: Real>(values: &mut [F], factor: f64) {
    let factor = F::round(factor);
    parallel_rows(values, 1, size_of::<F>(), |_, values| values.iter_mut().for_each(|x| *x = *x * factor));
}

/// Every element within `-limit ..= limit`, in place; NaN stays.
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
