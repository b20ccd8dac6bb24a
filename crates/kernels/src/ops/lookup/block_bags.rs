//! The body of [`super::bag`] for rows of blocks. Each bag is computed in parts of columns: a row's part is decoded
//! into a buffer that stays in the first-level cache, and added to the sums, which are there, too. As for floats, the
//! value that is stored takes one fused multiply-add with the weight.

use super::bag_raw::{Mode, RawBag};
use crate::lanes::narrow::NarrowLanes;
use crate::rows::blocks::{Block, MOST, plain, vectors};
use std::ops::Range;

/// The number of rows to prefetch ahead.
const AHEAD: usize = 4;
/// The bytes of a cache line.
const LINE: usize = 64;

/// Elements of a part, at the alignment of a cache line.
#[repr(align(64))]
struct Part([f32; MOST]);

/// The columns of a part of each row: their first, their number, and the bytes that hold them.
struct Columns {
    first: usize,
    count: usize,
    bytes: Range<usize>,
}

/// The parts of a row, in order.
#[inline(always)]
fn parts(dim: usize, block: Block) -> impl Iterator<Item = Columns> {
    (0..dim).step_by(MOST).map(move |first| {
        let count = (dim - first).min(MOST);
        let byte = |column: usize| column / block.elements() * block.bytes();
        Columns { first, count, bytes: byte(first)..byte(first + count) }
    })
}

/// The reference, which defines the result.
///
/// # Safety
/// The contract of [`RawBag`]; rows are of such blocks.
pub(crate) unsafe fn reference(op: RawBag, block: Block) {
    let (mut sums, mut values) = (Part([0.0; MOST]), Part([0.0; MOST]));
    for b in 0..op.bags {
        for Columns { first, count, bytes } in parts(op.dim, block) {
            // SAFETY: as the caller promises; parts are whole blocks of a row.
            unsafe {
                let members = op.members(b);
                sums.0 = [0.0; MOST];
                for i in members.first..members.end {
                    if op.is_padding(i) {
                        continue;
                    }
                    plain::decode(block, op.row(i).add(bytes.start), values.0.as_mut_ptr(), count / block.elements());
                    for (sum, &value) in sums.0.iter_mut().zip(&values.0).take(count) {
                        if op.mode != Mode::Max {
                            *sum = value.mul_add(op.weight(i), *sum);
                        } else if i == members.first || value > *sum {
                            *sum = value;
                        }
                    }
                }
                for (column, &sum) in sums.0.iter().enumerate().take(count) {
                    let mean = op.mode == Mode::Mean && members.count > 0;
                    let value = if mean { sum / members.count as f32 } else { sum };
                    op.out_format.put(op.out(b), first + column, value);
                }
            }
        }
    }
}

/// # Safety
/// As for [`reference`], on a machine that has `L`'s instruction set.
#[inline(always)]
pub(crate) unsafe fn body<L: NarrowLanes>(op: RawBag, block: Block) {
    // SAFETY: as the caller promises.
    unsafe { if op.mode == Mode::Max { bags::<L, true>(op, block) } else { bags::<L, false>(op, block) } }
}

/// # Safety
/// As for [`body`].
#[inline(always)]
unsafe fn bags<L: NarrowLanes, const MAX: bool>(op: RawBag, block: Block) {
    let (mut sums, mut values) = (Part([0.0; MOST]), Part([0.0; MOST]));
    for b in 0..op.bags {
        for Columns { first, count, bytes } in parts(op.dim, block) {
            // SAFETY: as the caller promises; parts are whole blocks of a row, and blocks whole vectors. A prefetch
            // never faults.
            unsafe {
                let members = op.members(b);
                clear::<L>(&mut sums, count);
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
                    let from = op.row(i).add(bytes.start);
                    vectors::decode::<L>(block, from, values.0.as_mut_ptr(), count / block.elements());
                    let (weight, begins) = (L::splat(op.weight(i)), i == members.first);
                    let mut at = 0;
                    while at < count {
                        let value = L::load(values.0.as_ptr().add(at));
                        let sum = L::load(sums.0.as_ptr().add(at));
                        let next = match (MAX, begins) {
                            (true, true) => value,
                            (true, false) => value.max(sum),
                            (false, _) => value.mul_add(weight, sum),
                        };
                        next.store(sums.0.as_mut_ptr().add(at));
                        at += L::WIDTH;
                    }
                }
                let divisor = L::splat(members.count.max(1) as f32);
                let mut at = 0;
                while at < count {
                    let sum = L::load(sums.0.as_ptr().add(at));
                    let value = if op.mode == Mode::Mean { sum.div(divisor) } else { sum };
                    op.out_format.put_vector(op.out(b), first + at, value);
                    at += L::WIDTH;
                }
            }
        }
    }
}

/// Sets the first `count` elements, whole vectors, to zero.
///
/// # Safety
/// The machine has `L`'s instruction set.
#[inline(always)]
unsafe fn clear<L: NarrowLanes>(part: &mut Part, count: usize) {
    let mut at = 0;
    while at < count {
        // SAFETY: a part has at most `MOST` elements, which are whole vectors.
        unsafe { L::splat(0.0).store(part.0.as_mut_ptr().add(at)) };
        at += L::WIDTH;
    }
}
