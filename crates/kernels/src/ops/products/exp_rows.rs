//! exp_rows: the exponentials of rows after subtracting their maxima, from which a softmax is made.
//!
//! ```text
//! for each row x of `width` elements:
//!     largest = the maximum of x
//!     for d in 0..width: x[d] = EXP(x[d] - largest)
//!     lane[d mod 16] += x[d], then lanes in halves: sum
//!     out: (largest, sum)
//!
//! EXP(t): 0 for t <= -87;  n = t * log2(e) to nearest even (by adding and taking off 1.5 * 2^23)
//!     r = fma(n, -0.693359375, t);  r = fma(n, 2.12194440e-4, r)
//!     p = 1.9875691500e-4;  for c in [1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1]:
//!         p = fma(p, r, c)
//!     p = fma(p, r * r, r) + 1;  the exponent of p grows by n
//! ```
//!
//! The exponential is Cephes' `expf`, within 2 ulp. Fused multiply-adds are as written, so the bits are the same on
//! every instruction set. Elements of minus infinity give 0, and a NaN makes the sum of its row NaN.

use super::row_dots::halved;
use crate::dispatch::{Kernels, arms};
use crate::lanes::BLOCK;
use crate::lanes::narrow::NarrowLanes;
use crate::probe::{Framed, Probe, ROWS, Results, STRIDES, numbers};
use crate::rows::total;

/// The smallest argument of an exponential; f32 has hardly any numbers below its result.
const LEAST: f32 = -87.0;
const LOG2_E: f32 = std::f32::consts::LOG2_E;
/// 1.5 * 2^23. Adding it to a small float leaves the nearest integer in the low bits.
const TO_INTEGER: f32 = 12_582_912.0;
const LN_2_HIGH: f32 = -0.693_359_4;
const LN_2_LOW: f32 = 2.121_944_4e-4;
const POLYNOMIAL: [f32; 6] = [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];

/// The raw arguments of the op. Their contract, which [`Kernels::exp_rows`] checks: `x` has `rows` rows of `width`
/// elements, a multiple of 16; `out` has two elements for each and does not overlap them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawExpRows {
    pub(crate) x: *mut f32,
    pub(crate) rows: usize,
    pub(crate) width: usize,
    pub(crate) out: *mut f32,
}

arms!(EXP_ROWS: fn(op: RawExpRows), body<L>, reference);

impl Kernels {
    /// Replaces rows of `width` elements by their exponentials. `out` gets the maximum and the sum of each row.
    ///
    /// # Panics
    /// If the width is not a multiple of 16, or sizes differ, which is a bug in the caller.
    pub fn exp_rows(self, x: &mut [f32], width: usize, out: &mut [f32]) {
        assert!(width > 0 && width.is_multiple_of(BLOCK), "exp_rows: rows are whole blocks of {BLOCK} elements");
        let rows = x.len() / width;
        assert!(x.len() == rows * width && out.len() == 2 * rows, "exp_rows: slices of other sizes");
        let op = RawExpRows { x: x.as_mut_ptr(), rows, width, out: out.as_mut_ptr() };
        // SAFETY: the sizes were just checked, a `&mut` overlaps nothing, and `self` proves that its
        // instruction set runs here.
        unsafe { EXP_ROWS.on(self)(op) }
    }
}

