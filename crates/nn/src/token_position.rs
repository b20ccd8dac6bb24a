//! Token + position in one pass: the input layer of GPT.

use crate::embedding::{Table, check_out};
use tokenbed_core::ids::{BadIds, IdSlice, resolve};
use tokenbed_core::{Error, Result};
use tokenbed_kernels::ops::gather_add::Positions;
use tokenbed_kernels::table::Kernels;

/// Which position goes with which id.
#[derive(Clone, Copy, Debug)]
pub enum At<'a> {
    /// `offset, offset + 1, ...` along sequences of `length` ids.
    From {
        /// The first position of every sequence.
        offset: usize,
        /// Ids in a sequence.
        length: usize,
    },
    /// One for each id.
    Each(IdSlice<'a>),
}

/// Scratch for ids that are not 32 bits wide, kept between calls.
#[derive(Debug, Default)]
pub struct Scratch {
    ids: Vec<u32>,
    positions: Vec<u32>,
}

impl Scratch {
    /// The part for token ids, for ops that take no positions.
    pub fn ids(&mut self) -> &mut Vec<u32> {
        &mut self.ids
    }
}

/// `out` (ids x dim) = rows `ids` of `token` + rows `at` of `position`.
///
/// # Errors
/// [`Error::TokenIndex`] for an id that `bad` does not mend; [`Error::Shape`] for sizes that do not fit and for a
/// sequence longer than the table of positions; `out` is not written then. Explicit positions are checked first, and
/// are never mended: their error is in [`Side::Position`].
pub fn forward(
    kernels: &Kernels,
    (token, position): (Table<'_>, Table<'_>),
    (ids, bad): (IdSlice<'_>, BadIds),
    at: At<'_>,
    scratch: &mut Scratch,
    out: &mut [f32],
) -> std::result::Result<(), (Side, Error)> {
    let of_ids = |error| (Side::Token, error);
    check_out(ids.len(), token.dim(), out).map_err(of_ids)?;
    if token.dim() != position.dim() {
        return Err(of_ids(Error::Shape(format!("tables of {} and {} columns", token.dim(), position.dim()))));
    }
    let positions =
        positions(kernels, position, ids.len(), at, &mut scratch.positions).map_err(|error| (Side::Position, error))?;
    let ids = resolve(kernels, ids, token.rows(), bad, &mut scratch.ids).map_err(of_ids)?;
    kernels.gather_add(token.elements(), position.elements(), token.dim(), ids, positions, out);
    Ok(())
}

/// Refuses what [`forward`] would refuse, but for the size of its output.
///
/// # Errors
/// Those of [`forward`].
pub fn check(
    kernels: &Kernels,
    (token, position): (Table<'_>, Table<'_>),
    (ids, bad): (IdSlice<'_>, BadIds),
    at: At<'_>,
    scratch: &mut Scratch,
) -> std::result::Result<(), (Side, Error)> {
    let of_ids = |error| (Side::Token, error);
    if token.dim() != position.dim() {
        return Err(of_ids(Error::Shape(format!("tables of {} and {} columns", token.dim(), position.dim()))));
    }
    positions(kernels, position, ids.len(), at, &mut scratch.positions).map_err(|error| (Side::Position, error))?;
    resolve(kernels, ids, token.rows(), bad, &mut scratch.ids).map(drop).map_err(of_ids)
}

/// Which of the two ids an error speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Token ids.
    Token,
    /// Explicit positions.
    Position,
}

fn positions<'a>(
    kernels: &Kernels,
    table: Table<'_>,
    ids: usize,
    at: At<'a>,
    scratch: &'a mut Vec<u32>,
) -> Result<Positions<'a>> {
    match at {
        At::From { offset, length } => {
            let whole = length == ids || (length > 0 && ids.is_multiple_of(length));
            let inside = offset.checked_add(length).is_some_and(|end| end <= table.rows());
            match (whole, inside) {
                (true, true) => Ok(Positions::Cyclic { offset, length }),
                (true, false) => Err(Error::Shape(format!(
                    "positions {offset} to {} do not fit a table of {} positions",
                    offset.saturating_add(length),
                    table.rows()
                ))),
                (false, _) => Err(Error::Shape(format!("{ids} ids are not sequences of {length}"))),
            }
        }
        At::Each(positions) if positions.len() != ids => {
            Err(Error::Shape(format!("{} positions for {ids} ids", positions.len())))
        }
        At::Each(positions) => {
            resolve(kernels, positions, table.rows(), BadIds::Throw, scratch).map(Positions::Explicit)
        }
    }
}
