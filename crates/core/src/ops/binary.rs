//! Arithmetic of two operands, with broadcasting.

use super::Number;
use super::copy::{Layout, Runs, joined};
use crate::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
pub use tokenbed_kernels::ops::elements::pointwise::Arithmetic as Binary;
use tokenbed_kernels::ops::elements::pointwise::Side;
use tokenbed_threads::parallel_rows;

/// An operand: its elements and their layout under the result's shape, with stride 0 along dimensions in which they
/// repeat.
pub type Operand<'a, T> = (&'a [T], Layout<'a>);

/// Number of elements in a part of a run, when a result of one run is divided among threads.
const PART: usize = 1 << 13;

/// `out` (dense, of `shape`) = `a` op `b`, element by element.
///
/// # Errors
/// [`Error::Shape`] if an operand's layout leaves its buffer or `out` has another size.
pub fn binary<T: Number>(
    kernels: Kernels,
    op: Binary,
    shape: &[usize],
    (a, a_at): Operand<'_, T>,
    (b, b_at): Operand<'_, T>,
    out: &mut [T],
) -> Result<()> {
    a_at.check(shape, a.len())?;
    b_at.check(shape, b.len())?;
    if shape.iter().try_fold(1usize, |size, &n| size.checked_mul(n)) != Some(out.len()) {
        return Err(Error::Shape(format!("a result of shape {shape:?} does not fill {} elements", out.len())));
    }
    if out.is_empty() {
        return Ok(());
    }
    let (shape, strides) = joined(shape, [a_at, b_at]);
    let n = shape.last().copied().unwrap_or(1);
    let [p, q] = strides.each_ref().map(|strides| strides.last().copied().unwrap_or(1));
    // Threads divide whole runs. If there is only one long run, they divide its elements.
    let alone = n == out.len();
    let row = if alone && n > PART { 1 } else { n };
    let layouts = [(a_at.offset, &strides[0][..]), (b_at.offset, &strides[1][..])];
    let layouts = layouts.map(|(offset, strides)| Layout { offset, strides });
    parallel_rows(out, row, row * 2 * size_of::<T>(), |rows, out| {
        if row < n {
            let (i, j) = (a_at.offset + rows.start * p, b_at.offset + rows.start * q);
            return run(kernels, op, (a, i, p), (b, j, q), out);
        }
        let runs = Runs::new(&shape, layouts, rows.start);
        for (out, [i, j]) in out.chunks_exact_mut(n).zip(runs) {
            run(kernels, op, (a, i, p), (b, j, q), out);
        }
    });
    Ok(())
}

/// `out` = `a` op `b`, element by element, where all three have the same shape.
///
/// # Errors
/// [`Error::Shape`] if they differ in size.
pub fn binary_dense<T: Number>(kernels: Kernels, op: Binary, a: &[T], b: &[T], out: &mut [T]) -> Result<()> {
    if a.len() != out.len() || b.len() != out.len() {
        let sizes = (a.len(), b.len(), out.len());
        return Err(Error::Shape(format!(
            "operands and result have {sizes:?} elements: they must have the same number"
        )));
    }
    parallel_rows(out, 1, 2 * size_of::<T>(), |rows, out| {
        run(kernels, op, (a, rows.start, 1), (b, rows.start, 1), out);
    });
    Ok(())
}

/// Computes one run. The operands start at elements `i` and `j` and have steps of `p` and `q`.
#[inline(always)]
fn run<T: Number>(
    kernels: Kernels,
    op: Binary,
    (a, i, p): (&[T], usize, usize),
    (b, j, q): (&[T], usize, usize),
    out: &mut [T],
) {
    let n = out.len();
    match (p, q) {
        (1, 1) => T::arithmetic(kernels, op, Side::Each(&a[i..i + n]), Side::Each(&b[j..j + n]), out),
        (1, 0) => T::arithmetic(kernels, op, Side::Each(&a[i..i + n]), Side::One(b[j]), out),
        (0, 1) => T::arithmetic(kernels, op, Side::One(a[i]), Side::Each(&b[j..j + n]), out),
        (p, q) => {
            for (k, out) in out.iter_mut().enumerate() {
                *out = T::of(op, a[i + k * p], b[j + k * q]);
            }
        }
    }
}
