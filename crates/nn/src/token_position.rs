//! The input layer of a transformer in one pass: token (+ segment) (+ position) (-> layer normalization).

use crate::blocks::in_blocks;
use crate::embedding::{Table, check_out};
use tokenbed_core::ids::{BadIds, IdSlice, resolve};
use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::ops::lookup::embed::Embed;
pub use tokenbed_kernels::ops::lookup::layer_norm::Norm;
use tokenbed_kernels::rows::added::{Added, Along};
use tokenbed_kernels::rows::store::Store;
use tokenbed_threads::parallel_rows;

/// The parameters of the layer, and how they are combined.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// The token table.
    pub token: Table<'a>,
    /// The factor of the token vectors, applied before anything is added; 1 changes nothing.
    pub scale: f32,
    /// The segment table, whose vectors are added first, as in BERT.
    pub segment: Option<Table<'a>>,
    /// The position table, if there is one.
    pub position: Option<Table<'a>>,
    /// The normalization of the sum, if there is one.
    pub norm: Option<Norm<'a>>,
}

/// The input of the layer.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// Token ids.
    pub ids: IdSlice<'a>,
    /// What to do about ids without a row.
    pub bad: BadIds,
    /// The segment of each id; without it, every id is in segment 0. It is unused if there is no segment table.
    pub segments: Option<IdSlice<'a>>,
    /// The position of each id.
    pub at: At<'a>,
}

/// The position of each id.
#[derive(Clone, Copy, Debug)]
pub enum At<'a> {
    /// `offset, offset + 1, ...` along sequences of `length` ids.
    From {
        /// The first position of every sequence.
        offset: usize,
        /// Ids in a sequence.
        length: usize,
    },
    /// One position for each id.
    Each(IdSlice<'a>),
}

/// Buffers for ids that are not 32 bits wide, reused between calls.
#[derive(Debug, Default)]
pub struct Scratch {
    ids: Vec<u32>,
    positions: Vec<u32>,
    segments: Vec<u32>,
}

impl Scratch {
    /// The buffer for token ids, for ops that take no positions.
    pub fn ids(&mut self) -> &mut Vec<u32> {
        &mut self.ids
    }
}

/// `out` (ids x dim) = rows `ids` of the tokens (* scale) (+ rows of the segments) + rows of the positions,
/// (normalized).
///
/// # Errors
/// [`Error::TokenIndex`] for an id that `bad` does not mend; [`Error::Shape`] for sizes that do not fit and for a
/// sequence longer than the table of positions. `out` is not written in these cases. Positions are checked first, then
/// segments. Explicit ones are never mended: their error is in [`Side::Position`] or [`Side::Segment`].
pub fn forward(
    kernels: Kernels,
    layer: &Layer<'_>,
    inputs: &Inputs<'_>,
    scratch: &mut Scratch,
    out: &mut [f32],
) -> std::result::Result<(), (Side, Error)> {
    let op = checked(kernels, layer, inputs, scratch, out.len())?;
    // The kind of store is chosen by the size of the whole output.
    let store = Store::for_bytes(size_of_val(out));
    let row = size_of::<f32>() * op.dim;
    parallel_rows(out, op.dim, row, |rows, out| kernels.embed_with(store, &op.part(rows), out));
    Ok(())
}

/// Does what [`forward`] does, on this thread alone and block by block while `go_on` returns true. Returns whether it
/// finished.
///
/// # Errors
/// As for [`forward`].
pub fn forward_in_blocks(
    kernels: Kernels,
    layer: &Layer<'_>,
    inputs: &Inputs<'_>,
    go_on: &dyn Fn() -> bool,
    out: &mut [f32],
) -> std::result::Result<bool, (Side, Error)> {
    let mut scratch = Scratch::default();
    let op = checked(kernels, layer, inputs, &mut scratch, out.len())?;
    let store = Store::for_bytes(size_of_val(out));
    Ok(in_blocks(out, op.dim, go_on, |rows, out| kernels.embed_with(store, &op.part(rows), out)))
}

