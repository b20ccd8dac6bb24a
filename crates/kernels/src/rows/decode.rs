//! Reads elements from rows of every layout, and writes them to results of every type: one at a time, which is the
//! definition, and in vectors.

use super::format::{OutFormat, RowFormat};
use crate::half;
use crate::lanes::narrow::NarrowLanes;

/// A stored element means `stored * scale + bias`, computed in f32 by one fused multiply-add.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    pub(crate) scale: f32,
    pub(crate) bias: f32,
}

impl Scale {
    /// The scale of rows that are stored as plain numbers.
    const NONE: Self = Self { scale: 1.0, bias: 0.0 };
}

/// How rows of one layout are read: the element in a column, and vectors of elements, `N` per step.
pub(crate) trait Format<L: NarrowLanes, const N: usize> {
    /// The bytes that one lane of a step reads.
    const UNIT: usize;
    /// Whether elements are integers with a scale and a bias.
    const SCALED: bool;

    /// The scale and the bias of a row.
    ///
    /// # Safety
    /// A row of `dim` elements begins at `row`.
    unsafe fn scale(row: *const u8, dim: usize) -> Scale;

    /// The stored elements of `WIDTH` units beginning at `at`. If there are two vectors, the first holds the even
    /// columns.
    ///
    /// # Safety
    /// `WIDTH` units may be read, on a machine that has `L`'s instruction set.
    unsafe fn load(at: *const u8) -> [L; N];
}

/// Rows of one kind of float.
pub(crate) struct Float32;
/// IEEE halves.
pub(crate) struct Float16;
/// bfloat16.
pub(crate) struct BFloat16;
/// Bytes with a scale and a bias.
pub(crate) struct Int8;
/// Nibbles with a scale and a bias.
pub(crate) struct Int4;

macro_rules! unscaled {
    ($format:ty, $unit:literal, $at:ident => $load:expr) => {
        impl<L: NarrowLanes> Format<L, 1> for $format {
            const UNIT: usize = $unit;
            const SCALED: bool = false;

            #[inline(always)]
            unsafe fn scale(_row: *const u8, _dim: usize) -> Scale {
                Scale::NONE
            }

            #[inline(always)]
            unsafe fn load($at: *const u8) -> [L; 1] {
                // SAFETY: as the caller promises.
                unsafe { [$load] }
            }
        }
    };
}
unscaled!(Float32, 4, at => L::load(at.cast()));
unscaled!(Float16, 2, at => L::load_f16(at));
unscaled!(BFloat16, 2, at => L::load_bf16(at));

impl<L: NarrowLanes> Format<L, 1> for Int8 {
    const UNIT: usize = 1;
    const SCALED: bool = true;

    #[inline(always)]
    unsafe fn scale(row: *const u8, dim: usize) -> Scale {
        // SAFETY: the caller promises that 8 bytes follow the elements.
        unsafe { int8_scale(row, dim) }
    }

    #[inline(always)]
    unsafe fn load(at: *const u8) -> [L; 1] {
        // SAFETY: as the caller promises.
        unsafe { [L::load_u8(at)] }
    }
}

impl<L: NarrowLanes> Format<L, 2> for Int4 {
    const UNIT: usize = 1;
    const SCALED: bool = true;

    #[inline(always)]
    unsafe fn scale(row: *const u8, dim: usize) -> Scale {
        // SAFETY: the caller promises that 4 bytes follow the nibbles.
        unsafe {
            let [scale, bias] = L::load_two_f16(row.add(dim.div_ceil(2)));
            Scale { scale, bias }
        }
    }

    #[inline(always)]
    unsafe fn load(at: *const u8) -> [L; 2] {
        // SAFETY: as the caller promises.
        unsafe { L::load_nibbles(at) }
    }
}

#[inline(always)]
unsafe fn int8_scale(row: *const u8, dim: usize) -> Scale {
    // SAFETY: as the caller promises.
    unsafe {
        let [scale, bias] = row.add(dim).cast::<[u32; 2]>().read_unaligned();
        Scale { scale: f32::from_bits(u32::from_le(scale)), bias: f32::from_bits(u32::from_le(bias)) }
    }
}

/// Two halves after so many bytes of elements.
///
/// # Safety
/// They may be read.
#[inline(always)]
unsafe fn half_scale(row: *const u8, elements: usize) -> Scale {
    // SAFETY: as the caller promises.
    unsafe {
        let [scale, bias] = row.add(elements).cast::<[u16; 2]>().read_unaligned();
        Scale { scale: half::f16_to_f32(u16::from_le(scale)), bias: half::f16_to_f32(u16::from_le(bias)) }
    }
}

impl RowFormat {
    /// Whether elements are integers with a scale and a bias.
    pub(crate) fn is_scaled(self) -> bool {
        matches!(self, RowFormat::Int8 | RowFormat::Int4 | RowFormat::Int2)
    }

    /// The scale and the bias of a row.
    ///
    /// # Safety
    /// A row of `dim` elements begins at `row`.
    #[inline(always)]
    pub(crate) unsafe fn scale(self, row: *const u8, dim: usize) -> Scale {
        // SAFETY: as the caller promises.
        unsafe {
            match self {
                RowFormat::Int8 => int8_scale(row, dim),
                RowFormat::Int4 => half_scale(row, dim.div_ceil(2)),
                RowFormat::Int2 => half_scale(row, dim.div_ceil(4)),
                _ => Scale::NONE,
            }
        }
    }

