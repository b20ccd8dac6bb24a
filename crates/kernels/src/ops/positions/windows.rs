//! windows: rows that are windows of a line, each beginning one element before the window of the row above. They form a
//! matrix that depends only on the distance between row and column (a Toeplitz matrix).
//!
//! ```text
//! line: groups x (rows + dim - 1)
//! for i in first .. first + len:                    of groups * rows rows
//!     g, r = i / rows, i mod rows
//!     out[i - first] = line[g][rows - 1 - r ..][.. dim]
//! ```
//!
//! This is a copy, so the bits are the same on every instruction set.

use crate::dispatch::{Kernels, arms};
use crate::lanes::Lanes;
use crate::probe::{DIMS, Framed, Probe, Results, numbers};
use crate::rows::store::Store;
use crate::rows::write::{Plain, Rows, Target, write_rows};

/// The rows to write.
#[derive(Clone, Copy, Debug)]
pub struct Windows<'a> {
    /// One line for each group, of `rows + dim - 1` elements.
    pub lines: &'a [f32],
    /// The number of rows in a group.
    pub rows: usize,
    /// The number of elements in a row.
    pub dim: usize,
    /// The first row to write, counted over all groups.
    pub first: usize,
}

/// The raw arguments of the op. Their contract, which [`Kernels::windows`] checks: `lines` points at enough lines for
/// rows `first .. first + len`, `out` at `len * dim` elements that do not overlap them; `rows` and `dim` are not 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawWindows {
    lines: *const f32,
    rows: usize,
    dim: usize,
    first: usize,
    len: usize,
    out: *mut f32,
    store: Store,
}

arms!(WINDOWS: fn(op: RawWindows), body<L>, reference);

impl Kernels {
    /// Writes the rows (rows x dim) to `out`, with `store`'s way of storing.
    ///
    /// # Panics
    /// If the slices have other sizes, which is a bug in the caller.
    pub fn windows(self, store: Store, op: &Windows<'_>, out: &mut [f32]) {
        let Windows { lines, rows, dim, first } = *op;
        if out.is_empty() {
            return;
        }
        assert!(rows > 0 && dim > 0 && out.len().is_multiple_of(dim), "windows: not whole rows");
        let len = out.len() / dim;
        let groups = first.checked_add(len).map(|end| end.div_ceil(rows));
        let need = groups.and_then(|groups| groups.checked_mul(rows.checked_add(dim)? - 1));
        assert!(need.is_some_and(|need| need <= lines.len()), "windows: lines too short");
        let op = RawWindows { lines: lines.as_ptr(), rows, dim, first, len, out: out.as_mut_ptr(), store };
        // SAFETY: the sizes were just checked, a `&mut` overlaps nothing, and `self` proves that its
        // instruction set runs here.
        unsafe { WINDOWS.on(self)(op) }
    }
}

impl RawWindows {
    /// The address of row `i` of those that are written.
    #[inline(always)]
    unsafe fn window(&self, i: usize) -> *const f32 {
        let (group, row) = ((self.first + i) / self.rows, (self.first + i) % self.rows);
        // SAFETY: the contract; `i` is below `len`.
        unsafe { self.lines.add(group * (self.rows + self.dim - 1) + self.rows - 1 - row) }
    }
}

/// The reference, which defines the result.
unsafe fn reference(op: RawWindows) {
    for i in 0..op.len {
        // SAFETY: the contract of `RawWindows`.
        unsafe { std::ptr::copy_nonoverlapping(op.window(i), op.out.add(i * op.dim), op.dim) }
    }
}

/// # Safety
/// The contract of [`RawWindows`], on a machine that has `L`'s instruction set.
#[inline(always)]
unsafe fn body<L: Lanes>(op: RawWindows) {
    let target = Target { out: op.out, len: op.len, dim: op.dim, store: op.store };
    // SAFETY: as the caller promises.
    unsafe { write_rows::<L, _>(target, op) }
}

impl<L: Lanes> Rows<L> for RawWindows {
    type Source = Plain;

    #[inline(always)]
    unsafe fn row(&mut self, i: usize, _: usize) -> Plain {
        // SAFETY: the contract of `RawWindows`.
        unsafe { Plain(self.window(i)) }
    }
}

pub(crate) const PROBE: Probe = Probe { name: "windows", line: "windows", sizes: &DIMS, run: probe };

fn probe(kernels: Kernels, dim: usize, results: &mut Results) {
    let (groups, rows) = (2, 9);
    let lines = numbers(groups * (rows + dim - 1), 101);
    let mut out = Framed::room((groups * rows - 3) * dim);
    kernels.windows(Store::Cached, &Windows { lines: &lines, rows, dim, first: 3 }, &mut out);
    results.take(&out);
}