/// The op, after checking everything that it reads.
pub(crate) fn checked<'a>(
    kernels: Kernels,
    layer: &Layer<'a>,
    inputs: &Inputs<'a>,
    scratch: &'a mut Scratch,
    out: usize,
) -> std::result::Result<Embed<'a>, (Side, Error)> {
    let of = |side| move |error| (side, error);
    let token = layer.token;
    let (ids, dim) = (inputs.ids.len(), token.dim());
    check_out(ids, dim, out).map_err(of(Side::Token))?;
    check_dims(layer).map_err(of(Side::Token))?;
    let positions = match layer.position {
        Some(table) => {
            let along = positions(kernels, table, ids, inputs.at, &mut scratch.positions);
            Some(Added { table: table.elements(), along: along.map_err(of(Side::Position))? })
        }
        None => None,
    };
    let segments = match layer.segment {
        Some(table) => {
            let along = segments(kernels, table, ids, inputs.segments, &mut scratch.segments);
            Some(Added { table: table.elements(), along: along.map_err(of(Side::Segment))? })
        }
        None => None,
    };
    let ids = resolve(kernels, inputs.ids, token.rows(), inputs.bad, &mut scratch.ids).map_err(of(Side::Token))?;
    token.ask_ahead(ids);
    let added = if segments.is_some() { [segments, positions] } else { [positions, None] };
    Ok(Embed { table: token.elements(), dim, ids, scale: layer.scale, added, norm: layer.norm })
}

/// The kind of ids that an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Token ids.
    Token,
    /// Explicit positions.
    Position,
    /// Segments.
    Segment,
}

fn check_dims(layer: &Layer<'_>) -> Result<()> {
    let dim = layer.token.dim();
    for table in [layer.position, layer.segment].into_iter().flatten() {
        if table.dim() != dim {
            return Err(Error::Shape(format!("all tables must have {dim} columns, not {}", table.dim())));
        }
    }
    for parameter in layer.norm.iter().flat_map(|norm| [norm.weight, norm.bias]) {
        if parameter.len() != dim {
            return Err(Error::Shape(format!(
                "the normalization has {} columns, but the tables have {dim}",
                parameter.len()
            )));
        }
    }
    Ok(())
}

fn segments<'a>(
    kernels: Kernels,
    table: Table<'_>,
    ids: usize,
    segments: Option<IdSlice<'a>>,
    scratch: &'a mut Vec<u32>,
) -> Result<Along<'a>> {
    match segments {
        Some(segments) if segments.len() != ids => {
            Err(Error::Shape(format!("there are {} segments for {ids} ids", segments.len())))
        }
        Some(segments) => resolve(kernels, segments, table.rows(), BadIds::Throw, scratch).map(Along::Each),
        None if table.rows() > 0 => Ok(Along::Cycle { offset: 0, length: 1, first: 0 }),
        None => Err(Error::Shape("the segment table has no rows for the ids".into())),
    }
}

fn positions<'a>(
    kernels: Kernels,
    table: Table<'_>,
    ids: usize,
    at: At<'a>,
    scratch: &'a mut Vec<u32>,
) -> Result<Along<'a>> {
    match at {
        At::From { offset, length } => {
            let whole = length == ids || (length > 0 && ids.is_multiple_of(length));
            let inside = offset.checked_add(length).is_some_and(|end| end <= table.rows());
            match (whole, inside) {
                (true, true) => Ok(Along::Cycle { offset, length, first: 0 }),
                (true, false) => Err(Error::Shape(format!(
                    "positions {offset} to {} exceed a table of {} positions",
                    offset.saturating_add(length),
                    table.rows()
                ))),
                (false, _) => Err(Error::Shape(format!("{ids} ids are not whole sequences of {length}"))),
            }
        }
        At::Each(positions) if positions.len() != ids => {
            Err(Error::Shape(format!("there are {} positions for {ids} ids", positions.len())))
        }
        At::Each(positions) => resolve(kernels, positions, table.rows(), BadIds::Throw, scratch).map(Along::Each),
    }
}
