//! The operations for tables and results of small elements, on top of [`MathLanes`]: they make vectors of f32 from
//! halves, bytes and nibbles, and convert back to halves.
//!
//! As in [`crate::lanes`], every method is `unsafe` because the machine must have the instruction set, and pointers
//! must be valid for what is read or written, at any alignment. All conversions are exact or round to nearest even, so
//! a body written with this trait gives the same bits on each instruction set.

use crate::lanes::math::MathLanes;

/// Lanes that read and write small elements.
pub(crate) trait NarrowLanes: MathLanes {
    /// Vectors of half as many lanes, for rows that are too short for these; `Self` if there are none.
    type Shorter: NarrowLanes;
    /// The number of vectors that fit in the registers as sums, with room for what is added to them.
    const SUMS: usize;

    /// Reads `WIDTH` IEEE halves.
    unsafe fn load_f16(from: *const u8) -> Self;
    /// Reads two IEEE halves.
    unsafe fn load_two_f16(from: *const u8) -> [f32; 2];
    /// Reads `WIDTH` bfloat16.
    unsafe fn load_bf16(from: *const u8) -> Self;
    /// Reads `WIDTH` unsigned bytes as numbers.
    unsafe fn load_u8(from: *const u8) -> Self;
    /// Reads `WIDTH` signed bytes as numbers.
    unsafe fn load_i8(from: *const u8) -> Self;
    /// Reads `WIDTH` unsigned bytes as integers.
    unsafe fn load_bytes(from: *const u8) -> Self::Ints;
    /// Reads the low and the high nibbles of `WIDTH` bytes as numbers.
    unsafe fn load_nibbles(from: *const u8) -> [Self; 2];
    /// `a0 b0 a1 b1 ...`, in two vectors.
    unsafe fn interleave(a: Self, b: Self) -> [Self; 2];
    /// Swaps neighbouring lanes: `1 0 3 2 ...`.
    unsafe fn swap_pairs(self) -> Self;
    /// Writes `WIDTH` IEEE halves.
    unsafe fn store_f16(self, to: *mut u8);
    /// Writes the low 16 bits of `WIDTH` integers whose other bits are zero.
    unsafe fn store_low_halves(ints: Self::Ints, to: *mut u8);
    /// `self > other ? self : other`, which is `other` if either is NaN.
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
            // This is `bits | 0x0040_0000` without an or: the bit is added where it is missing.
            let quiet = Self::splat_int(0x0040_0000);
            let nan = Self::add_ints(bits, Self::sub_ints(quiet, Self::and(bits, quiet)));
            let number = self.equals(self);
            let chosen = Self::select(number, Self::from_bits(rounded), Self::from_bits(nan));
            Self::store_low_halves(Self::shift_right::<16>(chosen.to_bits()), to);
        }
    }
}
