//! gather_add: rows of a table plus rows of another (positions), in one pass.
//!
//! ```text
//! for i in 0..ids.len:
//!     p = positions[i]                      (explicit)
//!       | offset + i mod length             (cyclic: a batch of sequences of one length)
//!     for d in 0..dim:
//!         out[i * dim + d] = table[ids[i] * dim + d] + added[p * dim + d]
//! ```
//!
//! The token + position input of GPT: `wte(ids) + wpe(arange(length))`. One IEEE addition an element: the same bits on
//! every instruction set.

use super::Store;
use super::row::{RowSource, Rows, Target, write_rows};
use crate::ids::CheckedIds;
use crate::lanes::Lanes;
use crate::table::Kernels;

/// Which row of the added table goes with which id.
#[derive(Clone, Copy, Debug)]
pub enum Positions<'a> {
    /// `offset + i mod length` with the i-th id; rows `offset .. offset + length` must exist. A length of 0 goes with no
    /// ids only.
    Cyclic {
        /// The first row.
        offset: usize,
        /// Rows before it starts again.
        length: usize,
    },
    /// A row for each id.
    Explicit(CheckedIds<'a>),
}

/// The op as the kernels take it. Contract, kept by [`Kernels::gather_add_with`]: that of gather, and `positions`
/// points at `len` ids of rows of `added`, or is null and rows `offset .. offset + length` of it exist, `length > 0`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawGatherAdd {
    pub(crate) table: *const f32,
    pub(crate) added: *const f32,
    pub(crate) dim: usize,
    pub(crate) ids: *const u32,
    pub(crate) positions: *const u32,
    pub(crate) offset: usize,
    pub(crate) length: usize,
    pub(crate) len: usize,
    pub(crate) out: *mut f32,
    pub(crate) store: Store,
}

impl Kernels {
    /// `out` (ids x dim) = rows `ids` of `table` (rows x dim) + rows `positions` of `added` (positions x dim), stored as
    /// is best for its size.
    ///
    /// # Panics
    /// If the slices are not of these sizes: the caller's bug, not its user's.
    pub fn gather_add(
        &self,
        table: &[f32],
        added: &[f32],
        dim: usize,
        ids: CheckedIds<'_>,
        positions: Positions<'_>,
        out: &mut [f32],
    ) {
        self.gather_add_with(Store::for_bytes(size_of_val(out)), table, added, dim, ids, positions, out);
    }

    /// [`Kernels::gather_add`] with the way of storing named: for tests and measurements.
    #[allow(clippy::too_many_arguments, reason = "the slices of the contract, each with its own lifetime")]
    pub fn gather_add_with(
        &self,
        store: Store,
        table: &[f32],
        added: &[f32],
        dim: usize,
        ids: CheckedIds<'_>,
        positions: Positions<'_>,
        out: &mut [f32],
    ) {
        let holds = |rows: Option<usize>, slice: &[f32]| {
            rows.and_then(|rows| rows.checked_mul(dim)).is_some_and(|need| need <= slice.len())
        };
        let len = ids.ids().len();
        assert!(holds(Some(ids.rows()), table), "gather_add: table too small");
        assert!(len.checked_mul(dim) == Some(out.len()), "gather_add: out of another size");
        let (explicit, offset, length) = match positions {
            Positions::Cyclic { offset, length } => {
                assert!(holds(offset.checked_add(length), added), "gather_add: added too small");
                assert!(length > 0 || len == 0, "gather_add: ids, but no positions");
                (std::ptr::null(), offset, length)
            }
            Positions::Explicit(positions) => {
                assert!(holds(Some(positions.rows()), added), "gather_add: added too small");
                assert!(positions.ids().len() == len, "gather_add: positions of another length");
                (positions.ids().as_ptr(), 0, 0)
            }
        };
        let op = RawGatherAdd {
            table: table.as_ptr(),
            added: added.as_ptr(),
            dim,
            ids: ids.ids().as_ptr(),
            positions: explicit,
            offset,
            length,
            len,
            out: out.as_mut_ptr(),
            store,
        };
        // SAFETY: the sizes were just checked, CheckedIds are below their rows, a `&mut` overlaps nothing, and this table
        // is only handed out where its instruction set runs.
        unsafe { (self.gather_add)(op) }
    }
}

/// The rows of `added` that go with the ids, one after the other.
struct Walk {
    explicit: *const u32,
    first: usize,
    end: usize,
    next: usize,
}

impl Walk {
    #[inline(always)]
    fn new(op: &RawGatherAdd) -> Self {
        Self { explicit: op.positions, first: op.offset, end: op.offset + op.length, next: op.offset }
    }

    /// The row for id `i`.
    ///
    /// # Safety
    /// Called for 0, 1, 2 ... below the op's `len`.
    #[inline(always)]
    unsafe fn row(&mut self, i: usize) -> usize {
        if !self.explicit.is_null() {
            // SAFETY: the contract of `RawGatherAdd`: one for each id.
            return unsafe { *self.explicit.add(i) } as usize;
        }
        let row = self.next;
        self.next = if row + 1 == self.end { self.first } else { row + 1 };
        row
    }
}

/// The definition.
pub(crate) unsafe fn reference(op: RawGatherAdd) {
    let mut walk = Walk::new(&op);
    for i in 0..op.len {
        // SAFETY: the contract of `RawGatherAdd`.
        unsafe {
            let row = op.table.add(*op.ids.add(i) as usize * op.dim);
            let added = op.added.add(walk.row(i) * op.dim);
            let out = op.out.add(i * op.dim);
            for d in 0..op.dim {
                *out.add(d) = *row.add(d) + *added.add(d);
            }
        }
    }
}

/// # Safety
/// The contract of [`RawGatherAdd`], on a machine that has `L`'s instruction set.
#[inline(always)]
pub(crate) unsafe fn body<L: Lanes>(op: RawGatherAdd) {
    let target = Target { out: op.out, len: op.len, dim: op.dim, store: op.store };
    // SAFETY: the caller's.
    unsafe { write_rows::<L, _>(target, Sums { walk: Walk::new(&op), op }) }
}

/// The rows of the result.
struct Sums {
    op: RawGatherAdd,
    walk: Walk,
}

impl<L: Lanes> Rows<L> for Sums {
    type Source = Summed;

    #[inline(always)]
    unsafe fn row(&mut self, i: usize, later: usize) -> Summed {
        let op = &self.op;
        // SAFETY: the contract of `RawGatherAdd`.
        unsafe {
            Summed {
                row: op.table.add(*op.ids.add(i) as usize * op.dim),
                added: op.added.add(self.walk.row(i) * op.dim),
                later: op.table.add(*op.ids.add(later) as usize * op.dim),
            }
        }
    }
}

/// The sum of two rows, and the row of the table that will be read later.
#[derive(Clone, Copy)]
pub(crate) struct Summed {
    row: *const f32,
    added: *const f32,
    later: *const f32,
}

impl<L: Lanes> RowSource<L> for Summed {
    #[inline(always)]
    unsafe fn vector(self, at: usize) -> L {
        // SAFETY: the caller's.
        unsafe { L::load(self.row.add(at)).add(L::load(self.added.add(at))) }
    }

    #[inline(always)]
    unsafe fn element(self, at: usize) -> f32 {
        // SAFETY: the caller's.
        unsafe { *self.row.add(at) + *self.added.add(at) }
    }

    #[inline(always)]
    unsafe fn prefetch(self, at: usize) {
        // SAFETY: the caller's; a prefetch never faults.
        unsafe { L::prefetch(self.later.add(at)) }
    }
}
