//! gather_rows: rows of a table of any layout, in the order of the ids, converted to the type of the result.
//!
//! ```text
//! for i in 0..ids.len:
//!     for d in 0..dim:
//!         out[i * dim + d] = round(value(table[ids[i]], d))      value: stored, or fma(stored, scale, bias)
//! ```
//!
//! If the result has the element type of the table, bytes are copied, including NaN payloads. Otherwise every value
//! takes exact conversions, at most one fused multiply-add and one rounding, so the bits are the same on every
//! instruction set.

use super::quantize::{all_formats, sample};
use crate::dispatch::{Kernels, arms};
use crate::ids::CheckedIds;
use crate::lanes::narrow::NarrowLanes;
use crate::probe::{DIMS, Framed, Probe, ROWS, Results, id_list};
use crate::rows::decode::{BFloat16, Float16, Float32, Format, Int4, Int8, Scale};
use crate::rows::format::{OutFormat, RowFormat, RowTable};
use crate::rows::parts::{MOST, Part};
use crate::rows::store::Store;
use crate::rows::write::{RowSource, Rows, Target, write_rows};
use std::marker::PhantomData;

/// The raw arguments of the op. Their contract, which [`Kernels::gather_rows_with`] checks: `ids` points at `len` ids,
/// each below the number of rows of `row_bytes` that `table` points at, laid out as `format` says; `out` at `len * dim`
/// elements of `out_format` that overlap neither.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawGatherRows {
    pub(crate) table: *const u8,
    pub(crate) format: RowFormat,
    pub(crate) row_bytes: usize,
    pub(crate) dim: usize,
    pub(crate) ids: *const u32,
    pub(crate) len: usize,
    pub(crate) out: *mut u8,
    pub(crate) out_format: OutFormat,
    pub(crate) store: Store,
}

arms!(GATHER_ROWS: fn(op: RawGatherRows), body<L>, reference);

impl Kernels {
    /// Writes the values of rows `ids` of `table`, as (ids x dim) elements of `out_format`, to the bytes of `out`, with
    /// the way of storing that suits its size.
    ///
    /// # Panics
    /// If the slices have other sizes, which is a bug in the caller.
    pub fn gather_rows(self, table: RowTable<'_>, ids: CheckedIds<'_>, out_format: OutFormat, out: &mut [u8]) {
        self.gather_rows_with(Store::for_bytes(out.len()), table, ids, out_format, out);
    }

    /// [`Kernels::gather_rows`] with an explicit way of storing, for parts of a result, tests and measurements.
    pub fn gather_rows_with(
        self,
        store: Store,
        table: RowTable<'_>,
        ids: CheckedIds<'_>,
        out_format: OutFormat,
        out: &mut [u8],
    ) {
        let elements = ids.ids().len().checked_mul(table.dim());
        let need = elements.and_then(|elements| elements.checked_mul(out_format.size()));
        assert!(ids.rows() <= table.rows(), "gather_rows: table too small");
        assert!(need == Some(out.len()), "gather_rows: out of another size");
        let op = RawGatherRows {
            table: table.bytes().as_ptr(),
            format: table.format(),
            row_bytes: table.row_bytes(),
            dim: table.dim(),
            ids: ids.ids().as_ptr(),
            len: ids.ids().len(),
            out: out.as_mut_ptr(),
            out_format,
            store,
        };
        // SAFETY: the sizes were just checked, CheckedIds are below its rows, a `&mut` overlaps nothing, and `self`
        // proves that the instruction set runs here.
        unsafe { GATHER_ROWS.on(self)(op) }
    }
}

impl RawGatherRows {
    #[inline(always)]
    unsafe fn row(&self, i: usize) -> *const u8 {
        // SAFETY: the contract; `i` is below `len`.
        unsafe { self.table.add(*self.ids.add(i) as usize * self.row_bytes) }
    }

    #[inline(always)]
    unsafe fn out(&self, i: usize) -> *mut u8 {
        // SAFETY: the contract; `i` is below `len`.
        unsafe { self.out.add(i * self.dim * self.out_format.size()) }
    }

    /// Whether results go past the caches. That is only done for f32, from formats whose vectors may begin at any
    /// column, which excludes int4.
    fn is_streamed(&self) -> bool {
        let aligned = self.out.cast::<f32>().is_aligned();
        self.store == Store::Streaming && self.out_format == OutFormat::Float32 && aligned
    }

    /// Computes the columns of row `i` beginning at `from`, one at a time.
    #[inline(always)]
    unsafe fn columns(&self, i: usize, from: usize) {
        // SAFETY: the contract; `i` is below `len`.
        unsafe {
            let (row, out) = (self.row(i), self.out(i));
            let scale = self.format.scale(row, self.dim);
            for d in from..self.dim {
                self.out_format.put(out, d, self.format.value(row, d, scale));
            }
        }
    }
}

