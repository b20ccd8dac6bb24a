//! gather: rows of a table, copied in the order of the ids.
//!
//! ```text
//! for i in 0..ids.len:
//!     out[i * dim .. (i + 1) * dim] = table[ids[i] * dim .. (ids[i] + 1) * dim]
//! ```
//!
//! `torch.nn.functional.embedding`. A copy: the same bits on every instruction set, NaN payloads included.

use super::{Store, prefetch_distance};
use crate::ids::CheckedIds;
use crate::lanes::{BLOCK, Lanes};
use crate::table::Kernels;

/// The op as the kernels take it. Contract, kept by [`Kernels::gather_with`]: `ids` points at `len` ids, each below
/// the number of rows that `table` points at; `out` at `len * dim` elements that overlap neither.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawGather {
    pub(crate) table: *const f32,
    pub(crate) dim: usize,
    pub(crate) ids: *const u32,
    pub(crate) len: usize,
    pub(crate) out: *mut f32,
    pub(crate) store: Store,
}

impl Kernels {
    /// Copies rows `ids` of `table` (rows x dim) to `out` (ids x dim), stored as is best for its size.
    ///
    /// # Panics
    /// If the slices are not of these sizes: the caller's bug, not its user's.
    pub fn gather(&self, table: &[f32], dim: usize, ids: CheckedIds<'_>, out: &mut [f32]) {
        self.gather_with(Store::for_bytes(size_of_val(out)), table, dim, ids, out);
    }

    /// [`Kernels::gather`] with the way of storing named: for tests and measurements.
    pub fn gather_with(&self, store: Store, table: &[f32], dim: usize, ids: CheckedIds<'_>, out: &mut [f32]) {
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
        // SAFETY: the sizes were just checked, CheckedIds are below its rows, a `&mut` overlaps nothing, and this table
        // is only handed out where its instruction set runs.
        unsafe { (self.gather)(op) }
    }
}

/// The definition.
pub(crate) unsafe fn reference(op: RawGather) {
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
pub(crate) unsafe fn body<L: Lanes>(op: RawGather) {
    // SAFETY: the caller's duty is handed on; the fence has none.
    unsafe {
        match op.store {
            Store::Cached => rows::<L, false>(op),
            Store::Streaming => {
                rows::<L, true>(op);
                L::fence();
            }
        }
    }
}

#[inline(always)]
unsafe fn rows<L: Lanes, const STREAM: bool>(op: RawGather) {
    let ahead = prefetch_distance(op.dim);
    for i in 0..op.len {
        // SAFETY: the contract of `RawGather`; `next` is an index below `len`.
        unsafe {
            let next = (i + ahead).min(op.len - 1);
            let row = op.table.add(*op.ids.add(i) as usize * op.dim);
            let later = op.table.add(*op.ids.add(next) as usize * op.dim);
            map_row::<L, STREAM>(
                op.out.add(i * op.dim),
                op.dim,
                |at| L::load(row.add(at)),
                |at| *row.add(at),
                |at| L::prefetch(later.add(at)),
            );
        }
    }
}

/// Writes one row of `dim` elements at `out`: `vector(at)` gives the `WIDTH` elements from `at` on, `element(at)` one,
/// `prefetch(at)` is called for each block of the row that will be read later.
///
/// Elements may be computed and written twice (the last vector of a row overlaps the one before it), so `vector` must
/// not read `out`.
///
/// # Safety
/// `out` is valid for `dim` writes and is read by none of the functions, which are valid for every index below `dim`.
#[inline(always)]
pub(crate) unsafe fn map_row<L: Lanes, const STREAM: bool>(
    out: *mut f32,
    dim: usize,
    vector: impl Fn(usize) -> L,
    element: impl Fn(usize) -> f32,
    prefetch: impl Fn(usize),
) {
    // SAFETY: every index stays below `dim`; streamed stores start at a multiple of the cache line.
    unsafe {
        let mut at = 0;
        if STREAM && dim >= 2 * BLOCK {
            // Peel to the next cache line: Node's large buffers sit at 16 mod 64.
            let peel = out.align_offset(BLOCK * size_of::<f32>());
            if peel < BLOCK {
                while at < peel {
                    *out.add(at) = element(at);
                    at += 1;
                }
                while at + BLOCK <= dim {
                    prefetch(at);
                    let mut lane = 0;
                    while lane < BLOCK {
                        vector(at + lane).stream(out.add(at + lane));
                        lane += L::WIDTH;
                    }
                    at += BLOCK;
                }
            }
        }
        while at + BLOCK <= dim {
            prefetch(at);
            let mut lane = 0;
            while lane < BLOCK {
                vector(at + lane).store(out.add(at + lane));
                lane += L::WIDTH;
            }
            at += BLOCK;
        }
        if at == dim {
            return;
        }
        prefetch(at);
        while at + L::WIDTH <= dim {
            vector(at).store(out.add(at));
            at += L::WIDTH;
        }
        if at < dim && dim >= L::WIDTH {
            vector(dim - L::WIDTH).store(out.add(dim - L::WIDTH));
        } else {
            while at < dim {
                *out.add(at) = element(at);
                at += 1;
            }
        }
    }
}
