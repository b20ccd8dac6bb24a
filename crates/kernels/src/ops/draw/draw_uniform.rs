//! draw_uniform: words of the Mersenne Twister as uniform f32.
//!
//! ```text
//! for i in 0..words.len:
//!     y = words[i]
//!     y ^= y >> 11;  y ^= (y << 7) & 0x9d2c5680;  y ^= (y << 15) & 0xefc60000;  y ^= y >> 18
//!     x = fma(f32(y & 0xffffff) * 2^-24, high - low, low)
//!     out[i] = low if x == high else x
//! ```
//!
//! This is `at::uniform_real_distribution<float>` and the clamp of `uniform_kernel` in PyTorch, with the multiplication
//! and the addition contracted as in its AVX2 build. The integer fits f32 exactly, so there is one rounding, and the
//! same bits everywhere.

use super::mt19937::{MT_WORDS, twisted};
use crate::dispatch::{Kernels, arms};
use crate::lanes::math::MathLanes;
use crate::probe::{Framed, Probe, Results};

/// The bits of a word that make a float in [0, 1).
pub(crate) const MANTISSA: u32 = 0x00ff_ffff;
/// 2^-24, the value of the last of these bits.
pub(crate) const STEP: f32 = 1.0 / 16_777_216.0;

/// The raw arguments of the op. Their contract, which [`Kernels::draw_uniform`] checks: `words` points at `len` words,
/// `out` at `len` elements that do not overlap them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawDrawUniform {
    pub(crate) words: *const u32,
    pub(crate) len: usize,
    pub(crate) low: f32,
    pub(crate) high: f32,
    pub(crate) out: *mut f32,
}

arms!(DRAW_UNIFORM: fn(op: RawDrawUniform), body<L>, reference);

impl Kernels {
    /// `out` = uniform values in [low, high) from untempered words.
    ///
    /// # Panics
    /// If the slices differ in length, which is a bug in the caller.
    pub fn draw_uniform(self, words: &[u32], low: f32, high: f32, out: &mut [f32]) {
        assert!(words.len() == out.len(), "draw_uniform: out of another size");
        let op = RawDrawUniform { words: words.as_ptr(), len: words.len(), low, high, out: out.as_mut_ptr() };
        // SAFETY: the sizes were just checked, a `&mut` overlaps nothing, and `self` proves that its
        // instruction set runs here.
        unsafe { DRAW_UNIFORM.on(self)(op) }
    }
}

/// Tempers a word: the engine's draw is the tempered word.
#[inline(always)]
pub fn temper(word: u32) -> u32 {
    let mut y = word;
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c_5680;
    y ^= (y << 15) & 0xefc6_0000;
    y ^ (y >> 18)
}

#[inline(always)]
fn element(word: u32, low: f32, high: f32) -> f32 {
    let x = ((temper(word) & MANTISSA) as f32 * STEP).mul_add(high - low, low);
    if x == high { low } else { x }
}

/// The reference, which defines the result.
unsafe fn reference(op: RawDrawUniform) {
    for i in 0..op.len {
        // SAFETY: the contract of `RawDrawUniform`.
        unsafe { *op.out.add(i) = element(*op.words.add(i), op.low, op.high) };
    }
}

/// # Safety
/// The contract of [`RawDrawUniform`], on a machine that has `L`'s instruction set.
#[inline(always)]
unsafe fn body<L: MathLanes>(op: RawDrawUniform) {
    // SAFETY: the contract of `RawDrawUniform`; every index stays below `len`.
    unsafe {
        let mut at = 0;
        while at + L::WIDTH <= op.len {
            vector::<L>(&op, at);
            at += L::WIDTH;
        }
        if at < op.len && op.len >= L::WIDTH {
            // The last vector overlaps the one before it, which is fine because words are only read.
            vector::<L>(&op, op.len - L::WIDTH);
        } else {
            while at < op.len {
                *op.out.add(at) = element(*op.words.add(at), op.low, op.high);
                at += 1;
            }
        }
    }
}

#[inline(always)]
unsafe fn vector<L: MathLanes>(op: &RawDrawUniform, at: usize) {
    // SAFETY: the caller promises that `WIDTH` elements from `at` on are inside the slices.
    unsafe {
        let y = temper_lanes::<L>(L::load_ints(op.words.add(at)));
        let bits = L::and(y, L::splat_int(MANTISSA));
        let low = L::splat(op.low);
        let high = L::splat(op.high);
        let x = L::from_signed(bits).mul(L::splat(STEP)).mul_add(high.sub(low), low);
        L::select(x.equals(high), low, x).store(op.out.add(at));
    }
}

/// [`temper`] for a vector.
#[inline(always)]
pub(crate) unsafe fn temper_lanes<L: MathLanes>(words: L::Ints) -> L::Ints {
    // SAFETY: the caller promises the instruction set.
    unsafe {
        let mut y = words;
        y = L::xor(y, L::shift_right::<11>(y));
        y = L::xor(y, L::and(L::shift_left::<7>(y), L::splat_int(0x9d2c_5680)));
        y = L::xor(y, L::and(L::shift_left::<15>(y), L::splat_int(0xefc6_0000)));
        L::xor(y, L::shift_right::<18>(y))
    }
}

pub(crate) const PROBE: Probe = Probe { name: "draw_uniform", line: "uniform", sizes: &[MT_WORDS], run: probe };

fn probe(kernels: Kernels, len: usize, results: &mut Results) {
    let words = twisted(kernels);
    let mut out = Framed::room(len);
    kernels.draw_uniform(&words, -0.3, 1.7, &mut out);
    results.take(&out);
}
