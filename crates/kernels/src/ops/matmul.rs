//! Matrix products, by the `matrixmultiply` crate, which chooses its instruction set itself.

/// `out` (rows x columns) = `a` (rows x inner) * `b` (inner x columns), all row-major. f32.
///
/// # Panics
/// If the slices are not of these sizes: the caller's bug, not its user's.
pub fn matmul_f32(rows: usize, inner: usize, columns: usize, a: &[f32], b: &[f32], out: &mut [f32]) {
    check(rows, inner, columns, (a.len(), b.len(), out.len()));
    if out.is_empty() {
        // The size beside a zero may be anything: no loop over it.
        return;
    }
    // SAFETY: the sizes were just checked against the strides given, and `&mut` overlaps nothing. With beta = 0 `out`
    // is not read.
    unsafe {
        matrixmultiply::sgemm(
            rows,
            inner,
            columns,
            1.0,
            a.as_ptr(),
            inner as isize,
            1,
            b.as_ptr(),
            columns as isize,
            1,
            0.0,
            out.as_mut_ptr(),
            columns as isize,
            1,
        );
    }
}

/// [`matmul_f32`] in f64.
///
/// # Panics
/// If the slices are not of these sizes: the caller's bug, not its user's.
pub fn matmul_f64(rows: usize, inner: usize, columns: usize, a: &[f64], b: &[f64], out: &mut [f64]) {
    check(rows, inner, columns, (a.len(), b.len(), out.len()));
    if out.is_empty() {
        // The size beside a zero may be anything: no loop over it.
        return;
    }
    // SAFETY: as above.
    unsafe {
        matrixmultiply::dgemm(
            rows,
            inner,
            columns,
            1.0,
            a.as_ptr(),
            inner as isize,
            1,
            b.as_ptr(),
            columns as isize,
            1,
            0.0,
            out.as_mut_ptr(),
            columns as isize,
            1,
        );
    }
}

fn check(rows: usize, inner: usize, columns: usize, lens: (usize, usize, usize)) {
    let needed = (rows.checked_mul(inner), inner.checked_mul(columns), rows.checked_mul(columns));
    assert!(needed == (Some(lens.0), Some(lens.1), Some(lens.2)), "matmul: slices of other sizes");
}