    /// The stored element in a column, before its scale and bias.
    ///
    /// # Safety
    /// `column` is below the length of the row that begins at `row`.
    #[inline(always)]
    pub(crate) unsafe fn stored(self, row: *const u8, column: usize) -> f32 {
        // SAFETY: as the caller promises.
        unsafe {
            match self {
                RowFormat::Float32 => row.cast::<f32>().add(column).read_unaligned(),
                RowFormat::Float16 => half::f16_to_f32(row.cast::<u16>().add(column).read_unaligned()),
                RowFormat::BFloat16 => half::bf16_to_f32(row.cast::<u16>().add(column).read_unaligned()),
                RowFormat::Int8 => f32::from(*row.add(column)),
                RowFormat::Int4 => f32::from((*row.add(column / 2) >> (4 * (column % 2))) & 15),
                RowFormat::Int2 => f32::from((*row.add(column / 4) >> (2 * (column % 4))) & 3),
                RowFormat::Float8 => half::f8_to_f32(*row.add(column)),
                RowFormat::Blocks(block) => block.element(row, column),
            }
        }
    }

    /// The value in a column.
    ///
    /// # Safety
    /// As for [`RowFormat::stored`], and `scale` belongs to the row.
    #[inline(always)]
    pub(crate) unsafe fn value(self, row: *const u8, column: usize, scale: Scale) -> f32 {
        // SAFETY: as the caller promises.
        let stored = unsafe { self.stored(row, column) };
        if self.is_scaled() { stored.mul_add(scale.scale, scale.bias) } else { stored }
    }
}

impl OutFormat {
    /// Writes one element.
    ///
    /// # Safety
    /// `column` is below the length of the result that begins at `out`.
    #[inline(always)]
    pub(crate) unsafe fn put(self, out: *mut u8, column: usize, value: f32) {
        // SAFETY: as the caller promises.
        unsafe {
            match self {
                OutFormat::Float32 => out.cast::<f32>().add(column).write_unaligned(value),
                OutFormat::Float16 => out.cast::<u16>().add(column).write_unaligned(half::f32_to_f16(value)),
                OutFormat::BFloat16 => out.cast::<u16>().add(column).write_unaligned(half::f32_to_bf16(value)),
            }
        }
    }

    /// Writes `WIDTH` elements.
    ///
    /// # Safety
    /// As for [`OutFormat::put`] with the last of them, on a machine that has `L`'s instruction set.
    #[inline(always)]
    pub(crate) unsafe fn put_vector<L: NarrowLanes>(self, out: *mut u8, column: usize, values: L) {
        // SAFETY: as the caller promises.
        unsafe {
            match self {
                OutFormat::Float32 => values.store(out.cast::<f32>().add(column)),
                OutFormat::Float16 => values.store_f16(out.add(2 * column)),
                OutFormat::BFloat16 => values.store_bf16(out.add(2 * column)),
            }
        }
    }

    /// Writes `count` elements, beginning at `column`.
    ///
    /// # Safety
    /// As for [`OutFormat::put`] with the last of them; so many may be read from `values`; the machine has `L`'s
    /// instruction set.
    #[inline(always)]
    pub(crate) unsafe fn put_all<L: NarrowLanes>(self, out: *mut u8, column: usize, values: *const f32, count: usize) {
        let mut at = 0;
        // SAFETY: as the caller promises. The last vector overlaps the one before it.
        unsafe {
            while count >= L::WIDTH && at < count {
                at = at.min(count - L::WIDTH);
                self.put_vector(out, column + at, L::load(values.add(at)));
                at += L::WIDTH;
            }
            while at < count {
                self.put(out, column + at, *values.add(at));
                at += 1;
            }
        }
    }

    /// Writes the vectors of a step, beginning at `column`, up to the end of the row of `dim`. Two vectors hold the
    /// even and the odd columns.
    ///
    /// # Safety
    /// `column` is below `dim`, the length of the result that begins at `out`; the machine has `L`'s instruction set.
    #[inline(always)]
    pub(crate) unsafe fn put_step<L: NarrowLanes, const N: usize>(
        self,
        out: *mut u8,
        column: usize,
        dim: usize,
        values: [L; N],
    ) {
        const { assert!(N == 1 || N == 2, "a step is one vector, or two") };
        // SAFETY: each write is inside the row; a partial vector goes through a buffer of its own.
        unsafe {
            if N == 1 {
                self.put_vector(out, column, values[0]);
                return;
            }
            let [first, second] = L::interleave(values[0], values[N - 1]);
            self.put_vector(out, column, first);
            if column + 2 * L::WIDTH <= dim {
                self.put_vector(out, column + L::WIDTH, second);
                return;
            }
            let mut rest = [0.0; crate::lanes::BLOCK];
            second.store(rest.as_mut_ptr());
            let mut at = 0;
            while column + L::WIDTH + at < dim {
                self.put(out, column + L::WIDTH + at, rest[at]);
                at += 1;
            }
        }
    }
}
