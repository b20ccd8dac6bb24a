//! The lookup: `torch.nn.functional.embedding`.

use crate::blocks::in_blocks;
use tokenbed_core::ids::{BadIds, IdSlice, resolve};
use tokenbed_core::storage::ask_ahead;
use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::ids::CheckedIds;
use tokenbed_kernels::rows::store::Store;
use tokenbed_threads::parallel_rows;

/// A table of `rows` rows of `dim` f32.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    elements: &'a [f32],
    rows: usize,
    dim: usize,
}

impl<'a> Table<'a> {
    /// A table over its elements.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are not `rows * dim` elements.
    pub fn new(elements: &'a [f32], rows: usize, dim: usize) -> Result<Self> {
        if rows.checked_mul(dim) != Some(elements.len()) {
            return Err(Error::Shape(format!("{} elements are not a table of {rows} x {dim}", elements.len())));
        }
        Ok(Self { elements, rows, dim })
    }

    /// Asks the system for the rows that a lookup will read, if they are in a mapped file.
    pub(crate) fn ask_ahead(&self, ids: CheckedIds<'_>) {
        ask_ahead(bytemuck::cast_slice(self.elements), self.dim * size_of::<f32>(), ids.ids());
    }

    /// The elements, row by row.
    pub fn elements(&self) -> &'a [f32] {
        self.elements
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of elements in a row.
    pub fn dim(&self) -> usize {
        self.dim
    }
}

/// Checks that `out` elements are exactly one row for each id.
pub(crate) fn check_out(ids: usize, dim: usize, out: usize) -> Result<()> {
    if ids.checked_mul(dim) == Some(out) {
        return Ok(());
    }
    Err(Error::Shape(format!("{ids} rows of {dim} do not fill {out} elements")))
}

/// `out` (ids x dim) = rows `ids` of the table. `scratch` is a buffer for ids that are not 32 bits wide.
///
/// # Errors
/// [`Error::TokenIndex`] for an id that `bad` does not mend, and [`Error::Shape`] if `out` has the wrong size. `out` is
/// not written in these cases.
pub fn forward(
    kernels: Kernels,
    table: Table<'_>,
    ids: IdSlice<'_>,
    bad: BadIds,
    scratch: &mut Vec<u32>,
    out: &mut [f32],
) -> Result<()> {
    check_out(ids.len(), table.dim, out.len())?;
    let ids = resolve(kernels, ids, table.rows, bad, scratch)?;
    table.ask_ahead(ids);
    // The kind of store is chosen by the size of the whole output.
    let store = Store::for_bytes(size_of_val(out));
    parallel_rows(out, table.dim, size_of::<f32>() * table.dim, |rows, out| {
        kernels.gather_with(store, table.elements, table.dim, ids.part(rows), out);
    });
    Ok(())
}

/// Does what [`forward`] does, on this thread alone and block by block while `go_on` returns true. Returns whether it
/// finished.
///
/// # Errors
/// As for [`forward`].
pub fn forward_in_blocks(
    kernels: Kernels,
    table: Table<'_>,
    (ids, bad): (IdSlice<'_>, BadIds),
    go_on: &dyn Fn() -> bool,
    out: &mut [f32],
) -> Result<bool> {
    check_out(ids.len(), table.dim, out.len())?;
    let mut scratch = Vec::new();
    let ids = resolve(kernels, ids, table.rows, bad, &mut scratch)?;
    table.ask_ahead(ids);
    let store = Store::for_bytes(size_of_val(out));
    Ok(in_blocks(out, table.dim, go_on, |rows, out| {
        kernels.gather_with(store, table.elements, table.dim, ids.part(rows), out);
    }))
}
