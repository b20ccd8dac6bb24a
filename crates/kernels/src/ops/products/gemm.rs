//! A product of strided matrices: one tile of [`super::matmul`], with checked bounds. It runs on one thread and sums in
//! a fixed order, so the bits are the same however the surrounding work is divided.

use super::matmul::{Factor, Part, Product};
use crate::dispatch::Kernels;

/// A matrix in a slice: element (r, c) is `values[r * row + c * column]`. One of the two strides is 1.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The elements.
    pub values: &'a [f32],
    /// The distance between two rows.
    pub row: usize,
    /// The distance between two columns.
    pub column: usize,
}

impl View<'_> {
    fn holds(&self, rows: usize, columns: usize) -> bool {
        (self.row == 1 || self.column == 1) && fits(self.values.len(), rows, columns, self.row, self.column)
    }

    fn part(&self) -> Part<f32> {
        Part::new(self.values.as_ptr(), self.row, self.column)
    }
}

fn fits(len: usize, rows: usize, columns: usize, row: usize, column: usize) -> bool {
    rows == 0 || columns == 0 || (rows - 1) * row + (columns - 1) * column < len
}

/// `out = a * b`, or `out += a * b`; the rows of `out` are `row` apart.
///
/// # Panics
/// If a matrix does not lie in its slice, or rows of `out` overlap, which is a bug in the caller.
pub fn gemm(kernels: Kernels, sizes: Product, a: View<'_>, b: View<'_>, add: bool, out: &mut [f32], row: usize) {
    let Product { rows, inner, columns } = sizes;
    assert!(a.holds(rows, inner), "gemm: the first matrix does not lie in its slice");
    assert!(b.holds(inner, columns), "gemm: the second does not");
    assert!(row >= columns && fits(out.len(), rows, columns, row, 1), "gemm: the result does not");
    if rows == 0 || columns == 0 {
        return;
    }
    if inner == 0 {
        if !add {
            (0..rows).for_each(|r| out[r * row..][..columns].fill(0.0));
        }
        return;
    }
    // SAFETY: the matrices were just checked to lie in their slices, no size is zero, and `&mut` overlaps nothing.
    unsafe { f32::tile(kernels, sizes, a.part(), b.part(), out.as_mut_ptr(), row, add) }
}
