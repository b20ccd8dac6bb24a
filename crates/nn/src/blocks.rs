//! Lookups in blocks of rows, between which they can be stopped: for work that runs beside its caller.

use crate::embedding::{self, Table, check_out};
use crate::token_position::{self, At, Scratch, Side};
use tokenbed_core::Error;
use tokenbed_core::ids::{BadIds, IdSlice, resolve};
use tokenbed_kernels::table::Kernels;

/// Bytes of a result that are written between two looks at whether to go on: some tenths of a millisecond.
const BLOCK_BYTES: usize = 1 << 20;

type Checked<T> = std::result::Result<T, (Side, Error)>;

/// A lookup whose rows do not depend on each other.
pub trait Blocks {
    /// Rows of the result.
    fn rows(&self) -> usize;

    /// Elements of a row.
    fn dim(&self) -> usize;

    /// Refuses what the lookup as a whole would refuse, in the same words.
    ///
    /// # Errors
    /// Those of the lookup.
    fn check(&self, kernels: &Kernels, scratch: &mut Scratch) -> Checked<()>;

    /// How many of the next `most` rows from `from` on are written in one go: at least one of them.
    fn block(&self, _from: usize, most: usize) -> usize {
        most
    }

    /// Writes the rows from `from` on that fill `out`.
    ///
    /// # Errors
    /// None that `check` has not told.
    fn write(&self, kernels: &Kernels, from: usize, scratch: &mut Scratch, out: &mut [f32]) -> Checked<()>;
}

/// Checks `lookup` and writes it to `out`, block by block while `go_on` says so; whether it is done.
///
/// # Errors
/// Those of the lookup; `out` is not written then.
pub fn run(kernels: &Kernels, lookup: &dyn Blocks, go_on: &dyn Fn() -> bool, out: &mut [f32]) -> Checked<bool> {
    let (rows, dim) = (lookup.rows(), lookup.dim());
    check_out(rows, dim, out).map_err(|error| (Side::Token, error))?;
    let mut scratch = Scratch::default();
    if !go_on() {
        return Ok(false);
    }
    lookup.check(kernels, &mut scratch)?;
    let most = (BLOCK_BYTES / size_of::<f32>() / dim.max(1)).max(1);
    let mut from = 0;
    while from < rows {
        if !go_on() {
            return Ok(false);
        }
        let block = lookup.block(from, most.min(rows - from));
        lookup.write(kernels, from, &mut scratch, &mut out[from * dim..(from + block) * dim])?;
        from += block;
    }
    Ok(true)
}

/// [`embedding::forward`] in blocks.
#[derive(Clone, Copy, Debug)]
pub struct Gather<'a> {
    /// The table.
    pub table: Table<'a>,
    /// Its rows, in the order of the result.
    pub ids: IdSlice<'a>,
    /// What becomes of ids without a row.
    pub bad: BadIds,
}

impl Blocks for Gather<'_> {
    fn rows(&self) -> usize {
        self.ids.len()
    }

    fn dim(&self) -> usize {
        self.table.dim()
    }

    fn check(&self, kernels: &Kernels, scratch: &mut Scratch) -> Checked<()> {
        let checked = resolve(kernels, self.ids, self.table.rows(), self.bad, scratch.ids());
        checked.map(drop).map_err(|error| (Side::Token, error))
    }

    fn write(&self, kernels: &Kernels, from: usize, scratch: &mut Scratch, out: &mut [f32]) -> Checked<()> {
        let ids = self.ids.range(from..from + out.len() / self.dim());
        embedding::forward(kernels, self.table, ids, self.bad, scratch.ids(), out).map_err(|error| (Side::Token, error))
    }
}

/// [`token_position::forward`] in blocks.
#[derive(Clone, Copy, Debug)]
pub struct TokenPosition<'a> {
    /// The tables of tokens and of positions.
    pub tables: (Table<'a>, Table<'a>),
    /// Rows of the first.
    pub ids: IdSlice<'a>,
    /// What becomes of ids without a row.
    pub bad: BadIds,
    /// Rows of the second.
    pub at: At<'a>,
}

impl TokenPosition<'_> {
    /// Where the rows from `from` on stand: from within a sequence to its end at most, or whole sequences.
    fn at(&self, from: usize, rows: usize) -> At<'_> {
        match self.at {
            At::Each(positions) => At::Each(positions.range(from..from + rows)),
            At::From { offset, length } => {
                let within = from % length;
                At::From { offset: offset + within, length: rows.min(length - within) }
            }
        }
    }
}

impl Blocks for TokenPosition<'_> {
    fn rows(&self) -> usize {
        self.ids.len()
    }

    fn dim(&self) -> usize {
        self.tables.0.dim()
    }

    fn check(&self, kernels: &Kernels, scratch: &mut Scratch) -> Checked<()> {
        token_position::check(kernels, self.tables, (self.ids, self.bad), self.at, scratch)
    }

    fn block(&self, from: usize, most: usize) -> usize {
        match self.at {
            At::Each(_) => most,
            At::From { length, .. } if from.is_multiple_of(length) && most >= length => most - most % length,
            At::From { length, .. } => most.min(length - from % length),
        }
    }

    fn write(&self, kernels: &Kernels, from: usize, scratch: &mut Scratch, out: &mut [f32]) -> Checked<()> {
        let rows = out.len() / self.dim();
        let ids = self.ids.range(from..from + rows);
        token_position::forward(kernels, self.tables, (ids, self.bad), self.at(from, rows), scratch, out)
    }
}
