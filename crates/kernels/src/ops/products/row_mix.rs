//! row_mix: rows that are weighted sums of other rows.
//!
//! ```text
//! for i in 0..out.rows: for d in 0..stride:
//!     out[i][d] = 0
//!     for j in 0..rows.len: out[i][d] = fma(coefficient[i * across + j * down], table[rows[j]][d], out[i][d])
//! ```
//!
//! Rows are padded to whole blocks of 16 elements. Every element is summed separately, in the order of the list, so the
//! bits are the same on every instruction set.

use super::row_dots::sample;
use super::row_dots::{Picked, row};
use crate::dispatch::{Kernels, arms};
use crate::lanes::math::MathLanes;
use crate::probe::{Framed, Probe, ROWS, Results, STRIDES, id_list, numbers};

/// A matrix of coefficients: row `j` has the coefficient `values[i * across + j * down]` in sum `i`.
#[derive(Clone, Copy, Debug)]
pub struct Coefficients<'a> {
    /// All coefficients.
    pub values: &'a [f32],
    /// The distance between the coefficients of two sums.
    pub across: usize,
    /// The distance between the coefficients of two rows.
    pub down: usize,
}

/// The raw arguments of the op. Their contract, which [`Kernels::row_mix`] checks: `stride` is a multiple of 16; every
/// row lies in the table; there is a coefficient for every row in every sum; `out` has `sums` rows and overlaps
/// nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawRowMix {
    pub(crate) coefficients: *const f32,
    pub(crate) across: usize,
    pub(crate) down: usize,
    pub(crate) table: *const f32,
    pub(crate) rows: *const u32,
    pub(crate) len: usize,
    pub(crate) stride: usize,
    pub(crate) sums: usize,
    pub(crate) out: *mut f32,
}

arms!(ROW_MIX: fn(op: RawRowMix), body<L>, reference);

impl Kernels {
    /// `out` = as many weighted sums of the picked rows as it has rows.
    ///
    /// # Panics
    /// If the stride is not a multiple of 16, a row is out of range, a coefficient is missing, or `out` is not whole
    /// rows, which is a bug in the caller.
    pub fn row_mix(self, coefficients: Coefficients<'_>, picked: Picked<'_>, stride: usize, out: &mut [f32]) {
        picked.check(stride);
        let sums = out.len() / stride;
        assert!(out.len() == sums * stride, "row_mix: out is not whole rows");
        let Coefficients { values, across, down } = coefficients;
        let len = picked.rows.len();
        if sums > 0 && len > 0 {
            assert!((sums - 1) * across + (len - 1) * down < values.len(), "row_mix: coefficients are missing");
        }
        let op = RawRowMix {
            coefficients: values.as_ptr(),
            across,
            down,
            table: picked.table.as_ptr(),
            rows: picked.rows.as_ptr(),
            len,
            stride,
            sums,
            out: out.as_mut_ptr(),
        };
        // SAFETY: rows and sizes were just checked, a `&mut` overlaps nothing, and `self` proves that its
        // instruction set runs here.
        unsafe { ROW_MIX.on(self)(op) }
    }
}

/// The reference, which defines the result.
unsafe fn reference(op: RawRowMix) {
    for i in 0..op.sums {
        for d in 0..op.stride {
            let mut sum = 0.0f32;
            for j in 0..op.len {
                // SAFETY: the contract of `RawRowMix`.
                unsafe {
                    let coefficient = *op.coefficients.add(i * op.across + j * op.down);
                    sum = coefficient.mul_add(*row(op.table, op.rows, j, op.stride).add(d), sum);
                }
            }
            // SAFETY: as above.
            unsafe { *op.out.add(i * op.stride + d) = sum };
        }
    }
}

/// # Safety
/// The contract of [`RawRowMix`], on a machine that has `L`'s instruction set.
#[inline(always)]
unsafe fn body<L: MathLanes>(op: RawRowMix) {
    // SAFETY: as the caller promises; tiles stay within the sums.
    unsafe {
        let mut i = 0;
        while i < op.sums {
            if i + 1 < op.sums {
                sums::<L, 2>(&op, i);
                i += 2;
            } else {
                sums::<L, 1>(&op, i);
                i += 1;
            }
        }
    }
}

/// Computes `I` sums, in columns of four vectors and then of one.
#[inline(always)]
unsafe fn sums<L: MathLanes, const I: usize>(op: &RawRowMix, i: usize) {
    // SAFETY: as the caller promises; columns stay below the stride, which is a multiple of every width.
    unsafe {
        let mut at = 0;
        while at + 4 * L::WIDTH <= op.stride {
            tile::<L, I, 4>(op, i, at);
            at += 4 * L::WIDTH;
        }
        while at + 2 * L::WIDTH <= op.stride {
            tile::<L, I, 2>(op, i, at);
            at += 2 * L::WIDTH;
        }
        while at < op.stride {
            tile::<L, I, 1>(op, i, at);
            at += L::WIDTH;
        }
    }
}

#[inline(always)]
unsafe fn tile<L: MathLanes, const I: usize, const V: usize>(op: &RawRowMix, i: usize, at: usize) {
    // SAFETY: as the caller promises.
    unsafe {
        // Indices are used instead of iterators, because the compiler may keep in memory what iterators move.
        let mut sums = [[L::splat(0.0); V]; I];
        let mut j = 0;
        while j < op.len {
            let from = row(op.table, op.rows, j, op.stride).add(at);
            let mut part = [L::splat(0.0); V];
            let mut v = 0;
            while v < V {
                part[v] = L::load(from.add(v * L::WIDTH));
                v += 1;
            }
            let mut n = 0;
            while n < I {
                let coefficient = L::splat(*op.coefficients.add((i + n) * op.across + j * op.down));
                let mut v = 0;
                while v < V {
                    sums[n][v] = coefficient.mul_add(part[v], sums[n][v]);
                    v += 1;
                }
                n += 1;
            }
            j += 1;
        }
        let mut n = 0;
        while n < I {
            let mut v = 0;
            while v < V {
                sums[n][v].store(op.out.add((i + n) * op.stride + at + v * L::WIDTH));
                v += 1;
            }
            n += 1;
        }
    }
}

pub(crate) const PROBE: Probe = Probe { name: "row_mix", line: "products", sizes: &STRIDES, run: probe };

fn probe(kernels: Kernels, stride: usize, results: &mut Results) {
    let (ids, table) = (id_list(), numbers(ROWS * stride, 103));
    let (sums, rows) = (&ids[..7], &ids[7..18]);
    let dots = sample(kernels, (sums, rows), stride, &table);
    let coefficients = Coefficients { values: &dots, across: rows.len(), down: 1 };
    let mut out = Framed::room(sums.len() * stride);
    kernels.row_mix(coefficients, Picked { table: &table, rows }, stride, &mut out);
    results.take(&out);
}
