//! row_sum: rows of a gradient, summed by the row of the table that they belong to.
//!
//! ```text
//! sum(u)[d] = 0.0 + grad[places[starts[u]] * dim + d] + grad[places[starts[u] + 1] * dim + d] ...   in this order
//!             with coefficients: fma(grad[places[k] * dim + d], coefficients[k], sum) instead, and 0.0 added at last: what
//!             underflows is a zero without a sign, as all zeros of sums are
//! rows:   out[u] = sum(u)                                            for u in 0..ids
//! dense:  out[r] = sum(u) where first + r == ids[u], else 0.0        for r in 0..out rows
//! ```
//!
//! `torch.nn.functional.embedding`'s backward. Each row has one owner and lanes are never reduced, so the bits are the
//! same on every instruction set. Only `columns` of the gradient are read, and rows of `out` have that length: a hot
//! row is divided among threads by columns.
//!
//! Rows with few places are summed in registers while the rows of later places are prefetched. Rows with many are
//! summed, four at a time, in a row of scratch that stays in the first-level cache.

use crate::dispatch::{Arms, Kernels, arms};
use crate::ids::CheckedIds;
use crate::lanes::BLOCK;
use crate::lanes::math::MathLanes;
use crate::probe::{DIMS, Framed, OFFSETS, Probe, ROWS, Results, id_list, numbers};
use crate::rows::store::Store;
use crate::rows::store::prefetch_distance;
use crate::rows::write::{RowSource, Rows, Target, write_rows};
use std::ops::Range;

/// Rows of a gradient, and which of them belong to the same row of a table.
#[derive(Clone, Copy, Debug)]
pub struct RowSum<'a> {
    /// Rows of `dim` elements.
    pub grad: &'a [f32],
    /// The number of elements in a row.
    pub dim: usize,
    /// The rows that are summed, those of one sum next to each other; they were checked against the rows of `grad`.
    pub places: CheckedIds<'a>,
    /// The factor of each place.
    pub coefficients: Option<&'a [f32]>,
}

/// Which sums are written, and where.
#[derive(Clone, Copy, Debug)]
pub struct Sums<'a> {
    /// Where the places of each sum begin, and where the last end.
    pub starts: &'a [u32],
    /// The columns of the gradient that are summed.
    pub columns: &'a Range<usize>,
    /// Set if the output is part of a table: the table row of each sum, ascending, and the table row that `out` begins
    /// with.
    pub dense: Option<(&'a [u32], usize)>,
}

/// The maximal number of rows that are summed in registers.
const FEW: usize = 4;

/// The raw arguments of the op. Their contract, which [`Kernels::row_sums`] checks: `starts` points at `sums + 1`
/// numbers that do not descend, up to `end`, the number of `places` and, unless null, `coefficients`; each place is a
/// row of `grad`, which is moved to the first of its columns; `ids` is null and `rows == sums`, or it points at `sums`
/// ascending ids from `first` on and below `first + rows`; `out` points at `rows * width` elements and `scratch` at
/// `width`, which overlap nothing but, where `rows` is 1, each other whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawRowSum {
    grad: *const f32,
    dim: usize,
    width: usize,
    places: *const u32,
    end: usize,
    coefficients: *const f32,
    starts: *const u32,
    sums: usize,
    ids: *const u32,
    first: usize,
    rows: usize,
    out: *mut f32,
    scratch: *mut f32,
    store: Store,
}

// Sums with coefficients have functions of their own: in one function of both the compiler keeps pointers of the inner
// loops on the stack.
arms!(PLAIN: fn(op: RawRowSum), plain<L>, reference);
arms!(WEIGHTED: fn(op: RawRowSum), weighted<L>, reference);

impl Kernels {
    /// Writes the sum of some of the places to `out`, which has one element for each of the columns.
    ///
    /// # Panics
    /// If the slices have other sizes, which is a bug in the caller.
    pub fn row_sum(self, of: &RowSum<'_>, places: Range<usize>, columns: &Range<usize>, out: &mut [f32]) {
        of.check(columns);
        assert!(places.start <= places.end && places.end <= of.places.ids().len(), "row_sum: no such places");
        assert!(columns.len() == out.len(), "row_sum: out of another size");
        let starts = [places.start as u32, places.end as u32];
        // Scratch and result are the same row, so the final write reads and writes the same place.
        let out = out.as_mut_ptr();
        let op = of.raw(columns, &starts, (std::ptr::null(), 0), 1, (out, out), Store::Cached);
        if op.width > 0 {
            // SAFETY: as in `row_sums`.
            unsafe { op.arms().on(self)(op) }
        }
    }

