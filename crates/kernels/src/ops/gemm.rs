//! Products of matrices that lie in memory by strides, by the `matrixmultiply` crate, which chooses its instruction set
//! itself. One thread, a fixed order of sums: the same bits however the work around it is divided.

/// A matrix in a slice: element (r, c) is `values[r * row + c * column]`.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The elements.
    pub values: &'a [f32],
    /// How far apart two rows are.
    pub row: usize,
    /// How far apart two columns are.
    pub column: usize,
}

/// The sizes of a product: (rows, inner) * (inner, columns).
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the names say it all")]
pub struct Sizes {
    pub rows: usize,
    pub inner: usize,
    pub columns: usize,
}

fn fits(len: usize, rows: usize, columns: usize, row: usize, column: usize) -> bool {
    rows == 0 || columns == 0 || (rows - 1) * row + (columns - 1) * column < len
}

/// `out = a * b + beta * out`; rows of `out` lie `row` apart. With a `beta` of 0 `out` is not read.
///
/// # Panics
/// If a matrix does not lie in its slice, or rows of `out` overlap: the caller's bug, not its user's.
pub fn gemm(sizes: Sizes, a: View<'_>, b: View<'_>, beta: f32, out: &mut [f32], row: usize) {
    let Sizes { rows, inner, columns } = sizes;
    assert!(fits(a.values.len(), rows, inner, a.row, a.column), "gemm: the first matrix does not lie in its slice");
    assert!(fits(b.values.len(), inner, columns, b.row, b.column), "gemm: the second does not");
    assert!(row >= columns && fits(out.len(), rows, columns, row, 1), "gemm: the result does not");
    if rows == 0 || columns == 0 {
        return;
    }
    let step = |by: usize| by as isize;
    let (a_at, b_at, out_at) = (a.values.as_ptr(), b.values.as_ptr(), out.as_mut_ptr());
    // SAFETY: the matrices were just checked to lie in their slices, and `&mut` overlaps nothing.
    unsafe {
        matrixmultiply::sgemm(
            rows,
            inner,
            columns,
            1.0,
            a_at,
            step(a.row),
            step(a.column),
            b_at,
            step(b.row),
            step(b.column),
            beta,
            out_at,
            step(row),
            1,
        )
    }
}
