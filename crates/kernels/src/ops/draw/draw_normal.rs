//! draw_normal: blocks of 16 words of the Mersenne Twister as normal f32 (Box-Muller).
//!
//! ```text
//! for every block of 16:
//!     for j in 0..16: d[j] = (temper(words[j]) & 0xffffff) * 2^-24
//!     for j in 0..8:
//!         r = sqrt(-2 * log(1 - d[j]))
//!         t = f32(2 pi) * d[j + 8]
//!         out[j]     = fma(r * cos(t), std, mean)
//!         out[j + 8] = fma(r * sin(t), std, mean)
//! ```
//!
//! This is `normal_fill` and `NormalFill16<float>` of PyTorch's AVX2 build. log, sin and cos are the single precision
//! polynomials of Cephes that it uses (`avx_mathfun.h`), with multiplications and additions contracted as its compiler
//! does. `log` and `sin_cos` spell out each rounding, and the vectors repeat them.

use super::draw_uniform::{MANTISSA, STEP, temper, temper_lanes};
use super::mt19937::{MT_WORDS, twisted};
use crate::dispatch::{Kernels, arms};
use crate::lanes::math::MathLanes;
use crate::probe::{Framed, Probe, Results};

/// The elements of a block: 8 radii and 8 angles.
pub const NORMAL_BLOCK: usize = 16;

/// The raw arguments of the op. Their contract, which [`Kernels::draw_normal`] checks: `words` points at `len` words,
/// `out` at `len` elements that do not overlap them; `len` is a multiple of [`NORMAL_BLOCK`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawDrawNormal {
    pub(crate) words: *const u32,
    pub(crate) len: usize,
    pub(crate) mean: f32,
    pub(crate) std: f32,
    pub(crate) out: *mut f32,
}

arms!(DRAW_NORMAL: fn(op: RawDrawNormal), body<L>, reference);

impl Kernels {
    /// `out` = normal values from whole blocks of untempered words.
    ///
    /// # Panics
    /// If the slices differ in length or are not whole blocks, which is a bug in the caller.
    pub fn draw_normal(self, words: &[u32], mean: f32, std: f32, out: &mut [f32]) {
        assert!(words.len() == out.len(), "draw_normal: out of another size");
        assert!(words.len().is_multiple_of(NORMAL_BLOCK), "draw_normal: no whole blocks");
        let op = RawDrawNormal { words: words.as_ptr(), len: words.len(), mean, std, out: out.as_mut_ptr() };
        // SAFETY: the sizes were just checked, a `&mut` overlaps nothing, and `self` proves that its
        // instruction set runs here.
        unsafe { DRAW_NORMAL.on(self)(op) }
    }
}

const TWO_PI: f32 = std::f32::consts::TAU;
const ONE_BITS: u32 = 0x3f80_0000;
/// The bits of the float nearest to sqrt(1/2).
const SQRT_HALF_BITS: u32 = 0x3f35_04f3;

use cephes::*;

/// The constants, with the digits given in Cephes.
#[allow(clippy::excessive_precision, reason = "the published digits are easier to check than the rounded ones")]
mod cephes {
    /// ln 2 in two parts. The first has few bits, so that its products with small integers are exact.
    pub(super) const LN2_HIGH: f32 = 0.693359375;
    pub(super) const LN2_LOW: f32 = -2.12194440e-4;
    pub(super) const LOG_POLYNOMIAL: [f32; 9] = [
        7.0376836292e-2,
        -1.1514610310e-1,
        1.1676998740e-1,
        -1.2420140846e-1,
        1.4249322787e-1,
        -1.6668057665e-1,
        2.0000714765e-1,
        -2.4999993993e-1,
        3.3333331174e-1,
    ];
    pub(super) const FOUR_OVER_PI: f32 = 1.27323954473516;
    /// pi / 4 in three parts, negated.
    pub(super) const PI_OVER_FOUR: [f32; 3] = [-0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8];
    pub(super) const COS_POLYNOMIAL: [f32; 3] = [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2];
    pub(super) const SIN_POLYNOMIAL: [f32; 3] = [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1];
}

/// The natural logarithm of x in [2^-24, 1].
fn log(x: f32) -> f32 {
    let bits = x.to_bits();
    let mut exponent = (bits >> 23) as f32 - 126.0;
    let mantissa = f32::from_bits((bits & 0x007f_ffff) | 0x3f00_0000);
    let mut m = mantissa - 1.0;
    if mantissa < f32::from_bits(SQRT_HALF_BITS) {
        exponent -= 1.0;
        m += mantissa;
    }
    let square = m * m;
    let mut y = LOG_POLYNOMIAL[0];
    for coefficient in &LOG_POLYNOMIAL[1..] {
        y = y.mul_add(m, *coefficient);
    }
    y *= m;
    y = y.mul_add(square, exponent * LN2_LOW);
    y = square.mul_add(-0.5, y);
    exponent.mul_add(LN2_HIGH, m + y)
}