    /// Writes sums to `out`, whose rows are as long as there are columns; `scratch` holds at least one row.
    ///
    /// # Panics
    /// If the slices have other sizes, which is a bug in the caller.
    pub fn row_sums(self, store: Store, of: &RowSum<'_>, to: Sums<'_>, scratch: &mut [f32], out: &mut [f32]) {
        let Sums { starts, columns, dense } = to;
        of.check(columns);
        let len = of.places.ids().len();
        assert!(starts.is_sorted() && starts.last().is_some_and(|&end| end as usize <= len), "row_sum: bad starts");
        let (width, sums) = (columns.len(), starts.len() - 1);
        if width == 0 {
            return;
        }
        assert!(out.len().is_multiple_of(width), "row_sum: out of another size");
        let rows = out.len() / width;
        assert!(scratch.len() >= width, "row_sum: scratch too small");
        let (ids, first) = match dense {
            None => {
                assert!(sums == rows, "row_sum: out of another size");
                (std::ptr::null(), 0)
            }
            Some((ids, first)) => {
                assert!(ids.len() == sums && ids.is_sorted_by(|a, b| a < b), "row_sum: ids do not ascend");
                let inside = |id: &u32| (first..first.saturating_add(rows)).contains(&(*id as usize));
                assert!(ids.first().is_none_or(inside) && ids.last().is_none_or(inside), "row_sum: ids outside of out");
                (ids.as_ptr(), first)
            }
        };
        let to = (out.as_mut_ptr(), scratch.as_mut_ptr());
        let op = of.raw(columns, starts, (ids, first), rows, to, store);
        // SAFETY: everything was just checked, CheckedIds are below their rows, a `&mut` overlaps nothing, and `self`
        // proves that its instruction set runs here.
        unsafe { op.arms().on(self)(op) }
    }
}

impl RowSum<'_> {
    fn check(&self, columns: &Range<usize>) {
        let RowSum { grad, dim, places, coefficients } = *self;
        assert!(places.rows().checked_mul(dim).is_some_and(|need| need <= grad.len()), "row_sum: gradient too small");
        assert!(columns.start <= columns.end && columns.end <= dim, "row_sum: columns past the end");
        let len = places.ids().len();
        assert!(coefficients.is_none_or(|coefficients| coefficients.len() == len), "row_sum: other coefficients");
    }

    /// The raw arguments; `to` is the result and the scratch.
    fn raw(
        &self,
        columns: &Range<usize>,
        starts: &[u32],
        (ids, first): (*const u32, usize),
        rows: usize,
        (out, scratch): (*mut f32, *mut f32),
        store: Store,
    ) -> RawRowSum {
        RawRowSum {
            grad: self.grad.as_ptr().wrapping_add(columns.start),
            dim: self.dim,
            width: columns.len(),
            places: self.places.ids().as_ptr(),
            end: self.places.ids().len(),
            coefficients: self.coefficients.map_or(std::ptr::null(), <[f32]>::as_ptr),
            starts: starts.as_ptr(),
            sums: starts.len() - 1,
            ids,
            first,
            rows,
            out,
            scratch,
            store,
        }
    }
}

impl RawRowSum {
    /// The functions for sums with or without coefficients.
    fn arms(&self) -> &'static Arms<unsafe fn(RawRowSum)> {
        if self.coefficients.is_null() { &PLAIN } else { &WEIGHTED }
    }

    /// The address of a place's row, at the first column.
    #[inline(always)]
    unsafe fn row(&self, k: usize) -> *const f32 {
        // SAFETY: the contract; `k` is below `end`.
        unsafe { self.grad.add(*self.places.add(k) as usize * self.dim) }
    }

    /// The range of a sum's places.
    #[inline(always)]
    unsafe fn of(&self, sum: usize) -> Range<usize> {
        // SAFETY: the contract; `sum` is below `sums`.
        unsafe { *self.starts.add(sum) as usize..*self.starts.add(sum + 1) as usize }
    }

    /// Whether row `r` of `out` is a sum; `next` is the first sum not written yet.
    #[inline(always)]
    unsafe fn is_sum(&self, r: usize, next: usize) -> bool {
        // SAFETY: the contract; `next` is tested.
        unsafe { self.ids.is_null() || (next < self.sums && *self.ids.add(next) as usize == self.first + r) }
    }
}

