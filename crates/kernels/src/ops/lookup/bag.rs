//! bag: the rows that a bag of ids names, summed, averaged, or the largest of each column.
//!
//! ```text
//! for b in bags:
//!     rows = [table[ids[i]] for i in begin(b)..end(b) if ids[i] != padding]
//!     sum:  acc = 0.0                              of floats
//!           acc = weight * bias of the first       of scaled integers
//!           for row in rows, in order:  acc = fma(stored(row, d), scale(row) * weight, acc)
//!           of scaled integers:         acc = acc + (fma(bias, weight, ...) of all rows but the first, from 0.0, in order)
//!     mean: the sum / f32(number of rows)
//!     max:  value(first); then value > acc ? value : acc
//!     out[b * dim + d] = round(acc); 0.0 of no rows
//! ```
//!
//! `torch.nn.functional.embedding_bag`. Without weights all are 1. The integers' biases are added once for all rows, so
//! that a row costs a conversion and a fused multiply-add; a bag of one row is that row as gather_rows has it, to the bit.
//! Sums run in the order of the ids: the same bits on every instruction set.

use super::bag_tiles;
use crate::dispatch::Kernels;
use crate::ids::CheckedIds;
use crate::lanes::narrow::NarrowLanes;
use crate::rows::format::{OutFormat, RowFormat, RowTable};
use std::ops::Range;

/// What becomes of the rows of a bag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it all")]
pub enum Mode {
    Sum,
    Mean,
    Max,
}

impl Mode {
    /// All, in the order of their codes.
    pub const ALL: [Mode; 3] = [Mode::Sum, Mode::Mean, Mode::Max];
}

/// Where bags begin and end among the ids.
#[derive(Clone, Copy, Debug)]
pub enum Bags<'a> {
    /// Bags of so many ids each.
    Even(usize),
    /// Bag b is `offsets[b] .. offsets[b + 1]`.
    Ragged(&'a [usize]),
}

/// A batch of bags.
#[derive(Clone, Copy, Debug)]
pub struct Bag<'a> {
    /// Whose rows.
    pub table: RowTable<'a>,
    /// Which rows.
    pub ids: CheckedIds<'a>,
    /// Whose ids.
    pub bags: Bags<'a>,
    /// A factor for each id, for sums.
    pub weights: Option<&'a [f32]>,
    /// An id that counts for nothing.
    pub padding: Option<u32>,
    /// What becomes of the rows.
    pub mode: Mode,
}

/// The op as the kernels take it. Contract, kept by [`Kernels::bag`]: bags `first .. first + bags` begin and end inside the
/// ids, in order; each id is below the number of rows of `row_bytes` that `table` points at, laid out as `format` says;
/// `weights` is null or points at as many factors as there are ids; `out` points at `bags * dim` elements of `out_format`
/// that overlap none of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawBag {
    pub(crate) table: *const u8,
    pub(crate) format: RowFormat,
    pub(crate) row_bytes: usize,
    pub(crate) dim: usize,
    pub(crate) ids: *const u32,
    /// Null where bags are even.
    pub(crate) offsets: *const usize,
    pub(crate) length: usize,
    pub(crate) first: usize,
    pub(crate) bags: usize,
    pub(crate) weights: *const f32,
    /// No row has the number `u32::MAX`: it stands for no padding.
    pub(crate) padding: u32,
    pub(crate) mode: Mode,
    pub(crate) out: *mut u8,
    pub(crate) out_format: OutFormat,
}

impl Kernels {
    /// The results of the bags in `range`, as (bags x dim) elements of `out_format` in the bytes of `out`.
    ///
    /// # Panics
    /// If slices are not of these sizes, or bags not inside the ids: the caller's bug, not its user's.
    pub fn bag(&self, bag: &Bag<'_>, range: Range<usize>, out_format: OutFormat, out: &mut [u8]) {
        let Bag { table, ids, bags, weights, padding, mode } = *bag;
        let len = ids.ids().len();
        let need = range.len().checked_mul(table.dim()).and_then(|elements| elements.checked_mul(out_format.size()));
        assert!(range.start <= range.end, "bag: a range that ends before it begins");
        assert!(need == Some(out.len()), "bag: out of another size");
        assert!(ids.rows() <= table.rows(), "bag: table too small");
        assert!(
            weights.is_none_or(|weights| weights.len() == len && mode == Mode::Sum),
            "bag: weights of another length"
        );
        assert!(padding != Some(u32::MAX), "bag: no row has this number");
        let (offsets, length) = match bags {
            Bags::Even(length) => {
                let end = range.end.checked_mul(length);
                assert!(end.is_some_and(|end| end <= len), "bag: bags beyond the ids");
                (std::ptr::null(), length)
            }
            Bags::Ragged(offsets) => {
                let of_range = offsets.get(range.start..).and_then(|from| from.get(..range.len() + 1));
                let inside = of_range.is_some_and(|of| of.is_sorted() && of.last().is_some_and(|&end| end <= len));
                assert!(range.is_empty() || inside, "bag: bags beyond the ids");
                (offsets.as_ptr(), 0)
            }
        };
        let op = RawBag {
            table: table.bytes().as_ptr(),
            format: table.format(),
            row_bytes: table.row_bytes(),
            dim: table.dim(),
            ids: ids.ids().as_ptr(),
            offsets,
            length,
            first: range.start,
            bags: range.len(),
            weights: weights.map_or(std::ptr::null(), <[f32]>::as_ptr),
            padding: padding.unwrap_or(u32::MAX),
            mode,
            out: out.as_mut_ptr(),
            out_format,
        };
        // SAFETY: all of the contract was just checked, CheckedIds are below its rows, a `&mut` overlaps nothing, and this
        // table is only handed out where its instruction set runs.
        unsafe { (self.bag)(op) }
    }
}

