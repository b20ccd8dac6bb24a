//! Rows that are decoded before anything is done with them: int2, float8 and blocks of GGUF. An op takes one part of a
//! row's columns after the other, and decodes it to a buffer that stays in the first-level cache.

use super::blocks::{self, plain, vectors};
use super::decode::Scale;
use super::format::RowFormat;
use crate::lanes::narrow::NarrowLanes;
use std::ops::Range;

/// The largest number of columns in a part: whole blocks of every kind, and whole vectors.
pub(crate) const MOST: usize = blocks::MOST;

/// Some columns of a row: their first, which is a multiple of [`MOST`], and their number.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    pub(crate) first: usize,
    pub(crate) count: usize,
}

impl Part {
    /// All parts of rows of `dim` columns, in order.
    #[inline(always)]
    pub(crate) fn all(dim: usize) -> impl Iterator<Item = Self> {
        (0..dim).step_by(MOST).map(move |first| Self { first, count: (dim - first).min(MOST) })
    }

    /// The bytes of a row that hold the columns, without a scale.
    #[inline(always)]
    pub(crate) fn bytes(self, format: RowFormat) -> Range<usize> {
        let byte = |column: usize| match format {
            RowFormat::Blocks(block) => column / block.elements() * block.bytes(),
            RowFormat::Int2 => column.div_ceil(4),
            _ => column,
        };
        byte(self.first)..byte(self.first + self.count)
    }

    /// Decodes the columns of the row of `dim` that begins at `row`, by plain Rust: the reference.
    ///
    /// # Safety
    /// The row has those columns, in a format that is decoded; `count` elements may be written to `to`.
    pub(crate) unsafe fn decode_plainly(self, format: RowFormat, row: *const u8, dim: usize, to: *mut f32) {
        // SAFETY: as the caller promises.
        unsafe {
            if let RowFormat::Blocks(block) = format {
                return plain::decode(block, row.add(self.bytes(format).start), to, self.count / block.elements());
            }
            self.elements(0, format, row, format.scale(row, dim), to);
        }
    }

    /// The same in vectors.
    ///
    /// # Safety
    /// As for [`Part::decode_plainly`], on a machine that has `L`'s instruction set.
    #[inline(always)]
    pub(crate) unsafe fn decode<L: NarrowLanes>(self, format: RowFormat, row: *const u8, dim: usize, to: *mut f32) {
        // SAFETY: as the caller promises.
        unsafe {
            let from = row.add(self.bytes(format).start);
            let scale = format.scale(row, dim);
            let done = match format {
                RowFormat::Blocks(block) => {
                    return vectors::decode::<L>(block, from, to, self.count / block.elements());
                }
                RowFormat::Int2 => int2::<L>(from, scale, to, self.count),
                RowFormat::Float8 => float8::<L>(from, to, self.count),
                _ => 0,
            };
            self.elements(done, format, row, scale, to);
        }
    }

    /// Decodes the columns beginning with the one at `at`, one at a time.
    ///
    /// # Safety
    /// As for [`Part::decode_plainly`]; the scale is that of the row.
    #[inline(always)]
    unsafe fn elements(self, mut at: usize, format: RowFormat, row: *const u8, scale: Scale, to: *mut f32) {
        while at < self.count {
            // SAFETY: as the caller promises.
            unsafe { *to.add(at) = format.value(row, self.first + at, scale) };
            at += 1;
        }
    }
}

/// Decodes columns of a row of int2 that begin at a byte, as far as whole bytes make vectors. Returns their number.
///
/// # Safety
/// `count` columns may be read and written, on a machine that has `L`'s instruction set.
#[inline(always)]
unsafe fn int2<L: NarrowLanes>(from: *const u8, of_row: Scale, to: *mut f32, count: usize) -> usize {
    let bytes = count / 4;
    if bytes < L::WIDTH {
        return 0;
    }
    let mut at = 0;
    // SAFETY: as the caller promises. The last vector of bytes overlaps the one before it.
    unsafe {
        let (three, scale, bias) = (L::splat_int(3), L::splat(of_row.scale), L::splat(of_row.bias));
        while at < bytes {
            at = at.min(bytes - L::WIDTH);
            let four = L::load_bytes(from.add(at));
            let column = |bits| L::from_signed(L::and(bits, three));
            let even = L::interleave(column(four), column(L::shift_right::<4>(four)));
            let odd = L::interleave(column(L::shift_right::<2>(four)), column(L::shift_right::<6>(four)));
            let mut half = 0;
            while half < 2 {
                let [first, second] = L::interleave(even[half], odd[half]);
                let to = to.add(4 * at + 2 * half * L::WIDTH);
                first.mul_add(scale, bias).store(to);
                second.mul_add(scale, bias).store(to.add(L::WIDTH));
                half += 1;
            }
            at += L::WIDTH;
        }
    }
    4 * bytes
}

/// Decodes columns of a row of float8, if they make a vector. Returns their number.
///
/// # Safety
/// `count` columns may be read and written, on a machine that has `L`'s instruction set.
#[inline(always)]
unsafe fn float8<L: NarrowLanes>(from: *const u8, to: *mut f32, count: usize) -> usize {
    if count < L::WIDTH {
        return 0;
    }
    let mut at = 0;
    // SAFETY: as the caller promises. The last vector overlaps the one before it.
    unsafe {
        // Small numbers are multiples of 2^-9: their bits below those of 2^-6, less 2^-6. The bits of others are those
        // of an f32 but for the bias. No subnormal f32 takes part, because arithmetic with those can be slow.
        let (small, other) = (L::splat_int(121 << 23), L::splat_int(120 << 23));
        let exponent = L::splat_int(0x78);
        while at < count {
            at = at.min(count - L::WIDTH);
            let bytes = L::load_bytes(from.add(at));
            let magnitude = L::shift_left::<20>(L::and(bytes, L::splat_int(0x7f)));
            let sign = L::shift_left::<24>(L::and(bytes, L::splat_int(0x80)));
            let is_small = L::from_signed(L::and(bytes, exponent)).equals(L::splat(0.0));
            let small = L::from_bits(L::add_ints(magnitude, small)).sub(L::from_bits(small));
            let value = L::select(is_small, small, L::from_bits(L::add_ints(magnitude, other)));
            L::from_bits(L::add_ints(value.to_bits(), sign)).store(to.add(at));
            at += L::WIDTH;
        }
    }
    count
}
