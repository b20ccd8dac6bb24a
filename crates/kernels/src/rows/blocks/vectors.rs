//! Blocks decoded in vectors: the kinds that most files of tables have. The others are left to the compiler, which
//! makes vectors of the plain functions.

use super::{Block, plain};
use crate::lanes::narrow::NarrowLanes;

/// Writes the elements of `count` blocks.
///
/// # Safety
/// As for [`plain::decode`], on a machine that has `L`'s instruction set.
#[inline(always)]
pub(crate) unsafe fn decode<L: NarrowLanes>(kind: Block, from: *const u8, to: *mut f32, count: usize) {
    const { assert!(16 % L::WIDTH == 0, "parts of blocks are whole vectors") };
    // SAFETY: as the caller promises; every block is read and written within its own bytes.
    unsafe {
        macro_rules! each {
            ($one:ident) => {{
                let mut n = 0;
                while n < count {
                    $one::<L>(from.add(n * kind.bytes()), to.add(n * kind.elements()));
                    n += 1;
                }
            }};
        }
        match kind {
            Block::Q8_0 => each!(q8_0),
            Block::Q4_0 => each!(q4_0),
            Block::Q4K => each!(q4_k),
            Block::Q6K => each!(q6_k),
            _ => plain::decode(kind, from, to, count),
        }
    }
}

/// # Safety
/// As for [`decode`] with one block of this kind.
#[inline(always)]
unsafe fn q8_0<L: NarrowLanes>(from: *const u8, to: *mut f32) {
    // SAFETY: as the caller promises; the second half that is read is of the block, too.
    unsafe {
        let d = L::splat(L::load_two_f16(from)[0]);
        let mut i = 0;
        while i < 32 {
            d.mul(L::load_i8(from.add(2 + i))).store(to.add(i));
            i += L::WIDTH;
        }
    }
}

/// # Safety
/// As for [`decode`] with one block of this kind.
#[inline(always)]
unsafe fn q4_0<L: NarrowLanes>(from: *const u8, to: *mut f32) {
    // SAFETY: as the caller promises; the second half that is read is of the block, too.
    unsafe {
        let d = L::splat(L::load_two_f16(from)[0]);
        let middle = L::splat(8.0);
        let mut i = 0;
        while i < 16 {
            let [low, high] = L::load_nibbles(from.add(2 + i));
            d.mul(low.sub(middle)).store(to.add(i));
            d.mul(high.sub(middle)).store(to.add(16 + i));
            i += L::WIDTH;
        }
    }
}

/// # Safety
/// As for [`decode`] with one block of this kind.
#[inline(always)]
unsafe fn q4_k<L: NarrowLanes>(from: *const u8, to: *mut f32) {
    // SAFETY: as the caller promises.
    unsafe {
        let [d, m] = L::load_two_f16(from);
        let twelve = from.add(4).cast::<[u32; 3]>().read_unaligned();
        let (scales, mins) = plain::scales(twelve.map(u32::from_le));
        let mut part = 0;
        while part < 8 {
            let (scale, min) = (d * f32::from(scales[part]), m * f32::from(mins[part]));
            let (scale_2, min_2) = (d * f32::from(scales[part + 1]), m * f32::from(mins[part + 1]));
            let (scale, min) = (L::splat(scale), L::splat(min));
            let (scale_2, min_2) = (L::splat(scale_2), L::splat(min_2));
            let mut i = 0;
            while i < 32 {
                let [low, high] = L::load_nibbles(from.add(16 + 16 * part + i));
                scale.mul(low).sub(min).store(to.add(32 * part + i));
                scale_2.mul(high).sub(min_2).store(to.add(32 * part + 32 + i));
                i += L::WIDTH;
            }
            part += 2;
        }
    }
}

/// # Safety
/// As for [`decode`] with one block of this kind.
#[inline(always)]
unsafe fn q6_k<L: NarrowLanes>(from: *const u8, to: *mut f32) {
    // SAFETY: as the caller promises; the first half that is read is of the block, too.
    unsafe {
        let d = L::load_two_f16(from.add(206))[1];
        let (three, fifteen) = (L::splat_int(3), L::splat_int(15));
        let mut group = 0;
        while group < 2 {
            let (low, high) = (from.add(64 * group), from.add(128 + 32 * group));
            let (scales, to) = (from.add(192 + 8 * group), to.add(128 * group));
            let mut i = 0;
            while i < 32 {
                let (a, b, bits) =
                    (L::load_bytes(low.add(i)), L::load_bytes(low.add(32 + i)), L::load_bytes(high.add(i)));
                let all = [
                    six_bits::<L>(L::and(a, fifteen), L::and(bits, three)),
                    six_bits::<L>(L::and(b, fifteen), L::and(L::shift_right::<2>(bits), three)),
                    six_bits::<L>(L::shift_right::<4>(a), L::and(L::shift_right::<4>(bits), three)),
                    six_bits::<L>(L::shift_right::<4>(b), L::shift_right::<6>(bits)),
                ];
                let mut n = 0;
                while n < 4 {
                    let scale = d * f32::from(scales.add(2 * n + i / 16).cast::<i8>().read());
                    L::splat(scale).mul(all[n]).store(to.add(32 * n + i));
                    n += 1;
                }
                i += L::WIDTH;
            }
            group += 1;
        }
    }
}

/// The numbers whose low four and high two bits these are, less 32.
///
/// # Safety
/// The machine has `L`'s instruction set.
#[inline(always)]
unsafe fn six_bits<L: NarrowLanes>(low: L::Ints, high: L::Ints) -> L {
    // SAFETY: as the caller promises. The parts share no bit, so their sum puts them together.
    unsafe { L::from_signed(L::sub_ints(L::add_ints(low, L::shift_left::<4>(high)), L::splat_int(32))) }
}
