//! Matrix products, by the `matrixmultiply` crate, which chooses its instruction set itself.

macro_rules! matmul {
    ($name:ident, $t:ty, $by:path) => {
        /// `out` (rows x columns) = `a` (rows x inner) * `b` (inner x columns), all row-major.
        ///
        /// # Panics
        /// If the slices are not of these sizes: the caller's bug, not its user's.
        pub fn $name(rows: usize, inner: usize, columns: usize, a: &[$t], b: &[$t], out: &mut [$t]) {
            let needed = (rows.checked_mul(inner), inner.checked_mul(columns), rows.checked_mul(columns));
            assert!(needed == (Some(a.len()), Some(b.len()), Some(out.len())), "matmul: slices of other sizes");
            if out.is_empty() {
                // The size beside a zero may be anything: no loop over it.
                return;
            }
            let (a_step, step) = (inner as isize, columns as isize);
            let (a, b, out) = (a.as_ptr(), b.as_ptr(), out.as_mut_ptr());
            // SAFETY: the sizes were just checked against the strides given, and `&mut` overlaps nothing. With beta = 0
            // `out` is not read.
            unsafe { $by(rows, inner, columns, 1.0, a, a_step, 1, b, step, 1, 0.0, out, step, 1) }
        }
    };
}

matmul!(matmul_f32, f32, matrixmultiply::sgemm);
matmul!(matmul_f64, f64, matrixmultiply::dgemm);