/// `EXP` of the contract.
fn exp(t: f32) -> f32 {
    // `max` is not used, because it would drop a NaN.
    let t = if LEAST > t { LEAST } else { t };
    if t == LEAST {
        return 0.0;
    }
    let shifted = t.mul_add(LOG2_E, TO_INTEGER);
    let n = shifted - TO_INTEGER;
    let r = n.mul_add(LN_2_HIGH, t);
    let r = n.mul_add(LN_2_LOW, r);
    let p = POLYNOMIAL[1..].iter().fold(POLYNOMIAL[0], |p, c| p.mul_add(r, *c));
    let p = p.mul_add(r * r, r) + 1.0;
    f32::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// The reference, which defines the result.
unsafe fn reference(op: RawExpRows) {
    for i in 0..op.rows {
        // SAFETY: the contract of `RawExpRows`.
        let (row, out) = unsafe {
            (
                std::slice::from_raw_parts_mut(op.x.add(i * op.width), op.width),
                std::slice::from_raw_parts_mut(op.out.add(2 * i), 2),
            )
        };
        let largest = row.iter().fold(f32::NEG_INFINITY, |most, &x| if most > x { most } else { x });
        let mut lanes = [0.0f32; BLOCK];
        for (d, x) in row.iter_mut().enumerate() {
            *x = exp(*x - largest);
            lanes[d % BLOCK] += *x;
        }
        (out[0], out[1]) = (largest, total::halved(lanes));
    }
}

/// # Safety
/// The contract of [`RawExpRows`], on a machine that has `L`'s instruction set.
#[inline(always)]
unsafe fn body<L: NarrowLanes>(op: RawExpRows) {
    // SAFETY: as the caller promises.
    unsafe {
        for i in 0..op.rows {
            row::<L>(op.x.add(i * op.width), op.width, op.out.add(2 * i));
        }
    }
}

#[inline(always)]
unsafe fn row<L: NarrowLanes>(x: *mut f32, width: usize, out: *mut f32) {
    // SAFETY: the caller promises that every index stays below the width, a multiple of every vector's.
    unsafe {
        let mut most = [L::splat(f32::NEG_INFINITY); 4];
        let mut at = 0;
        while at < width {
            let mut v = 0;
            while v * L::WIDTH < BLOCK {
                most[v] = most[v].max(L::load(x.add(at + v * L::WIDTH)));
                v += 1;
            }
            at += BLOCK;
        }
        // The order of a maximum only matters for NaN and for the sign of zero, and neither changes the exponentials.
        let mut lanes = [f32::NEG_INFINITY; BLOCK];
        let mut v = 0;
        while v * L::WIDTH < BLOCK {
            most[v].store(lanes.as_mut_ptr().add(v * L::WIDTH));
            v += 1;
        }
        let largest = lanes.iter().fold(f32::NEG_INFINITY, |most, &x| if most > x { most } else { x });

        let off = L::splat(largest);
        let mut sums = [L::splat(0.0); 4];
        let mut at = 0;
        while at < width {
            let mut v = 0;
            while v * L::WIDTH < BLOCK {
                let to = x.add(at + v * L::WIDTH);
                let e = exp_lanes(L::load(to).sub(off));
                e.store(to);
                sums[v] = sums[v].add(e);
                v += 1;
            }
            at += BLOCK;
        }
        *out = largest;
        *out.add(1) = halved(sums);
    }
}

/// [`exp`] for a vector.
#[inline(always)]
unsafe fn exp_lanes<L: NarrowLanes>(t: L) -> L {
    // SAFETY: the caller promises the instruction set.
    unsafe {
        let least = L::splat(LEAST);
        let t = least.max(t);
        let magic = L::splat(TO_INTEGER);
        let shifted = t.mul_add(L::splat(LOG2_E), magic);
        let n = shifted.sub(magic);
        let r = n.mul_add(L::splat(LN_2_HIGH), t);
        let r = n.mul_add(L::splat(LN_2_LOW), r);
        let mut p = L::splat(POLYNOMIAL[0]);
        let mut c = 1;
        while c < POLYNOMIAL.len() {
            p = p.mul_add(r, L::splat(POLYNOMIAL[c]));
            c += 1;
        }
        let p = p.mul_add(r.mul(r), r).add(L::splat(1.0));
        let grown = L::from_bits(L::add_ints(p.to_bits(), L::shift_left::<23>(shifted.to_bits())));
        L::select(t.equals(least), L::splat(0.0), grown)
    }
}

pub(crate) const PROBE: Probe = Probe { name: "exp_rows", line: "products", sizes: &STRIDES, run: probe };

fn probe(kernels: Kernels, stride: usize, results: &mut Results) {
    let mut powers = Framed::new(&numbers(ROWS * stride, 103));
    let mut of_rows = Framed::room(2 * ROWS);
    kernels.exp_rows(&mut powers, stride, &mut of_rows);
    [powers, of_rows].iter().for_each(|written| results.take(written));
}
