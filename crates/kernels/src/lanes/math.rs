//! The arithmetic that random draws need, on top of [`Lanes`]: f32 with fused multiply-add, and as many lanes of u32.
//!
//! As in [`Lanes`], every method is `unsafe` because the machine must have the instruction set. Every operation rounds
//! as IEEE says, so a body written with this trait gives the same bits on each instruction set.

use crate::lanes::Lanes;

/// Lanes that can do arithmetic, with integer lanes of the same width.
pub(crate) trait MathLanes: Lanes {
    /// `WIDTH` u32, wrapping.
    type Ints: Copy;
    /// A boolean for each lane.
    type Mask: Copy;

    /// The same value in every lane.
    unsafe fn splat(value: f32) -> Self;
    /// `self - other`.
    unsafe fn sub(self, other: Self) -> Self;
    /// `self * other`.
    unsafe fn mul(self, other: Self) -> Self;
    /// `self * factor + term`, rounded once.
    unsafe fn mul_add(self, factor: Self, term: Self) -> Self;
    /// The square root, rounded correctly.
    unsafe fn sqrt(self) -> Self;
    /// The sum of the lanes, halved until one is left: lane `i` is added to lane `i + half`.
    unsafe fn sum(self) -> f32;
    /// `self == other`.
    unsafe fn equals(self, other: Self) -> Self::Mask;
    /// `yes` in lanes where the mask is set, and `no` in the others.
    unsafe fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;
    /// The bits of the floats.
    unsafe fn to_bits(self) -> Self::Ints;
    /// The floats with these bits.
    unsafe fn from_bits(bits: Self::Ints) -> Self;
    /// Signed integers converted to floats, rounded to nearest even.
    unsafe fn from_signed(ints: Self::Ints) -> Self;

    /// Reads `WIDTH` integers, at any alignment.
    unsafe fn load_ints(from: *const u32) -> Self::Ints;
    /// Writes `WIDTH` integers, at any alignment.
    unsafe fn store_ints(ints: Self::Ints, to: *mut u32);
    /// The same integer in every lane.
    unsafe fn splat_int(value: u32) -> Self::Ints;
    /// Wrapping sum.
    unsafe fn add_ints(a: Self::Ints, b: Self::Ints) -> Self::Ints;
    /// Wrapping difference.
    unsafe fn sub_ints(a: Self::Ints, b: Self::Ints) -> Self::Ints;
    /// Bitwise and.
    unsafe fn and(a: Self::Ints, b: Self::Ints) -> Self::Ints;
    /// Bitwise exclusive or.
    unsafe fn xor(a: Self::Ints, b: Self::Ints) -> Self::Ints;
    /// Shifts left by a constant below 32.
    unsafe fn shift_left<const BY: u32>(ints: Self::Ints) -> Self::Ints;
    /// Shifts right by a constant from 1 to 31, filling with zeros.
    unsafe fn shift_right<const BY: u32>(ints: Self::Ints) -> Self::Ints;
    /// Shifts right by a constant from 1 to 31, filling with the sign bit.
    unsafe fn shift_right_signed<const BY: u32>(ints: Self::Ints) -> Self::Ints;
    /// The lanes in which bit `BIT` is set.
    unsafe fn has_bit<const BIT: u32>(ints: Self::Ints) -> Self::Mask;

    /// Reads whole blocks of 16 at `from`: the lanes of their first halves, and the lanes 8 elements later. Vectors
    /// narrower than half a block read a part of it, beginning at `from`.
    #[inline(always)]
    unsafe fn load_halves(from: *const u32) -> (Self::Ints, Self::Ints) {
        const { assert!(Self::WIDTH <= 8, "wider lanes must gather halves of several blocks") };
        // SAFETY: the caller promises that both parts may be read.
        unsafe { (Self::load_ints(from), Self::load_ints(from.add(8))) }
    }
    /// The inverse of [`MathLanes::load_halves`], for results.
    #[inline(always)]
    unsafe fn store_halves(first: Self, second: Self, to: *mut f32) {
        const { assert!(Self::WIDTH <= 8, "wider lanes must spread halves over several blocks") };
        // SAFETY: the caller promises that both parts may be written.
        unsafe {
            first.store(to);
            second.store(to.add(8));
        }
    }
}