/// The reference, which defines the result.
unsafe fn reference(op: RawRowSum) {
    let mut next = 0;
    for r in 0..op.rows {
        // SAFETY: the contract of `RawRowSum`.
        unsafe {
            let out = op.out.add(r * op.width);
            let mut places = 0..0;
            if op.is_sum(r, next) {
                places = op.of(next);
                next += 1;
            }
            for d in 0..op.width {
                let mut sum = 0.0f32;
                for k in places.clone() {
                    let g = *op.row(k).add(d);
                    sum = if op.coefficients.is_null() { sum + g } else { g.mul_add(*op.coefficients.add(k), sum) };
                }
                *out.add(d) = if op.coefficients.is_null() { sum } else { sum + 0.0 };
            }
        }
    }
}

/// # Safety
/// The contract of [`RawRowSum`], on a machine that has `L`'s instruction set.
#[inline(always)]
unsafe fn plain<L: MathLanes>(op: RawRowSum) {
    // SAFETY: as the caller promises.
    unsafe { body::<L, false>(op) }
}

/// # Safety
/// The contract of [`RawRowSum`], on a machine that has `L`'s instruction set.
#[inline(always)]
unsafe fn weighted<L: MathLanes>(op: RawRowSum) {
    // SAFETY: as the caller promises.
    unsafe { body::<L, true>(op) }
}

/// # Safety
/// The contract of [`RawRowSum`], on a machine that has `L`'s instruction set.
#[inline(always)]
unsafe fn body<L: MathLanes, const WEIGHTED: bool>(op: RawRowSum) {
    let target = Target { out: op.out, len: op.rows, dim: op.width, store: op.store };
    let ahead = prefetch_distance(op.width).max(FEW);
    // SAFETY: as the caller promises.
    unsafe { write_rows::<L, _>(target, AllSums::<WEIGHTED> { op, next: 0, ahead }) }
}

/// The rows of the result.
struct AllSums<const WEIGHTED: bool> {
    op: RawRowSum,
    /// The first sum not written yet.
    next: usize,
    /// The number of places to prefetch ahead.
    ahead: usize,
}

impl<L: MathLanes, const WEIGHTED: bool> Rows<L> for AllSums<WEIGHTED> {
    type Source = Sum<L, WEIGHTED>;

    #[inline(always)]
    unsafe fn row(&mut self, r: usize, _: usize) -> Self::Source {
        let op = &self.op;
        let nothing = std::ptr::null();
        // SAFETY: the contract of `RawRowSum`; later places are checked to exist.
        unsafe {
            let mut sum = Sum {
                start: nothing,
                rows: [nothing; FEW],
                coefficients: [L::splat(0.0); FEW],
                plain: [0.0; FEW],
                count: 0,
                later: [nothing; FEW],
            };
            if !op.is_sum(r, self.next) {
                return sum;
            }
            let places = op.of(self.next);
            self.next += 1;
            if places.len() > FEW {
                many::<L, WEIGHTED>(op, places, self.ahead);
                sum.start = op.scratch;
                return sum;
            }
            sum.count = places.len();
            let last = op.end - usize::from(op.end > 0);
            for (j, k) in places.enumerate() {
                sum.rows[j] = op.row(k);
                if WEIGHTED {
                    sum.plain[j] = *op.coefficients.add(k);
                    sum.coefficients[j] = L::splat(sum.plain[j]);
                }
                sum.later[j] = op.row((k + self.ahead).min(last));
            }
            sum
        }
    }
}

