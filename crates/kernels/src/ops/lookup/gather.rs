//! gather: rows of a table, copied in the order of the ids.
//!
//! ```text
//! for i in 0..ids.len:
//!     out[i * dim .. (i + 1) * dim] = table[ids[i] * dim .. (ids[i] + 1) * dim]
//! ```
//!
//! `torch.nn.functional.embedding`. This is a copy, so the bits are the same on every instruction set, including NaN
//! payloads.

use crate::dispatch::{Kernels, arms};
use crate::ids::CheckedIds;
use crate::lanes::Lanes;
use crate::probe::{DIMS, Framed, Probe, ROWS, Results, id_list, numbers};
use crate::rows::store::Store;
use crate::rows::write::{RowSource, Rows, Target, write_rows};

/// The raw arguments of the op. Their contract, which [`Kernels::gather_with`] checks: `ids` points at `len` ids, each
/// below the number of rows that `table` points at; `out` at `len * dim` elements that overlap neither.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawGather {
    pub(crate) table: *const f32,
    pub(crate) dim: usize,
    pub(crate) ids: *const u32,
    pub(crate) len: usize,
    pub(crate) out: *mut f32,
    pub(crate) store: Store,
}

arms!(GATHER: fn(op: RawGather), body<L>, reference);

impl Kernels {
    /// Copies rows `ids` of `table` (rows x dim) to `out` (ids x dim), with the way of storing that suits its size.
    ///
    /// # Panics
    /// If the slices have other sizes, which is a bug in the caller.
    pub fn gather(self, table: &[f32], dim: usize, ids: CheckedIds<'_>, out: &mut [f32]) {
        self.gather_with(Store::for_bytes(size_of_val(out)), table, dim, ids, out);
    }

    /// [`Kernels::gather`] with an explicit way of storing, for tests and measurements.
    pub fn gather_with(self, store: Store, table: &[f32], dim: usize, ids: CheckedIds<'_>, out: &mut [f32]) {
        assert!(ids.rows().checked_mul(dim).is_some_and(|need| need <= table.len()), "gather: table too small");
        assert!(ids.ids().len().checked_mul(dim) == Some(out.len()), "gather: out of another size");
        let op = RawGather {
            table: table.as_ptr(),
            dim,
            ids: ids.ids().as_ptr(),
            len: ids.ids().len(),
            out: out.as_mut_ptr(),
            store,
        };
        // SAFETY: the sizes were just checked, CheckedIds are below its rows, a `&mut` overlaps nothing, and `self`
        // proves that the instruction set runs here.
        unsafe { GATHER.on(self)(op) }
    }
}

/// The reference, which defines the result.
unsafe fn reference(op: RawGather) {
    for i in 0..op.len {
        // SAFETY: the contract of `RawGather`.
        unsafe {
            let row = op.table.add(*op.ids.add(i) as usize * op.dim);
            std::ptr::copy_nonoverlapping(row, op.out.add(i * op.dim), op.dim);
        }
    }
}

/// # Safety
/// The contract of [`RawGather`], on a machine that has `L`'s instruction set.
#[inline(always)]
unsafe fn body<L: Lanes>(op: RawGather) {
    let target = Target { out: op.out, len: op.len, dim: op.dim, store: op.store };
    // SAFETY: as the caller promises.
    unsafe { write_rows::<L, _>(target, op) }
}

impl<L: Lanes> Rows<L> for RawGather {
    type Source = Copied;

    #[inline(always)]
    unsafe fn row(&mut self, i: usize, later: usize) -> Copied {
        // SAFETY: the contract of `RawGather`.
        unsafe {
            Copied {
                row: self.table.add(*self.ids.add(i) as usize * self.dim),
                later: self.table.add(*self.ids.add(later) as usize * self.dim),
            }
        }
    }
}

/// A row as it is in a table, and the row to prefetch.
#[derive(Clone, Copy)]
pub(crate) struct Copied {
    row: *const f32,
    later: *const f32,
}

impl<L: Lanes> RowSource<L> for Copied {
    #[inline(always)]
    unsafe fn vector(self, at: usize) -> L {
        // SAFETY: as the caller promises.
        unsafe { L::load(self.row.add(at)) }
    }

    #[inline(always)]
    unsafe fn element(self, at: usize) -> f32 {
        // SAFETY: as the caller promises.
        unsafe { *self.row.add(at) }
    }

    #[inline(always)]
    unsafe fn prefetch(self, at: usize) {
        // SAFETY: as the caller promises; a prefetch never faults.
        unsafe { L::prefetch(self.later.add(at)) }
    }
}

pub(crate) const PROBE: Probe = Probe { name: "gather", line: "gather", sizes: &DIMS, run: probe };

fn probe(kernels: Kernels, dim: usize, results: &mut Results) {
    let (ids, table) = (id_list(), numbers(ROWS * dim, 11));
    let Some(ids) = CheckedIds::new(kernels, &ids, ROWS) else { return };
    for store in [Store::Cached, Store::Streaming] {
        let mut out = Framed::room(ids.ids().len() * dim);
        kernels.gather_with(store, &table, dim, ids, &mut out);
        results.take(&out);
    }
}
