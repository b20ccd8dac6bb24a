//! Softmax and log-softmax along one dimension, and their gradients.

use super::Around;
use crate::Result;
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::ops::elements::along::{Softmax, SoftmaxBack};
use tokenbed_kernels::real::Real;
use tokenbed_memory::filled;
use tokenbed_threads::parallel_rows;

/// Cost of an element, as the number of bytes of memory that could be moved in that time.
pub(super) fn bytes<T>() -> usize {
    8 * size_of::<T>()
}

/// `out` = softmax of `x` (outer, n, inner) along n, or its logarithm: `exp(x - max) / sum(exp(x - max))`, as
/// `torch.softmax` and `torch.log_softmax`.
///
/// # Errors
/// [`crate::Error::Shape`] if the sizes of the buffers do not match.
pub fn softmax<T: Real>(kernels: Kernels, log: bool, around: Around, x: &[T], out: &mut [T]) -> Result<()> {
    around.check(x.len(), out.len(), around.n)?;
    in_rows(around, [x], out, |n, [x], out| kernels.softmax(Softmax { log, n, x, out }));
    Ok(())
}

/// The gradient of [`softmax`]'s operand, from its result `y` and the result's gradient.
///
/// # Errors
/// [`crate::Error::Shape`] if the sizes of the buffers do not match.
pub fn softmax_back<T: Real>(
    kernels: Kernels,
    log: bool,
    around: Around,
    y: &[T],
    grad: &[T],
    out: &mut [T],
) -> Result<()> {
    around.check(y.len(), out.len(), around.n)?;
    around.check(grad.len(), out.len(), around.n)?;
    in_rows(around, [y, grad], out, |n, [y, grad], out| {
        kernels.softmax_back(SoftmaxBack { log, n, y, grad, out });
    });
    Ok(())
}

/// Calls `run(n, inputs, out)` for whole rows along n, on as many threads as they are worth. If `inner` is not 1,
/// columns are copied into rows and back.
fn in_rows<T: Real, const N: usize>(
    Around { n, inner, .. }: Around,
    inputs: [&[T]; N],
    out: &mut [T],
    run: impl Fn(usize, [&[T]; N], &mut [T]) + Sync,
) {
    if out.is_empty() {
        return;
    }
    if inner == 1 {
        return parallel_rows(out, n, n * bytes::<T>(), |rows, out| {
            run(n, inputs.map(|x| &x[rows.start * n..rows.end * n]), out);
        });
    }
    let block = n * inner;
    parallel_rows(out, block, block * bytes::<T>(), |blocks, out| {
        let mut rows = [(); N].map(|()| filled(T::default(), n));
        let mut row = filled(T::default(), n);
        for (o, out) in blocks.zip(out.chunks_exact_mut(block)) {
            for i in 0..inner {
                for (rows, x) in rows.iter_mut().zip(inputs) {
                    let column = x[o * block + i..].iter().step_by(inner);
                    rows.iter_mut().zip(column).for_each(|(to, &from)| *to = from);
                }
                run(n, rows.each_ref().map(|row| &row[..]), &mut row);
                out[i..].iter_mut().step_by(inner).zip(&row).for_each(|(to, &from)| *to = from);
            }
        }
    });
}
