//! What tables and results of small elements need, on top of [`MathLanes`]: vectors of f32 out of halves, bytes and
//! nibbles, and back into halves.
//!
//! As in [`crate::lanes`], every method is `unsafe` because the machine must have the instruction set, and pointers
//! must be valid for what is read or written, at any alignment. All conversions are exact or round to nearest even, so
//! that a body written on this trait gives the same bits on each instruction set.

use crate::lanes::math::MathLanes;

/// Lanes that read and write small elements.
pub(crate) trait NarrowLanes: MathLanes {
    /// Vectors of half as many lanes, for what is too short for these; themselves where there are none.
    type Shorter: NarrowLanes;
    /// Vectors that fit in the registers as sums, with room for what is added to them.
    const SUMS: usize;

    /// `WIDTH` IEEE halves.
    unsafe fn load_f16(from: *const u8) -> Self;
    /// Two IEEE halves.
    unsafe fn load_two_f16(from: *const u8) -> [f32; 2];
    /// `WIDTH` bfloat16.
    unsafe fn load_bf16(from: *const u8) -> Self;
    /// `WIDTH` unsigned bytes, as numbers.
    unsafe fn load_u8(from: *const u8) -> Self;
    /// The low and the high nibbles of `WIDTH` bytes, as numbers.
    unsafe fn load_nibbles(from: *const u8) -> [Self; 2];
    /// `a0 b0 a1 b1 ...`, in two vectors.
    unsafe fn interleave(a: Self, b: Self) -> [Self; 2];
    /// Neighbours change places: `1 0 3 2 ...`.
    unsafe fn swap_pairs(self) -> Self;
    /// Writes `WIDTH` IEEE halves.
    unsafe fn store_f16(self, to: *mut u8);
    /// Writes the low 16 bits of `WIDTH` integers that have no others.
    unsafe fn store_low_halves(ints: Self::Ints, to: *mut u8);
    /// `self > other ? self : other`: `other` where one of them is NaN.
    unsafe fn max(self, other: Self) -> Self;
    /// `self / other`.
    unsafe fn div(self, other: Self) -> Self;

    /// Writes `WIDTH` bfloat16.
    #[inline(always)]
    unsafe fn store_bf16(self, to: *mut u8) {
        // SAFETY: as the caller promises.
        unsafe {
            let bits = self.to_bits();
            let even = Self::and(Self::shift_right::<16>(bits), Self::splat_int(1));
            let rounded = Self::add_ints(bits, Self::add_ints(even, Self::splat_int(0x7fff)));
            // `bits | 0x0040_0000`, without an or: what the bit lacks is added.
            let quiet = Self::splat_int(0x0040_0000);
            let nan = Self::add_ints(bits, Self::sub_ints(quiet, Self::and(bits, quiet)));
            let number = self.equals(self);
            let chosen = Self::select(number, Self::from_bits(rounded), Self::from_bits(nan));
            Self::store_low_halves(Self::shift_right::<16>(chosen.to_bits()), to);
        }
    }
}