/// Sine and cosine of t in [0, 2 pi].
fn sin_cos(t: f32) -> (f32, f32) {
    // The octant, rounded up to an even one, so that the remainder lies in [-pi/4, pi/4].
    let octant = ((t * FOUR_OVER_PI) as u32 + 1) & !1;
    let quotient = octant as f32;
    let mut x = t;
    for part in PI_OVER_FOUR {
        x = quotient.mul_add(part, x);
    }
    let z = x * x;
    let mut cos = COS_POLYNOMIAL[0].mul_add(z, COS_POLYNOMIAL[1]);
    cos = cos.mul_add(z, COS_POLYNOMIAL[2]) * z;
    cos = cos.mul_add(z, -(z * 0.5)) + 1.0;
    let mut sin = SIN_POLYNOMIAL[0].mul_add(z, SIN_POLYNOMIAL[1]);
    sin = sin.mul_add(z, SIN_POLYNOMIAL[2]) * z;
    sin = sin.mul_add(x, x);
    if octant & 2 != 0 {
        std::mem::swap(&mut sin, &mut cos);
    }
    let sin_sign = (octant & 4) << 29;
    let cos_sign = (!octant.wrapping_sub(2) & 4) << 29;
    (f32::from_bits(sin.to_bits() ^ sin_sign), f32::from_bits(cos.to_bits() ^ cos_sign))
}

/// The reference, which defines the result.
unsafe fn reference(op: RawDrawNormal) {
    // SAFETY: the contract of `RawDrawNormal`: whole blocks of both.
    let uniform = |i: usize| (temper(unsafe { *op.words.add(i) }) & MANTISSA) as f32 * STEP;
    for block in (0..op.len).step_by(NORMAL_BLOCK) {
        for j in block..block + NORMAL_BLOCK / 2 {
            let radius = (-2.0 * log(1.0 - uniform(j))).sqrt();
            let (sin, cos) = sin_cos(TWO_PI * uniform(j + 8));
            // SAFETY: as above.
            unsafe {
                *op.out.add(j) = (radius * cos).mul_add(op.std, op.mean);
                *op.out.add(j + 8) = (radius * sin).mul_add(op.std, op.mean);
            }
        }
    }
}

/// # Safety
/// The contract of [`RawDrawNormal`], on a machine that has `L`'s instruction set.
#[inline(always)]
unsafe fn body<L: MathLanes>(op: RawDrawNormal) {
    // The blocks that two vectors of halves hold: one, or two if the lanes are wider than a half.
    let span = (2 * L::WIDTH).max(NORMAL_BLOCK);
    // SAFETY: the contract of `RawDrawNormal`; a last block that does not fill the span is computed on copies.
    unsafe {
        let mut at = 0;
        while at + span <= op.len {
            // The count is a constant, so that the loop disappears.
            for part in 0..(NORMAL_BLOCK / 2).div_ceil(L::WIDTH) {
                let lane = at + part * L::WIDTH;
                halves::<L>(&op, op.words.add(lane), op.out.add(lane));
            }
            at += span;
        }
        if at < op.len {
            let mut words = [0; 2 * NORMAL_BLOCK];
            std::ptr::copy_nonoverlapping(op.words.add(at), words.as_mut_ptr(), NORMAL_BLOCK);
            let mut results = [0.0; 2 * NORMAL_BLOCK];
            halves::<L>(&op, words.as_ptr(), results.as_mut_ptr());
            std::ptr::copy_nonoverlapping(results.as_ptr(), op.out.add(at), NORMAL_BLOCK);
        }
    }
}

#[inline(always)]
unsafe fn halves<L: MathLanes>(op: &RawDrawNormal, words: *const u32, out: *mut f32) {
    // SAFETY: the caller promises that the blocks that `load_halves` reads and `store_halves` writes are inside the
    // slices.
    unsafe {
        let (first, second) = L::load_halves(words);
        let radius = L::splat(-2.0).mul(log_lanes::<L>(first)).sqrt();
        let (sin, cos) = sin_cos_lanes::<L>(second);
        let (std, mean) = (L::splat(op.std), L::splat(op.mean));
        L::store_halves(radius.mul(cos).mul_add(std, mean), radius.mul(sin).mul_add(std, mean), out);
    }
}

