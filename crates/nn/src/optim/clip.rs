//! Gradients kept small.

use tokenbed_kernels::ops::optim::real::Real;
use tokenbed_kernels::table::Kernels;
use tokenbed_threads::parallel_rows;

/// Elements whose squares are one sum: the parts of a sum are the same at any number of threads.
const PART: usize = 1 << 16;

/// The sum of the squares, in f64: parts one after the other.
pub fn sum_squares<F: Real>(kernels: &Kernels, values: &[F]) -> f64 {
    let mut sums = vec![0.0; values.len().div_ceil(PART)];
    parallel_rows(&mut sums, 1, PART * size_of::<F>(), |range, sums| {
        for (sum, part) in sums.iter_mut().zip(values.chunks(PART).skip(range.start)) {
            *sum = kernels.sum_squares(part);
        }
    });
    sums.iter().sum()
}

/// Every element times a factor, in place.
pub fn scale<F: Real>(values: &mut [F], factor: f64) {
    let factor = F::from_f64(factor);
    parallel_rows(values, 1, size_of::<F>(), |_, values| values.iter_mut().for_each(|x| *x = *x * factor));
}

/// Every element within `-limit ..= limit`, in place; NaN stays.
pub fn clamp<F: Real>(values: &mut [F], limit: f64) {
    let limit = F::from_f64(limit);
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