/// The reference, which defines the result.
unsafe fn reference(op: RawGatherRows) {
    if op.format.is_decoded() {
        // SAFETY: the contract of `RawGatherRows`.
        return unsafe { decoded_reference(op) };
    }
    for i in 0..op.len {
        // SAFETY: the contract of `RawGatherRows`.
        unsafe {
            if op.out_format.is_of(op.format) {
                std::ptr::copy_nonoverlapping(op.row(i), op.out(i), op.row_bytes);
            } else {
                op.columns(i, 0);
            }
        }
    }
}

/// # Safety
/// The contract of [`RawGatherRows`], on a machine that has `L`'s instruction set.
#[inline(always)]
unsafe fn body<L: NarrowLanes>(op: RawGatherRows) {
    // SAFETY: as the caller promises.
    unsafe {
        match op.format {
            RowFormat::Float32 if op.is_streamed() => streamed::<L, Float32>(op),
            RowFormat::Float16 if op.is_streamed() => streamed::<L, Float16>(op),
            RowFormat::BFloat16 if op.is_streamed() => streamed::<L, BFloat16>(op),
            RowFormat::Int8 if op.is_streamed() => streamed::<L, Int8>(op),
            _ if op.out_format.is_of(op.format) => copies::<L>(op),
            RowFormat::Float32 => rows::<L, Float32, 1>(op),
            RowFormat::Float16 => rows::<L, Float16, 1>(op),
            RowFormat::BFloat16 => rows::<L, BFloat16, 1>(op),
            RowFormat::Int8 => rows::<L, Int8, 1>(op),
            RowFormat::Int4 => rows::<L, Int4, 2>(op),
            RowFormat::Int2 | RowFormat::Float8 | RowFormat::Blocks(_) => decoded::<L>(op),
        }
    }
}

/// The number of rows to prefetch ahead: about 8 KB, and at least two.
#[inline(always)]
fn distance(row_bytes: usize) -> usize {
    (8192 / row_bytes.max(1)).clamp(2, 32)
}

/// Prefetches a whole row, some rows before it is read.
///
/// # Safety
/// The contract; `i` is below `len`.
#[inline(always)]
unsafe fn prefetch<L: NarrowLanes>(op: &RawGatherRows, i: usize) {
    // SAFETY: as the caller promises; a prefetch never faults.
    unsafe {
        let row = op.row(i);
        let mut at = 0;
        while at < op.row_bytes {
            L::prefetch(row.add(at).cast());
            at += 64;
        }
        L::prefetch(row.wrapping_add(op.row_bytes).wrapping_sub(1).cast());
    }
}

/// # Safety
/// The contract; results are streamed; the machine has `L`'s instruction set.
#[inline(always)]
unsafe fn streamed<L: NarrowLanes, F: Format<L, 1>>(op: RawGatherRows) {
    let target = Target { out: op.out.cast(), len: op.len, dim: op.dim, store: op.store };
    let ahead = distance(op.row_bytes);
    // SAFETY: as the caller promises.
    unsafe { write_rows::<L, _>(target, Decoding::<F> { op, ahead, of: PhantomData }) }
}

/// The rows of the table in the order of the ids, as f32.
struct Decoding<F> {
    op: RawGatherRows,
    ahead: usize,
    of: PhantomData<F>,
}

/// A row of a table, and the row to prefetch.
struct Decoded<F> {
    format: RowFormat,
    row: *const u8,
    later: *const u8,
    scale: Scale,
    of: PhantomData<F>,
}

impl<F> Clone for Decoded<F> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for Decoded<F> {}

impl<L: NarrowLanes, F: Format<L, 1>> Rows<L> for Decoding<F> {
    type Source = Decoded<F>;

    #[inline(always)]
    unsafe fn row(&mut self, i: usize, _: usize) -> Decoded<F> {
        let op = &self.op;
        // SAFETY: the contract; both indices are below `len`; a prefetch never faults.
        unsafe {
            let (row, later) = (op.row(i), op.row((i + self.ahead).min(op.len - 1)));
            // The scale, if there is one, is at the end of the row.
            L::prefetch(later.wrapping_add(op.row_bytes).wrapping_sub(1).cast());
            Decoded { format: op.format, row, later, scale: F::scale(row, op.dim), of: PhantomData }
        }
    }
}

impl<L: NarrowLanes, F: Format<L, 1>> RowSource<L> for Decoded<F> {
    #[inline(always)]
    unsafe fn vector(self, at: usize) -> L {
        // SAFETY: as the caller promises.
        unsafe {
            let [stored] = F::load(self.row.add(at * F::UNIT));
            if F::SCALED { stored.mul_add(L::splat(self.scale.scale), L::splat(self.scale.bias)) } else { stored }
        }
    }

