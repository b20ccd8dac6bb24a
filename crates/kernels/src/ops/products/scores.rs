//! scores: the dot product of every row with one vector, and of every row with itself, from which cosines are made.
//!
//! ```text
//! for r in 0..len:
//!     dots[r]    = sum of row[d] * query[d]        each sum in lanes of 32 by fused multiply-add: element d belongs to
//!     squares[r] = sum of row[d] * row[d]          lane d mod 32, which sums in its order; lanes are halved as for LayerNorm
//! ```
//!
//! The rows are read once for both. The bits are the same on every instruction set.

use crate::dispatch::{Kernels, arms};
use crate::lanes::math::MathLanes;
use crate::ops::lookup::layer_norm::{LANES, VECTORS, sum};
use crate::probe::{DIMS, Framed, Probe, ROWS, Results, numbers};
use crate::rows::total::halved;

/// The raw arguments of the op. Their contract, which [`Kernels::scores`] checks: `rows` points at `len * dim`
/// elements, `query` at `dim`; `dots` and `squares` at `len` each, which overlap nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawScores {
    pub(crate) rows: *const f32,
    pub(crate) len: usize,
    pub(crate) dim: usize,
    pub(crate) query: *const f32,
    pub(crate) dots: *mut f32,
    pub(crate) squares: *mut f32,
}

arms!(SCORES: fn(op: RawScores), body<L>, reference);

impl Kernels {
    /// For each row of `rows`, with as many elements as `query`: its dot product with `query`, and with itself.
    ///
    /// # Panics
    /// If the slices have other sizes, which is a bug in the caller.
    pub fn scores(self, rows: &[f32], query: &[f32], dots: &mut [f32], squares: &mut [f32]) {
        let (len, dim) = (dots.len(), query.len());
        assert!(len.checked_mul(dim) == Some(rows.len()), "scores: rows of another length");
        assert!(squares.len() == len, "scores: as many squares as dots");
        let op = RawScores {
            rows: rows.as_ptr(),
            len,
            dim,
            query: query.as_ptr(),
            dots: dots.as_mut_ptr(),
            squares: squares.as_mut_ptr(),
        };
        // SAFETY: the sizes were just checked, a `&mut` overlaps nothing, and `self` proves that its
        // instruction set runs here.
        unsafe { SCORES.on(self)(op) }
    }
}

/// Elements to prefetch ahead: 4 KB, because the machine itself does not prefetch across pages.
const AHEAD: usize = 1024;

/// The reference, which defines the result.
unsafe fn reference(op: RawScores) {
    for r in 0..op.len {
        let (mut dots, mut squares) = ([0.0f32; LANES], [0.0f32; LANES]);
        for d in 0..op.dim {
            // SAFETY: the contract of `RawScores`.
            let (x, q) = unsafe { (*op.rows.add(r * op.dim + d), *op.query.add(d)) };
            dots[d % LANES] = x.mul_add(q, dots[d % LANES]);
            squares[d % LANES] = x.mul_add(x, squares[d % LANES]);
        }
        // SAFETY: the contract of `RawScores`.
        unsafe {
            *op.dots.add(r) = halved(dots);
            *op.squares.add(r) = halved(squares);
        }
    }
}

/// # Safety
/// The contract of [`RawScores`], on a machine that has `L`'s instruction set.
#[inline(always)]
unsafe fn body<L: MathLanes>(op: RawScores) {
    // SAFETY: as the caller promises; every index stays below `dim`, below `LANES` in what is behind the last whole
    // lanes, or, where just checked, below the end of the rows.
    unsafe {
        let whole = op.dim - op.dim % LANES;
        let rest = op.dim - whole;
        // The rest after the last whole lanes, filled up with zeros. Zeros leave a sum unchanged: it began with 0 and
        // so is never -0.
        let (mut last_query, mut last, mut kept) = ([0.0f32; LANES], [0.0f32; LANES], [0u32; LANES]);
        std::ptr::copy_nonoverlapping(op.query.add(whole), last_query.as_mut_ptr(), rest);
        kept[..rest].fill(u32::MAX);
        for r in 0..op.len {
            let row = op.rows.add(r * op.dim);
            let (mut dots, mut squares) = ([L::splat(0.0); VECTORS], [L::splat(0.0); VECTORS]);
            let mut at = 0;
            while at < whole {
                L::prefetch(row.wrapping_add(at + AHEAD));
                L::prefetch(row.wrapping_add(at + AHEAD + 16));
                add(row.add(at), op.query.add(at), &mut dots, &mut squares);
                at += LANES;
            }
            if r * op.dim + whole + LANES <= op.len * op.dim {
                // The elements after the rest belong to the next rows, and are masked.
                let mut v = 0;
                while v * L::WIDTH < rest {
                    let bits = L::load(row.add(whole + v * L::WIDTH)).to_bits();
                    let x = L::from_bits(L::and(bits, L::load_ints(kept.as_ptr().add(v * L::WIDTH))));
                    dots[v] = x.mul_add(L::load(last_query.as_ptr().add(v * L::WIDTH)), dots[v]);
                    squares[v] = x.mul_add(x, squares[v]);
                    v += 1;
                }
            } else if rest > 0 {
                std::ptr::copy_nonoverlapping(row.add(whole), last.as_mut_ptr(), rest);
                add(last.as_ptr(), last_query.as_ptr(), &mut dots, &mut squares);
            }
            *op.dots.add(r) = sum(dots);
            *op.squares.add(r) = sum(squares);
        }
    }
}

/// # Safety
/// `LANES` elements may be read at both, on a machine that has `L`'s instruction set.
#[inline(always)]
unsafe fn add<L: MathLanes>(row: *const f32, query: *const f32, dots: &mut [L; VECTORS], squares: &mut [L; VECTORS]) {
    let mut v = 0;
    while v * L::WIDTH < LANES {
        // SAFETY: as the caller promises.
        unsafe {
            let x = L::load(row.add(v * L::WIDTH));
            dots[v] = x.mul_add(L::load(query.add(v * L::WIDTH)), dots[v]);
            squares[v] = x.mul_add(x, squares[v]);
        }
        v += 1;
    }
}

pub(crate) const PROBE: Probe = Probe { name: "scores", line: "scores", sizes: &DIMS, run: probe };

fn probe(kernels: Kernels, dim: usize, results: &mut Results) {
    let [mut dots, mut squares] = [0, 1].map(|_| Framed::room(ROWS));
    kernels.scores(&numbers(ROWS * dim, 107), &numbers(dim, 109), &mut dots, &mut squares);
    [dots, squares].iter().for_each(|written| results.take(written));
}
