//! The body of [`super::bag`] for rows that are decoded first. Each bag is computed in parts of columns: a row's part
//! is decoded into a buffer that stays in the first-level cache, and added to the sums, which are there, too. As for
//! floats, the value that is stored takes one fused multiply-add with the weight.

use super::bag_raw::{Mode, RawBag};
use crate::lanes::narrow::NarrowLanes;
use crate::rows::parts::{MOST, Part};

/// The number of rows to prefetch ahead.
const AHEAD: usize = 4;
/// The bytes of a cache line.
const LINE: usize = 64;

/// Elements of a part, at the alignment of a cache line.
#[repr(align(64))]
struct Buffer([f32; MOST]);

/// The reference, which defines the result.
///
/// # Safety
/// The contract of [`RawBag`]; rows are of a layout that is decoded.
pub(crate) unsafe fn reference(op: RawBag) {
    let (mut sums, mut values) = (Buffer([0.0; MOST]), Buffer([0.0; MOST]));
    for b in 0..op.bags {
        for part in Part::all(op.dim) {
            // SAFETY: as the caller promises; parts are columns of a row.
            unsafe {
                let members = op.members(b);
                sums.0 = [0.0; MOST];
                for i in members.first..members.end {
                    if op.is_padding(i) {
                        continue;
                    }
                    part.decode_plainly(op.format, op.row(i), op.dim, values.0.as_mut_ptr());
                    for (sum, &value) in sums.0.iter_mut().zip(&values.0).take(part.count) {
                        if op.mode != Mode::Max {
                            *sum = value.mul_add(op.weight(i), *sum);
                        } else if i == members.first || value > *sum {
                            *sum = value;
                        }
                    }
                }
                for (column, &sum) in sums.0.iter().enumerate().take(part.count) {
                    let mean = op.mode == Mode::Mean && members.count > 0;
                    let value = if mean { sum / members.count as f32 } else { sum };
                    op.out_format.put(op.out(b), part.first + column, value);
                }
            }
        }
    }
}

/// # Safety
/// As for [`reference`], on a machine that has `L`'s instruction set.
#[inline(always)]
pub(crate) unsafe fn body<L: NarrowLanes>(op: RawBag) {
    let (mut sums, mut values) = (Buffer([0.0; MOST]), Buffer([0.0; MOST]));
    for b in 0..op.bags {
        for part in Part::all(op.dim) {
            // SAFETY: as the caller promises; parts are columns of a row, and buffers whole vectors, of which what is
            // beyond the part is not used. A prefetch never faults.
            unsafe {
                let members = op.members(b);
                let bytes = part.bytes(op.format);
                clear::<L>(&mut sums, part.count);
                for i in members.begin..members.end {
                    let later = op.row((i + AHEAD).min(members.end - 1)).add(bytes.start);
                    let mut at = 0;
                    while at < bytes.len() {
                        L::prefetch(later.add(at).cast());
                        at += LINE;
                    }
                    if op.is_padding(i) {
                        continue;
                    }
                    part.decode::<L>(op.format, op.row(i), op.dim, values.0.as_mut_ptr());
                    if op.mode != Mode::Max {
                        let weight = L::splat(op.weight(i));
                        each::<L>(&mut sums, &values, part.count, |sum, value| value.mul_add(weight, sum));
                    } else if i == members.first {
                        each::<L>(&mut sums, &values, part.count, |_, value| value);
                    } else {
                        each::<L>(&mut sums, &values, part.count, |sum, value| value.max(sum));
                    }
                }
                let divisor = L::splat(members.count.max(1) as f32);
                if op.mode == Mode::Mean {
                    each::<L>(&mut sums, &values, part.count, |sum, _| sum.div(divisor));
                }
                op.out_format.put_all::<L>(op.out(b), part.first, sums.0.as_ptr(), part.count);
            }
        }
    }
}

/// Replaces the first `count` sums, and what fills their last vector, by what `next` makes of them and of the values.
///
/// # Safety
/// The machine has `L`'s instruction set.
#[inline(always)]
unsafe fn each<L: NarrowLanes>(sums: &mut Buffer, values: &Buffer, count: usize, next: impl Fn(L, L) -> L) {
    let mut at = 0;
    while at < count {
        // SAFETY: buffers have `MOST` elements, which are whole vectors.
        unsafe {
            let (sum, value) = (L::load(sums.0.as_ptr().add(at)), L::load(values.0.as_ptr().add(at)));
            next(sum, value).store(sums.0.as_mut_ptr().add(at));
        }
        at += L::WIDTH;
    }
}

/// Sets the first `count` elements to zero, and what fills their last vector.
///
/// # Safety
/// The machine has `L`'s instruction set.
#[inline(always)]
unsafe fn clear<L: NarrowLanes>(buffer: &mut Buffer, count: usize) {
    let mut at = 0;
    while at < count {
        // SAFETY: a buffer has `MOST` elements, which are whole vectors.
        unsafe { L::splat(0.0).store(buffer.0.as_mut_ptr().add(at)) };
        at += L::WIDTH;
    }
}
