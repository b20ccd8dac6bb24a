//! row_dots: the dot products of every row in one list with every row in another.
//!
//! ```text
//! for i in 0..a_rows.len: for j in 0..b_rows.len:
//!     lane[l] = 0 for l in 0..16
//!     for d in 0..stride: lane[d mod 16] = fma(a[a_rows[i]][d], b[b_rows[j]][d], lane[d mod 16])
//!     for half in 8, 4, 2, 1: lane[l] += lane[l + half] for l in 0..half
//!     out[i][j] = lane[0]
//! ```
//!
//! Rows are padded with zeros to whole blocks of 16 elements, so no row has a remainder. Each product has sixteen sums,
//! halved as written, so the bits are the same on every instruction set. Two rows times three are computed together, so
//! that a loaded row is used more than once and no sum waits for another.

use crate::dispatch::{Kernels, arms};
use crate::lanes::BLOCK;
use crate::lanes::math::MathLanes;
use crate::probe::{Framed, Probe, ROWS, Results, STRIDES, id_list, numbers};

/// The rows of a table that an op reads: `rows` holds the numbers of rows with `stride` elements.
#[derive(Clone, Copy, Debug)]
pub struct Picked<'a> {
    /// The table.
    pub table: &'a [f32],
    /// The numbers of the rows.
    pub rows: &'a [u32],
}

impl Picked<'_> {
    /// # Panics
    /// If a row is out of range, which is a bug in the caller.
    pub(crate) fn check(&self, stride: usize) {
        assert!(stride > 0 && stride.is_multiple_of(BLOCK), "rows are whole blocks of {BLOCK} elements");
        let rows = self.table.len() / stride;
        assert!(self.rows.iter().all(|&row| (row as usize) < rows), "a row outside of the table");
    }
}

/// The raw arguments of the op. Their contract, which [`Kernels::row_dots`] checks: `stride` is a multiple of 16; every
/// row lies in its table; `out` has room for a product of every pair and overlaps nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawRowDots {
    pub(crate) a: *const f32,
    pub(crate) a_rows: *const u32,
    pub(crate) a_len: usize,
    pub(crate) b: *const f32,
    pub(crate) b_rows: *const u32,
    pub(crate) b_len: usize,
    pub(crate) stride: usize,
    pub(crate) out: *mut f32,
}

arms!(ROW_DOTS: fn(op: RawRowDots), body<L>, reference);

impl Kernels {
    /// `out` (a.rows x b.rows) = the dot products of rows of `a` with rows of `b`.
    ///
    /// # Panics
    /// If the stride is not a multiple of 16, a row is out of range, or `out` has another size, which is a bug in the
    /// caller.
    pub fn row_dots(self, a: Picked<'_>, b: Picked<'_>, stride: usize, out: &mut [f32]) {
        a.check(stride);
        b.check(stride);
        assert!(out.len() == a.rows.len() * b.rows.len(), "row_dots: out of another size");
        let op = RawRowDots {
            a: a.table.as_ptr(),
            a_rows: a.rows.as_ptr(),
            a_len: a.rows.len(),
            b: b.table.as_ptr(),
            b_rows: b.rows.as_ptr(),
            b_len: b.rows.len(),
            stride,
            out: out.as_mut_ptr(),
        };
        // SAFETY: rows and sizes were just checked, a `&mut` overlaps nothing, and `self` proves that its
        // instruction set runs here.
        unsafe { ROW_DOTS.on(self)(op) }
    }
}

/// The reference, which defines the result.
unsafe fn reference(op: RawRowDots) {
    for i in 0..op.a_len {
        for j in 0..op.b_len {
            // SAFETY: the contract of `RawRowDots`.
            unsafe {
                let (a, b) = (row(op.a, op.a_rows, i, op.stride), row(op.b, op.b_rows, j, op.stride));
                let mut lanes = [0.0f32; BLOCK];
                for d in 0..op.stride {
                    lanes[d % BLOCK] = (*a.add(d)).mul_add(*b.add(d), lanes[d % BLOCK]);
                }
                let mut half = BLOCK / 2;
                while half > 0 {
                    (0..half).for_each(|l| lanes[l] += lanes[l + half]);
                    half /= 2;
                }
                *op.out.add(i * op.b_len + j) = lanes[0];
            }
        }
    }
}

