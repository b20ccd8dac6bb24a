//! Sum and mean along one dimension.

use super::{Around, Number};
use crate::Result;
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_memory::filled;
use tokenbed_threads::parallel_rows;

/// The operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduce {
    /// The sum. Floats are summed in f64 and rounded once. A contiguous row of f32 is summed in 16 lanes, everything
    /// else in order.
    Sum,
    /// The sum divided by the count, rounded once. The mean of no elements is NaN.
    Mean,
}

impl Reduce {
    /// All operations.
    pub const ALL: [Reduce; 2] = [Reduce::Sum, Reduce::Mean];
}

/// Number of elements in a span. The spans of a long row are summed separately, so that threads can share it.
const SPAN: usize = 1 << 15;
/// Number of columns that are summed side by side. Their sums stay in the first-level cache.
const COLUMNS: usize = 64;

/// `out` (outer, inner) = `x` (outer, n, inner) reduced along n.
///
/// # Errors
/// [`crate::Error::Shape`] if the sizes of the buffers do not match.
pub fn reduce<T: Number>(kernels: Kernels, op: Reduce, around: Around, x: &[T], out: &mut [T]) -> Result<()> {
    around.check(x.len(), out.len(), 1)?;
    if out.is_empty() {
        // If one size is zero, the others may be huge: do not allocate or loop over them.
        return Ok(());
    }
    let Around { outer, n, inner } = around;
    let end = |sum: T::Wide| match op {
        Reduce::Sum => T::total(sum),
        Reduce::Mean => T::average(sum, n),
    };
    if inner == 1 && outer == 1 {
        out[0] = end(sum_of(kernels, x));
    } else if inner == 1 {
        parallel_rows(out, 1, n * size_of::<T>(), |rows, out| {
            for (row, out) in rows.zip(out) {
                *out = end(spans(kernels, &x[row * n..(row + 1) * n]));
            }
        });
    } else {
        parallel_rows(out, 1, n * size_of::<T>(), |places, mut out| {
            let mut at = places.start;
            while !out.is_empty() {
                let (o, i) = (at / inner, at % inner);
                let width = COLUMNS.min(inner - i).min(out.len());
                let (part, rest) = out.split_at_mut(width);
                let mut sums = [T::Wide::default(); COLUMNS];
                for k in 0..n {
                    let row = &x[(o * n + k) * inner + i..][..width];
                    sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum = T::collect(*sum, x));
                }
                part.iter_mut().zip(sums).for_each(|(out, sum)| *out = end(sum));
                (at, out) = (at + width, rest);
            }
        });
    }
    Ok(())
}

/// The sum of all elements, span by span.
fn spans<T: Number>(kernels: Kernels, x: &[T]) -> T::Wide {
    x.chunks(SPAN).map(|part| T::sum(kernels, part)).fold(T::Wide::default(), T::both)
}

/// The same sum, on as many threads as it is worth.
fn sum_of<T: Number>(kernels: Kernels, x: &[T]) -> T::Wide {
    let mut sums = filled(T::Wide::default(), x.len().div_ceil(SPAN));
    parallel_rows(&mut sums, 1, SPAN * size_of::<T>(), |spans, sums| {
        for (span, sum) in spans.zip(sums) {
            *sum = T::sum(kernels, &x[span * SPAN..x.len().min((span + 1) * SPAN)]);
        }
    });
    sums.into_iter().fold(T::Wide::default(), T::both)
}