    #[inline(always)]
    unsafe fn element(self, at: usize) -> f32 {
        // SAFETY: as the caller promises.
        unsafe { self.format.value(self.row, at, self.scale) }
    }

    #[inline(always)]
    unsafe fn prefetch(self, at: usize) {
        // SAFETY: as the caller promises; a prefetch never faults.
        unsafe { L::prefetch(self.later.wrapping_add(at * F::UNIT).cast()) }
    }
}

#[inline(always)]
unsafe fn copies<L: NarrowLanes>(op: RawGatherRows) {
    let ahead = distance(op.row_bytes);
    for i in 0..op.len {
        // SAFETY: the contract; both indices are below `len`.
        unsafe {
            prefetch::<L>(&op, (i + ahead).min(op.len - 1));
            std::ptr::copy_nonoverlapping(op.row(i), op.out(i), op.row_bytes);
        }
    }
}

#[inline(always)]
unsafe fn rows<L: NarrowLanes, F: Format<L, N>, const N: usize>(op: RawGatherRows) {
    let ahead = distance(op.row_bytes);
    let units = op.dim.div_ceil(N);
    for i in 0..op.len {
        // SAFETY: the contract; both indices are below `len`, and units below the row's.
        unsafe {
            prefetch::<L>(&op, (i + ahead).min(op.len - 1));
            if units < L::WIDTH || op.dim <= L::WIDTH * (N - 1) {
                op.columns(i, 0);
                continue;
            }
            let (row, out) = (op.row(i), op.out(i));
            let of_row = F::scale(row, op.dim);
            let (scale, bias) = (L::splat(of_row.scale), L::splat(of_row.bias));
            let mut at = 0;
            while at < units {
                // The last step overlaps the one before it, and writes the same values twice.
                at = at.min(units - L::WIDTH);
                let mut values = F::load(row.add(at * F::UNIT));
                if F::SCALED {
                    let mut n = 0;
                    while n < N {
                        values[n] = values[n].mul_add(scale, bias);
                        n += 1;
                    }
                }
                op.out_format.put_step::<L, N>(out, at * N, op.dim, values);
                at += L::WIDTH;
            }
        }
    }
}

/// Rows that are decoded first, by plain Rust: the reference.
///
/// # Safety
/// The contract; rows are of such a layout.
unsafe fn decoded_reference(op: RawGatherRows) {
    let mut values = [0.0; MOST];
    for i in 0..op.len {
        for part in Part::all(op.dim) {
            // SAFETY: as the caller promises; parts are columns of the row.
            unsafe {
                part.decode_plainly(op.format, op.row(i), op.dim, values.as_mut_ptr());
                for (column, &value) in values.iter().enumerate().take(part.count) {
                    op.out_format.put(op.out(i), part.first + column, value);
                }
            }
        }
    }
}

/// Rows that are decoded first: f32 in its place, halves from a buffer in the first-level cache.
///
/// # Safety
/// The contract; rows are of such a layout; the machine has `L`'s instruction set.
#[inline(always)]
unsafe fn decoded<L: NarrowLanes>(op: RawGatherRows) {
    let ahead = distance(op.row_bytes);
    let in_place = op.out_format == OutFormat::Float32 && op.out.cast::<f32>().is_aligned();
    let mut values = [0.0; MOST];
    for i in 0..op.len {
        // SAFETY: as the caller promises; parts are columns of the row.
        unsafe {
            prefetch::<L>(&op, (i + ahead).min(op.len - 1));
            let (row, out) = (op.row(i), op.out(i));
            let mut first = 0;
            while first < op.dim {
                let part = Part { first, count: if in_place { op.dim } else { MOST.min(op.dim - first) } };
                let to = if in_place { out.cast() } else { values.as_mut_ptr() };
                // This is written out once, because it is long.
                part.decode::<L>(op.format, row, op.dim, to);
                if !in_place {
                    op.out_format.put_all::<L>(out, part.first, values.as_ptr(), part.count);
                }
                first += part.count;
            }
        }
    }
}

pub(crate) const PROBE: Probe = Probe { name: "gather_rows", line: "rows", sizes: &DIMS, run: probe };

fn probe(kernels: Kernels, dim: usize, results: &mut Results) {
    let ids = id_list();
    for format in all_formats() {
        let packed = sample(format, ROWS, dim);
        let table = RowTable::new(format, &packed, ROWS, dim);
        let (Some(table), Some(ids)) = (table, CheckedIds::new(kernels, &ids, ROWS)) else { continue };
        for out_format in OutFormat::ALL {
            let mut out = Framed::room(ids.ids().len() * dim * out_format.size());
            kernels.gather_rows(table, ids, out_format, &mut out);
            results.take(&out);
        }
    }
}