/// What one bag is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Members {
    pub(crate) begin: usize,
    pub(crate) end: usize,
    /// The first id that is not padding; `end` where there is none.
    pub(crate) first: usize,
    /// Ids that are not padding.
    pub(crate) count: usize,
}

impl RawBag {
    /// Where the b-th bag of the op begins and ends.
    ///
    /// # Safety
    /// The contract; `b` is below `bags`.
    #[inline(always)]
    pub(crate) unsafe fn bounds(&self, b: usize) -> (usize, usize) {
        let bag = self.first + b;
        if self.offsets.is_null() {
            return (bag * self.length, (bag + 1) * self.length);
        }
        // SAFETY: the caller's.
        unsafe { (*self.offsets.add(bag), *self.offsets.add(bag + 1)) }
    }

    /// The b-th bag of the op.
    ///
    /// # Safety
    /// As for [`RawBag::bounds`].
    #[inline(always)]
    pub(crate) unsafe fn members(&self, b: usize) -> Members {
        // SAFETY: the caller's.
        unsafe {
            let (begin, end) = self.bounds(b);
            if self.padding == u32::MAX {
                return Members { begin, end, first: begin, count: end - begin };
            }
            let (mut first, mut count) = (end, 0);
            for i in (begin..end).rev() {
                if !self.is_padding(i) {
                    first = i;
                    count += 1;
                }
            }
            Members { begin, end, first, count }
        }
    }

    /// # Safety
    /// `i` is inside the ids.
    #[inline(always)]
    pub(crate) unsafe fn is_padding(&self, i: usize) -> bool {
        // SAFETY: the caller's.
        unsafe { *self.ids.add(i) == self.padding }
    }

    /// The row of the i-th id.
    ///
    /// # Safety
    /// `i` is inside the ids.
    #[inline(always)]
    pub(crate) unsafe fn row(&self, i: usize) -> *const u8 {
        // SAFETY: the caller's.
        unsafe { self.table.add(*self.ids.add(i) as usize * self.row_bytes) }
    }

    /// The factor of the i-th id.
    ///
    /// # Safety
    /// `i` is inside the ids.
    #[inline(always)]
    pub(crate) unsafe fn weight(&self, i: usize) -> f32 {
        // SAFETY: the caller's.
        if self.weights.is_null() { 1.0 } else { unsafe { *self.weights.add(i) } }
    }

    /// Where the result of the b-th bag goes.
    ///
    /// # Safety
    /// `b` is below `bags`.
    #[inline(always)]
    pub(crate) unsafe fn out(&self, b: usize) -> *mut u8 {
        // SAFETY: the caller's.
        unsafe { self.out.add(b * self.dim * self.out_format.size()) }
    }

    /// One column of a bag, by the definition.
    ///
    /// # Safety
    /// The members are those of a bag of the op; `column` is below `dim`.
    #[inline(always)]
    pub(crate) unsafe fn column(&self, members: Members, column: usize) -> f32 {
        if members.count == 0 {
            return 0.0;
        }
        // SAFETY: the caller's.
        unsafe { if self.mode == Mode::Max { self.largest(members, column) } else { self.sum(members, column) } }
    }

    #[inline(always)]
    unsafe fn largest(&self, members: Members, column: usize) -> f32 {
        let mut largest = 0.0;
        for i in members.first..members.end {
            // SAFETY: the caller's.
            unsafe {
                if self.is_padding(i) {
                    continue;
                }
                let value = self.format.value(self.row(i), column, self.format.scale(self.row(i), self.dim));
                if i == members.first || value > largest {
                    largest = value;
                }
            }
        }
        largest
    }

    #[inline(always)]
    unsafe fn sum(&self, members: Members, column: usize) -> f32 {
        let (mut sum, mut biases) = (0.0f32, 0.0f32);
        for i in members.first..members.end {
            // SAFETY: the caller's.
            unsafe {
                if self.is_padding(i) {
                    continue;
                }
                let (of_row, weight) = (self.format.scale(self.row(i), self.dim), self.weight(i));
                if !self.format.is_scaled() {
                } else if i == members.first {
                    sum = of_row.bias * weight;
                } else {
                    biases = of_row.bias.mul_add(weight, biases);
                }
                sum = self.format.stored(self.row(i), column).mul_add(of_row.scale * weight, sum);
            }
        }
        if self.format.is_scaled() {
            sum += biases;
        }
        if self.mode == Mode::Mean { sum / members.count as f32 } else { sum }
    }
}

/// The definition.
pub(crate) unsafe fn reference(op: RawBag) {
    for b in 0..op.bags {
        // SAFETY: the contract of `RawBag`.
        unsafe {
            let members = op.members(b);
            for column in 0..op.dim {
                op.out_format.put(op.out(b), column, op.column(members, column));
            }
        }
    }
}

/// # Safety
/// The contract of [`RawBag`], on a machine that has `L`'s instruction set.
#[inline(always)]
pub(crate) unsafe fn body<L: NarrowLanes>(op: RawBag) {
    // SAFETY: the caller's.
    unsafe { bag_tiles::body::<L>(op) }
}