/// Sums rows of many places in the scratch.
///
/// # Safety
/// The contract of [`RawRowSum`]; `places` are below `end`.
#[inline(always)]
unsafe fn many<L: MathLanes, const WEIGHTED: bool>(op: &RawRowSum, places: Range<usize>, ahead: usize) {
    let mut k = places.start;
    while k < places.end {
        let count = (places.end - k).min(FEW);
        // SAFETY: as the caller promises; every index stays below `width`, and `later` below `end`.
        unsafe {
            let (mut rows, mut later) = ([std::ptr::null(); FEW], [std::ptr::null(); FEW]);
            let (mut coefficients, mut plain) = ([L::splat(0.0); FEW], [0.0; FEW]);
            let mut j = 0;
            while j < count {
                rows[j] = op.row(k + j);
                later[j] = op.row((k + j + ahead).min(op.end - 1));
                if WEIGHTED {
                    plain[j] = *op.coefficients.add(k + j);
                    coefficients[j] = L::splat(plain[j]);
                }
                j += 1;
            }
            let start = if k == places.start { std::ptr::null() } else { op.scratch.cast_const() };
            let sum = Sum::<L, WEIGHTED> { start, rows, coefficients, plain, count, later };
            let mut at = 0;
            while at + BLOCK <= op.width {
                sum.prefetch(at);
                let mut lane = 0;
                while lane < BLOCK {
                    sum.vector(at + lane).store(op.scratch.add(at + lane));
                    lane += L::WIDTH;
                }
                at += BLOCK;
            }
            while at < op.width {
                *op.scratch.add(at) = sum.element(at);
                at += 1;
            }
        }
        k += count;
    }
}

/// A row of the result: a sum of up to [`FEW`] rows, added to a start row if there is one.
#[derive(Clone, Copy)]
pub(crate) struct Sum<L, const WEIGHTED: bool> {
    /// The start row; null means zeros.
    start: *const f32,
    rows: [*const f32; FEW],
    coefficients: [L; FEW],
    plain: [f32; FEW],
    count: usize,
    /// The rows to prefetch.
    later: [*const f32; FEW],
}

impl<L: MathLanes, const WEIGHTED: bool> RowSource<L> for Sum<L, WEIGHTED> {
    #[inline(always)]
    unsafe fn vector(self, at: usize) -> L {
        // SAFETY: as the caller promises.
        unsafe {
            let mut sum = if self.start.is_null() { L::splat(0.0) } else { L::load(self.start.add(at)) };
            let mut j = 0;
            while j < self.count {
                let g = L::load(self.rows[j].add(at));
                sum = if WEIGHTED { g.mul_add(self.coefficients[j], sum) } else { sum.add(g) };
                j += 1;
            }
            if WEIGHTED { sum.add(L::splat(0.0)) } else { sum }
        }
    }

    #[inline(always)]
    unsafe fn element(self, at: usize) -> f32 {
        // SAFETY: as the caller promises.
        unsafe {
            let mut sum = if self.start.is_null() { 0.0 } else { *self.start.add(at) };
            let mut j = 0;
            while j < self.count {
                let g = *self.rows[j].add(at);
                sum = if WEIGHTED { g.mul_add(self.plain[j], sum) } else { sum + g };
                j += 1;
            }
            if WEIGHTED { sum + 0.0 } else { sum }
        }
    }

    #[inline(always)]
    unsafe fn prefetch(self, at: usize) {
        let mut j = 0;
        while j < self.count {
            // SAFETY: as the caller promises; a prefetch never faults.
            unsafe { L::prefetch(self.later[j].add(at)) };
            j += 1;
        }
    }
}

pub(crate) const PROBE: Probe = Probe { name: "row_sum", line: "row sum", sizes: &DIMS, run: probe };

fn probe(kernels: Kernels, dim: usize, results: &mut Results) {
    let (places, coefficients, grad) = (id_list(), numbers(64, 53), numbers(ROWS * dim, 59));
    let Some(places) = CheckedIds::new(kernels, &places, ROWS) else { return };
    for coefficients in [None, Some(coefficients.as_slice())] {
        let of = RowSum { grad: &grad, dim, places, coefficients };
        for bounds in OFFSETS.windows(2) {
            let mut out = Framed::room(dim);
            kernels.row_sum(&of, bounds[0]..bounds[1], &(0..dim), &mut out);
            results.take(&out);
        }
    }
}
