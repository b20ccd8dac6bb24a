//! Functions of one operand, element by element, and their gradients.

use crate::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
pub use tokenbed_kernels::ops::elements::pointwise::Function as Unary;
use tokenbed_kernels::ops::elements::pointwise::{Dropout, Unary as Forward, UnaryBack};
pub use tokenbed_kernels::real::Real;
use tokenbed_threads::parallel_rows;

/// Cost of an element, as the number of bytes of memory that could be moved in that time.
fn bytes<T>(op: Unary) -> usize {
    let times = if matches!(op, Unary::Relu | Unary::Sqrt | Unary::Abs) { 2 } else { 10 };
    times * size_of::<T>()
}

fn same(sizes: &[usize]) -> Result<()> {
    if sizes.windows(2).all(|pair| pair[0] == pair[1]) {
        return Ok(());
    }
    Err(Error::Shape(format!("buffers of {sizes:?} elements must have equal sizes")))
}

/// `out = op(x)`, computed in f64 and rounded once.
///
/// # Errors
/// [`Error::Shape`] if the buffers differ in size.
pub fn unary<T: Real>(kernels: Kernels, function: Unary, x: &[T], out: &mut [T]) -> Result<()> {
    same(&[x.len(), out.len()])?;
    parallel_rows(out, 1, bytes::<T>(function), |part, out| {
        kernels.unary(Forward { function, x: &x[part], out });
    });
    Ok(())
}

/// `out = grad * op'`. `saved` is the operand of gelu, the logarithms, the absolute value and log-sigmoid, and the
/// result of every other function.
///
/// # Errors
/// [`Error::Shape`] if the buffers differ in size.
pub fn unary_back<T: Real>(kernels: Kernels, function: Unary, saved: &[T], grad: &[T], out: &mut [T]) -> Result<()> {
    same(&[saved.len(), grad.len(), out.len()])?;
    parallel_rows(out, 1, bytes::<T>(function), |part, out| {
        let (saved, grad) = (&saved[part.clone()], &grad[part]);
        kernels.unary_back(UnaryBack { function, saved, grad, out });
    });
    Ok(())
}

/// Number of elements for a byte of the mask.
const MASK: usize = 8;

/// `out = x * scale` where a bit of `kept` is set, else `x * 0`.
///
/// # Errors
/// [`Error::Shape`] if the buffers differ in size, or `kept` has too few bits.
pub fn dropout<T: Real>(kernels: Kernels, scale: f64, kept: &[u8], x: &[T], out: &mut [T]) -> Result<()> {
    same(&[x.len(), out.len()])?;
    same(&[x.len().div_ceil(MASK), kept.len()])?;
    let scale = T::round(scale);
    let whole = x.len() - x.len() % MASK;
    let (head, tail) = out.split_at_mut(whole);
    parallel_rows(head, MASK, 2 * MASK * size_of::<T>(), |bytes, out| {
        let x = &x[bytes.start * MASK..bytes.end * MASK];
        kernels.dropout(Dropout { scale, kept: &kept[bytes], x, out });
    });
    let rest = Dropout { scale, kept: &kept[whole / MASK..], x: &x[whole..], out: tail };
    kernels.dropout(rest);
    Ok(())
}
