//! Products of batches of matrices.

use crate::{Error, Result};
use tokenbed_kernels::ops::matmul::{matmul_f32, matmul_f64};

/// The sizes of one product: (rows, inner) * (inner, columns).
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the names say it all")]
pub struct Product {
    pub rows: usize,
    pub inner: usize,
    pub columns: usize,
}

/// A type that products run in.
pub trait Factor: Copy + Default {
    /// `out = a * b`, dense and row-major.
    fn product(sizes: Product, a: &[Self], b: &[Self], out: &mut [Self]);
}

impl Factor for f32 {
    fn product(Product { rows, inner, columns }: Product, a: &[f32], b: &[f32], out: &mut [f32]) {
        matmul_f32(rows, inner, columns, a, b, out);
    }
}

impl Factor for f64 {
    fn product(Product { rows, inner, columns }: Product, a: &[f64], b: &[f64], out: &mut [f64]) {
        matmul_f64(rows, inner, columns, a, b, out);
    }
}

impl Factor for i64 {
    fn product(Product { inner, columns, .. }: Product, a: &[i64], b: &[i64], out: &mut [i64]) {
        out.fill(0);
        if inner == 0 || columns == 0 {
            return;
        }
        for (out, a) in out.chunks_exact_mut(columns).zip(a.chunks_exact(inner)) {
            for (&a, b) in a.iter().zip(b.chunks_exact(columns)) {
                out.iter_mut().zip(b).for_each(|(out, &b)| *out = out.wrapping_add(a.wrapping_mul(b)));
            }
        }
    }
}

/// The product of matrix `a_of[i]` of `a` with matrix `b_of[i]` of `b`, into the i-th matrix of `out`: broadcast batches
/// name a matrix several times.
///
/// # Errors
/// [`Error::Shape`] where a matrix is not there or `out` is of another size.
pub fn matmul<T: Factor>(sizes: Product, a: (&[T], &[usize]), b: (&[T], &[usize]), out: &mut [T]) -> Result<()> {
    let Product { rows, inner, columns } = sizes;
    let ((a, a_of), (b, b_of)) = (a, b);
    let wrong = || Error::Shape(format!("{sizes:?} times {} does not fit its buffers", a_of.len()));
    let matrix = |rows: usize, columns: usize| rows.checked_mul(columns).ok_or_else(wrong);
    let (a_size, b_size, out_size) = (matrix(rows, inner)?, matrix(inner, columns)?, matrix(rows, columns)?);
    if a_of.len() != b_of.len() || out_size.checked_mul(a_of.len()) != Some(out.len()) {
        return Err(wrong());
    }
    for (i, (&p, &q)) in a_of.iter().zip(b_of).enumerate() {
        let a = nth(a, a_size, p).ok_or_else(wrong)?;
        let b = nth(b, b_size, q).ok_or_else(wrong)?;
        T::product(sizes, a, b, &mut out[i * out_size..(i + 1) * out_size]);
    }
    Ok(())
}

/// The i-th of matrices of `size` elements that lie one after the other.
fn nth<T>(matrices: &[T], size: usize, i: usize) -> Option<&[T]> {
    let from = i.checked_mul(size)?;
    matrices.get(from..from.checked_add(size)?)
}
