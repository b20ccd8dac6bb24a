//! Along one dimension: sum, mean, softmax.

use super::{Around, Number};
use crate::Result;

/// The op.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduce {
    /// The sum; floats are summed in f64, in order, and rounded once.
    Sum,
    /// The sum divided by the count, rounded once; NaN over nothing.
    Mean,
}

impl Reduce {
    /// All, in the order of their codes.
    pub const ALL: [Reduce; 2] = [Reduce::Sum, Reduce::Mean];
}

/// `out` (outer, inner) = `x` (outer, n, inner) reduced along n.
///
/// # Errors
/// [`crate::Error::Shape`] where the buffers are of other sizes.
pub fn reduce<T: Number>(op: Reduce, around: Around, x: &[T], out: &mut [T]) -> Result<()> {
    around.check(x.len(), out.len(), 1)?;
    if out.is_empty() {
        // The sizes beside a zero may be anything: neither room nor loops for them.
        return Ok(());
    }
    let Around { n, inner, .. } = around;
    let mut sums = vec![T::Wide::default(); inner];
    for (o, out) in out.chunks_exact_mut(inner.max(1)).enumerate() {
        sums.fill(T::Wide::default());
        for row in x[o * n * inner..(o + 1) * n * inner].chunks_exact(inner.max(1)) {
            sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum = T::collect(*sum, x));
        }
        out.iter_mut().zip(&sums).for_each(|(out, &sum)| {
            *out = match op {
                Reduce::Sum => T::total(sum),
                Reduce::Mean => T::average(sum, n),
            }
        });
    }
    Ok(())
}

/// `out` = softmax of `x` (outer, n, inner) along n, or its logarithm: `exp(x - max) / sum(exp(x - max))`, in f64 and
/// rounded once. `torch.softmax`, `torch.log_softmax`.
///
/// # Errors
/// [`crate::Error::Shape`] where the buffers are of other sizes.
pub fn softmax<T: Copy + Into<f64>>(
    log: bool,
    around: Around,
    x: &[T],
    out: &mut [T],
    round: impl Fn(f64) -> T,
) -> Result<()> {
    around.check(x.len(), out.len(), around.n)?;
    if out.is_empty() {
        return Ok(());
    }
    let Around { outer, n, inner } = around;
    for o in 0..outer {
        for i in 0..inner {
            let at = |k: usize| (o * n + k) * inner + i;
            // A NaN anywhere makes all NaN: `max` must keep it.
            let max = (0..n)
                .map(|k| x[at(k)].into())
                .fold(f64::NEG_INFINITY, |max, x| if x > max || x.is_nan() { x } else { max });
            let sum: f64 = (0..n).map(|k| libm::exp(x[at(k)].into() - max)).sum();
            let log_sum = libm::log(sum);
            for k in 0..n {
                let shifted = x[at(k)].into() - max;
                out[at(k)] = round(if log { shifted - log_sum } else { libm::exp(shifted) / sum });
            }
        }
    }
    Ok(())
}
