//! The raw arguments of [`super::bag`]: where bags lie, which ids belong to each, and the definition of a column.

use crate::rows::format::{OutFormat, RowFormat};

/// How the rows of a bag are pooled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it all")]
pub enum Mode {
    Sum,
    Mean,
    Max,
}

impl Mode {
    /// All modes.
    pub const ALL: [Mode; 3] = [Mode::Sum, Mode::Mean, Mode::Max];
}

/// The raw arguments of the op. Their contract, which [`crate::dispatch::Kernels::bag`] checks: bags
/// `first .. first + bags` begin and end inside the ids, in order; each id is below the number of rows of `row_bytes`
/// that `table` points at, laid out as `format` says; `weights` is null or points at as many factors as there are ids;
/// `out` points at `bags * dim` elements of `out_format` that overlap none of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawBag {
    pub(crate) table: *const u8,
    pub(crate) format: RowFormat,
    pub(crate) row_bytes: usize,
    pub(crate) dim: usize,
    pub(crate) ids: *const u32,
    /// Null if all bags have the same number of ids.
    pub(crate) offsets: *const usize,
    pub(crate) length: usize,
    pub(crate) first: usize,
    pub(crate) bags: usize,
    pub(crate) weights: *const f32,
    /// `u32::MAX`, which is not the number of any row, means no padding.
    pub(crate) padding: u32,
    pub(crate) mode: Mode,
    pub(crate) out: *mut u8,
    pub(crate) out_format: OutFormat,
}

/// The members of one bag.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Members {
    pub(crate) begin: usize,
    pub(crate) end: usize,
    /// The first id that is not padding; `end` if there is none.
    pub(crate) first: usize,
    /// The number of ids that are not padding.
    pub(crate) count: usize,
}

impl RawBag {
    /// The beginning and the end of the b-th bag of the op.
    ///
    /// # Safety
    /// The contract; `b` is below `bags`.
    #[inline(always)]
    pub(crate) unsafe fn bounds(&self, b: usize) -> (usize, usize) {
        let bag = self.first + b;
        if self.offsets.is_null() {
            return (bag * self.length, (bag + 1) * self.length);
        }
        // SAFETY: as the caller promises.
        unsafe { (*self.offsets.add(bag), *self.offsets.add(bag + 1)) }
    }

    /// The b-th bag of the op.
    ///
    /// # Safety
    /// As for [`RawBag::bounds`].
    #[inline(always)]
    pub(crate) unsafe fn members(&self, b: usize) -> Members {
        // SAFETY: as the caller promises.
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
        // SAFETY: as the caller promises.
        unsafe { *self.ids.add(i) == self.padding }
    }

    /// The row of the i-th id.
    ///
    /// # Safety
    /// `i` is inside the ids.
    #[inline(always)]
    pub(crate) unsafe fn row(&self, i: usize) -> *const u8 {
        // SAFETY: as the caller promises.
        unsafe { self.table.add(*self.ids.add(i) as usize * self.row_bytes) }
    }

    /// The factor of the i-th id.
    ///
    /// # Safety
    /// `i` is inside the ids.
    #[inline(always)]
    pub(crate) unsafe fn weight(&self, i: usize) -> f32 {
        // SAFETY: as the caller promises.
        if self.weights.is_null() { 1.0 } else { unsafe { *self.weights.add(i) } }
    }

    /// The address of the b-th bag's result.
    ///
    /// # Safety
    /// `b` is below `bags`.
    #[inline(always)]
    pub(crate) unsafe fn out(&self, b: usize) -> *mut u8 {
        // SAFETY: as the caller promises.
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
        // SAFETY: as the caller promises.
        unsafe { if self.mode == Mode::Max { self.largest(members, column) } else { self.sum(members, column) } }
    }

    #[inline(always)]
    unsafe fn largest(&self, members: Members, column: usize) -> f32 {
        let mut largest = 0.0;
        for i in members.first..members.end {
            // SAFETY: as the caller promises.
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
            // SAFETY: as the caller promises.
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
