//! A vector by a matrix.
//!
//! ```text
//! matrix by rows:    out[j] (+)= sum over k, in order, of vector[k] * matrix[k][j]                       fused
//! matrix by columns: out[j] (+)= sum over k of vector[k] * matrix[k][j]: element k belongs to lane k mod 16, fused;
//!                    lanes are then halved
//! ```

use super::pass::pass;
use crate::dispatch::Kernels;
use crate::probe::{self, DIMS, Framed, Probe, Results, numbers};
use crate::real::Real;
use crate::rows::total::halved;

/// A vector of `inner` elements with stride `apart`, times a matrix whose rows (or columns, unless `rows`) are dense
/// and `step` apart.
#[derive(Debug)]
#[allow(missing_docs, reason = "the names say it all")]
pub struct Thin<'a, T> {
    pub vector: &'a [T],
    pub apart: usize,
    pub inner: usize,
    pub matrix: &'a [T],
    pub rows: bool,
    pub step: usize,
    /// Whether the product is added to `out`.
    pub add: bool,
    pub out: &'a mut [T],
}

/// Rows that are processed together, so that a result is read and written less often.
const ROWS: usize = 4;
/// The number of separate sums.
const LANES: usize = 16;

pass!(
    /// Multiplies a vector by a matrix.
    thin: Thin, thin
);

#[inline(always)]
fn thin<T: Real>(op: Thin<'_, T>) {
    if op.rows {
        by_rows(op);
    } else {
        by_columns(op);
    }
}

#[inline(always)]
fn by_rows<T: Real>(Thin { vector, apart, inner, matrix, step, add, out, .. }: Thin<'_, T>) {
    if !add {
        out.fill(T::default());
    }
    let n = out.len();
    let row = |k: usize| &matrix[k * step..k * step + n];
    let mut k = 0;
    while k + ROWS <= inner {
        let factor = |i: usize| vector[(k + i) * apart];
        let (p, q, r, s) = (factor(0), factor(1), factor(2), factor(3));
        let rows = row(k).iter().zip(row(k + 1)).zip(row(k + 2)).zip(row(k + 3));
        for (out, (((&a, &b), &c), &d)) in out.iter_mut().zip(rows) {
            *out = s.fused(d, r.fused(c, q.fused(b, p.fused(a, *out))));
        }
        k += ROWS;
    }
    while k < inner {
        let p = vector[k * apart];
        for (out, &a) in out.iter_mut().zip(row(k)) {
            *out = p.fused(a, *out);
        }
        k += 1;
    }
}

#[inline(always)]
fn by_columns<T: Real>(Thin { vector, apart, inner, matrix, step, add, out, .. }: Thin<'_, T>) {
    for (j, out) in out.iter_mut().enumerate() {
        let column = &matrix[j * step..j * step + inner];
        let mut lanes = [T::default(); LANES];
        if apart == 1 {
            let ((p, p_rest), (q, q_rest)) = (vector.as_chunks::<LANES>(), column.as_chunks::<LANES>());
            for (p, q) in p.iter().zip(q) {
                for i in 0..LANES {
                    lanes[i] = p[i].fused(q[i], lanes[i]);
                }
            }
            for (i, (&p, &q)) in p_rest.iter().zip(q_rest).enumerate() {
                lanes[i] = p.fused(q, lanes[i]);
            }
        } else {
            for (k, &q) in column.iter().enumerate() {
                lanes[k % LANES] = vector[k * apart].fused(q, lanes[k % LANES]);
            }
        }
        let sum = halved(lanes);
        *out = if add { *out + sum } else { sum };
    }
}

pub(crate) const PROBE: Probe = Probe { name: "thin", line: "passes", sizes: &DIMS, run: probe };

fn probe(kernels: Kernels, dim: usize, results: &mut Results) {
    let [matrix, y] = [113, 127].map(|seed| numbers(probe::ROWS * dim, seed));
    for (rows, inner, len) in [(true, probe::ROWS, dim), (false, dim, probe::ROWS)] {
        let mut out = Framed::new(&vec![0.5; len]);
        let vector = &y[..inner];
        kernels.thin(Thin { vector, apart: 1, inner, matrix: &matrix, rows, step: dim, add: true, out: &mut out });
        results.take(&out);
    }
}