/// # Safety
/// `rows` has an element `at`, which is the number of a row of the table.
#[inline(always)]
pub(crate) unsafe fn row(table: *const f32, rows: *const u32, at: usize, stride: usize) -> *const f32 {
    // SAFETY: as the caller promises.
    unsafe { table.add(*rows.add(at) as usize * stride) }
}

/// # Safety
/// The contract of [`RawRowDots`], on a machine that has `L`'s instruction set.
#[inline(always)]
unsafe fn body<L: MathLanes>(op: RawRowDots) {
    // SAFETY: as the caller promises; tiles stay within the lists.
    unsafe {
        let mut i = 0;
        while i < op.a_len {
            if i + 1 < op.a_len {
                strip::<L, 2>(&op, i);
                i += 2;
            } else {
                strip::<L, 1>(&op, i);
                i += 1;
            }
        }
    }
}

#[inline(always)]
unsafe fn strip<L: MathLanes, const I: usize>(op: &RawRowDots, i: usize) {
    // SAFETY: as the caller promises.
    unsafe {
        let mut j = 0;
        while j < op.b_len {
            match op.b_len - j {
                1 => tile::<L, I, 1>(op, i, j),
                2 => tile::<L, I, 2>(op, i, j),
                _ => tile::<L, I, 3>(op, i, j),
            }
            j += 3;
        }
    }
}

/// The maximal number of vectors that hold 16 lanes.
const VECTORS: usize = BLOCK / 4;

#[inline(always)]
unsafe fn tile<L: MathLanes, const I: usize, const J: usize>(op: &RawRowDots, i: usize, j: usize) {
    // SAFETY: the caller promises that `I` rows from `i` on and `J` from `j` on are in the lists.
    unsafe {
        let (mut a, mut b) = ([op.a; I], [op.b; J]);
        let mut n = 0;
        while n < I {
            a[n] = row(op.a, op.a_rows, i + n, op.stride);
            n += 1;
        }
        let mut m = 0;
        while m < J {
            b[m] = row(op.b, op.b_rows, j + m, op.stride);
            m += 1;
        }
        // Indices are used instead of iterators, because the compiler may keep in memory what iterators move.
        let mut sums = [[[L::splat(0.0); VECTORS]; J]; I];
        let mut at = 0;
        while at < op.stride {
            let mut v = 0;
            while v * L::WIDTH < BLOCK {
                let d = at + v * L::WIDTH;
                let mut right = [L::splat(0.0); J];
                let mut m = 0;
                while m < J {
                    right[m] = L::load(b[m].add(d));
                    m += 1;
                }
                let mut n = 0;
                while n < I {
                    let left = L::load(a[n].add(d));
                    let mut m = 0;
                    while m < J {
                        sums[n][m][v] = left.mul_add(right[m], sums[n][m][v]);
                        m += 1;
                    }
                    n += 1;
                }
                v += 1;
            }
            at += BLOCK;
        }
        let mut n = 0;
        while n < I {
            let mut m = 0;
            while m < J {
                *op.out.add((i + n) * op.b_len + j + m) = halved(sums[n][m]);
                m += 1;
            }
            n += 1;
        }
    }
}

/// The sum of 16 lanes in vectors, by halving.
///
/// # Safety
/// The machine has `L`'s instruction set.
#[inline(always)]
pub(crate) unsafe fn halved<L: MathLanes>(mut vectors: [L; VECTORS]) -> f32 {
    // SAFETY: as the caller promises.
    unsafe {
        let mut half = BLOCK / L::WIDTH / 2;
        while half > 0 {
            let mut v = 0;
            while v < half {
                vectors[v] = vectors[v].add(vectors[v + half]);
                v += 1;
            }
            half /= 2;
        }
        vectors[0].sum()
    }
}

pub(crate) const PROBE: Probe = Probe { name: "row_dots", line: "products", sizes: &STRIDES, run: probe };

fn probe(kernels: Kernels, stride: usize, results: &mut Results) {
    let (ids, table) = (id_list(), numbers(ROWS * stride, 103));
    results.take(&sample(kernels, (&ids[..7], &ids[7..18]), stride, &table));
}

/// The dot products of rows of a table, for probes.
pub(super) fn sample(kernels: Kernels, (a, b): (&[u32], &[u32]), stride: usize, table: &[f32]) -> Framed<f32> {
    let mut dots = Framed::room(a.len() * b.len());
    let [a, b] = [a, b].map(|rows| Picked { table, rows });
    kernels.row_dots(a, b, stride, &mut dots);
    dots
}