/// The integer of 24 bits from which the uniform value of a word is made.
#[inline(always)]
unsafe fn count<L: MathLanes>(words: L::Ints) -> L::Ints {
    // SAFETY: the caller promises the instruction set.
    unsafe { L::and(temper_lanes::<L>(words), L::splat_int(MANTISSA)) }
}

/// `log(1 - u)` for the uniform values u of words. Exact operations are done on integers, where they are cheapest: the
/// subtraction from 1, and splitting off the mantissa (between the roots of 1/2 and of 2) and the exponent. The
/// roundings are those of [`log`].
#[inline(always)]
unsafe fn log_lanes<L: MathLanes>(words: L::Ints) -> L {
    // SAFETY: the caller promises the instruction set.
    unsafe {
        // (1 - u) * 2^24, and an exponent bias that removes the 24 again.
        let x = L::from_signed(L::sub_ints(L::splat_int(1 << 24), count::<L>(words)));
        const BIAS: u32 = (127 + 24) << 23;
        let moved = L::add_ints(x.to_bits(), L::splat_int((ONE_BITS - SQRT_HALF_BITS).wrapping_sub(BIAS)));
        let exponent = L::from_signed(L::shift_right_signed::<23>(moved));
        let mantissa = L::add_ints(L::and(moved, L::splat_int(0x007f_ffff)), L::splat_int(SQRT_HALF_BITS));
        let m = L::from_bits(mantissa).sub(L::splat(1.0));
        let square = m.mul(m);
        let mut y = L::splat(LOG_POLYNOMIAL[0]);
        for coefficient in &LOG_POLYNOMIAL[1..] {
            y = y.mul_add(m, L::splat(*coefficient));
        }
        y = y.mul(m);
        y = y.mul_add(square, exponent.mul(L::splat(LN2_LOW)));
        y = square.mul_add(L::splat(-0.5), y);
        exponent.mul_add(L::splat(LN2_HIGH), m.add(y))
    }
}

/// [`sin_cos`] of the uniform values of words, times 2 pi. The quarter turn is read from the integer. A test checks for
/// all 2^24 values that it is half of the octant that [`sin_cos`] finds by rounding.
#[inline(always)]
unsafe fn sin_cos_lanes<L: MathLanes>(words: L::Ints) -> (L, L) {
    // SAFETY: the caller promises the instruction set.
    unsafe {
        let count = count::<L>(words);
        let quarter = L::shift_right::<22>(L::add_ints(count, L::splat_int(1 << 21)));
        let quotient = L::from_signed(quarter);
        // Scaling by a power of two is exact, so its order does not matter.
        let mut x = L::from_signed(count).mul(L::splat(TWO_PI * STEP));
        for part in PI_OVER_FOUR {
            x = quotient.mul_add(L::splat(2.0 * part), x);
        }
        let z = x.mul(x);
        let mut cos = L::splat(COS_POLYNOMIAL[0]).mul_add(z, L::splat(COS_POLYNOMIAL[1]));
        cos = cos.mul_add(z, L::splat(COS_POLYNOMIAL[2])).mul(z);
        cos = cos.mul_add(z, z.mul(L::splat(-0.5))).add(L::splat(1.0));
        let mut sin = L::splat(SIN_POLYNOMIAL[0]).mul_add(z, L::splat(SIN_POLYNOMIAL[1]));
        sin = sin.mul_add(z, L::splat(SIN_POLYNOMIAL[2])).mul(z);
        sin = sin.mul_add(x, x);
        let swap = L::has_bit::<0>(quarter);
        let (sin, cos) = (L::select(swap, cos, sin), L::select(swap, sin, cos));
        // The sine is negative in quarters 2 and 3, the cosine in 1 and 2.
        let sign = L::splat_int(1 << 31);
        let sin_sign = L::and(L::shift_left::<30>(quarter), sign);
        let cos_sign = L::and(L::shift_left::<30>(L::add_ints(quarter, L::splat_int(1))), sign);
        (L::from_bits(L::xor(sin.to_bits(), sin_sign)), L::from_bits(L::xor(cos.to_bits(), cos_sign)))
    }
}

pub(crate) const PROBE: Probe = Probe { name: "draw_normal", line: "normal", sizes: &[MT_WORDS], run: probe };

fn probe(kernels: Kernels, len: usize, results: &mut Results) {
    let mut out = Framed::room(len);
    kernels.draw_normal(&twisted(kernels), 0.5, 2.0, &mut out);
    results.take(&out);
}
