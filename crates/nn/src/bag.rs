//! Bags of ids: `torch.nn.functional.embedding_bag` over tables of every layout, and plain lookups in such tables.

use crate::blocks::in_blocks;
use std::ops::Range;
use tokenbed_core::ids::{BadIds, IdSlice, resolve, with_values};
use tokenbed_core::storage::ask_ahead;
use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::ids::CheckedIds;
use tokenbed_kernels::ops::lookup::bag::{Bag, Bags, Mode};
use tokenbed_kernels::rows::format::{OutFormat, RowFormat, RowTable};
use tokenbed_kernels::rows::store::Store;
use tokenbed_memory::{List, with_room, zeroed};
use tokenbed_threads::parallel_rows;

/// A table over its bytes.
///
/// # Errors
/// [`Error::Shape`] if the bytes are not exactly `rows` rows of `dim` elements.
pub fn table(format: RowFormat, bytes: &[u8], rows: usize, dim: usize) -> Result<RowTable<'_>> {
    let wrong = || Error::Shape(format!("{} bytes are not {rows} rows of {dim} elements", bytes.len()));
    RowTable::new(format, bytes, rows, dim).ok_or_else(wrong)
}

/// Buffers for offsets and for ids that are not 32 bits wide, reused between calls.
#[derive(Debug, Default)]
pub struct Scratch {
    ids: Vec<u32>,
    offsets: Vec<usize>,
}

/// Where bags begin and end.
#[derive(Clone, Copy, Debug)]
pub enum Division<'a> {
    /// All bags have the same number of ids.
    Even {
        /// The number of bags.
        bags: usize,
        /// The number of ids in each bag.
        length: usize,
    },
    /// Each bag begins at an offset among the ids.
    Offsets {
        /// The offset of each bag.
        begins: IdSlice<'a>,
        /// Whether the last offset is the end of the last bag instead, which is then the number of ids.
        with_end: bool,
    },
}

/// The bags of one call, and what to compute from them.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The ids of all bags, end to end, and what to do about bad ones.
    pub ids: (IdSlice<'a>, BadIds),
    /// How the ids are divided into bags.
    pub division: Division<'a>,
    /// A factor for each id; only for sums.
    pub weights: Option<&'a [f32]>,
    /// The row that bags ignore.
    pub padding: Option<u32>,
    /// How the rows of a bag are pooled.
    pub mode: Mode,
}

fn check_out(rows: usize, dim: usize, format: OutFormat, out: &[u8]) -> Result<()> {
    if rows.checked_mul(dim).and_then(|elements| elements.checked_mul(format.size())) == Some(out.len()) {
        return Ok(());
    }
    Err(Error::Shape(format!("{rows} rows of {dim} do not fill {} bytes", out.len())))
}

/// `out` (bags x dim, of `format`) = the sum, mean or maximum of each bag's rows; zeros for an empty bag.
///
/// # Errors
/// [`Error::TokenIndex`] for an id that is not mended; [`Error::Shape`], with the place and the value, for offsets that
/// do not begin with 0, that decrease, or that reach past the ids, and for other sizes that do not fit;
/// [`Error::Usage`] for weights with a mode other than the sum. `out` is not written in these cases.
pub fn forward(
    kernels: Kernels,
    table: RowTable<'_>,
    request: Request<'_>,
    scratch: &mut Scratch,
    (format, out): (OutFormat, &mut [u8]),
) -> Result<()> {
    let (bag, count) = checked(kernels, table, request, scratch, (format, out))?;
    let row = table.dim() * format.size();
    // Bags are divided as if they were equally long. There are many shares, so that a thread that is done takes the
    // next.
    let read = (bag.ids.ids().len() / count.max(1)).saturating_mul(table.row_bytes());
    parallel_rows(out, row, row.saturating_add(read), |range, out| kernels.bag(&bag, range, format, out));
    Ok(())
}

/// The bytes of the bags of one feature that are computed before they are put beside those of others.
const BLOCK: usize = 32 << 10;

/// `out` (bags x all columns, of `format`) = the vectors of the bags of several features, side by side: those of the
/// first feature, then those of the second, and so on. Each has the bits that [`forward`] gives.
///
/// # Errors
/// As for [`forward`], with the number of the feature at fault; [`Error::Shape`] also if features have other numbers of
/// bags than the first. `out` is not written in these cases.
pub fn forward_beside(
    kernels: Kernels,
    features: &[(RowTable<'_>, Request<'_>)],
    scratch: &mut Vec<Scratch>,
    (format, out): (OutFormat, &mut [u8]),
) -> std::result::Result<(), (usize, Error)> {
    let beside = beside(kernels, features, scratch, (format, out))?;
    if !out.is_empty() {
        parallel_rows(out, beside.width, beside.cost, |range, out| beside.write(kernels, range, (format, out)));
    }
    Ok(())
}

/// Does what [`forward_beside`] does, on this thread alone and block by block while `go_on` returns true. Returns
/// whether it finished.
///
/// # Errors
/// As for [`forward_beside`].
pub fn forward_beside_in_blocks(
    kernels: Kernels,
    features: &[(RowTable<'_>, Request<'_>)],
    go_on: &dyn Fn() -> bool,
    (format, out): (OutFormat, &mut [u8]),
) -> std::result::Result<bool, (usize, Error)> {
    let mut scratch = Vec::new();
    let beside = beside(kernels, features, &mut scratch, (format, out))?;
    Ok(in_blocks(out, beside.width, go_on, |range, out| beside.write(kernels, range, (format, out))))
}

/// Features whose vectors stand side by side.
struct Beside<'a> {
    /// The bags of each feature, and the bytes of a vector.
    parts: Vec<(Bag<'a>, usize)>,
    /// The bytes of a row of the result, and those that are read and written for it.
    width: usize,
    cost: usize,
}

/// The features, after checking everything that they read.
fn beside<'a>(
    kernels: Kernels,
    features: &[(RowTable<'a>, Request<'a>)],
    scratch: &'a mut Vec<Scratch>,
    (format, out): (OutFormat, &[u8]),
) -> std::result::Result<Beside<'a>, (usize, Error)> {
    while scratch.len() < features.len() {
        scratch.put(Scratch::default());
    }
    let mut parts = with_room(features.len());
    let (mut width, mut cost, mut first) = (0_usize, 0_usize, None);
    for (i, (&(table, request), scratch)) in features.iter().zip(scratch.iter_mut()).enumerate() {
        let (ids, ranges) = places(kernels, table.rows(), request, scratch).map_err(|error| (i, error))?;
        let count = *first.get_or_insert(ranges.count);
        if ranges.count != count {
            let why = format!("{} bags, where the first feature has {count}", ranges.count);
            return Err((i, Error::Shape(why)));
        }
        ask_ahead(table.bytes(), table.row_bytes(), ids.ids());
        let Request { weights, padding, mode, .. } = request;
        let bag = Bag { table, ids, bags: ranges.bags, weights, padding, mode };
        let row = table.dim().saturating_mul(format.size());
        let read = (ids.ids().len() / count.max(1)).saturating_mul(table.row_bytes());
        (width, cost) = (width.saturating_add(row), cost.saturating_add(row.saturating_add(read)));
        parts.put((bag, row));
    }
    let count = first.unwrap_or(0);
    if count.checked_mul(width) != Some(out.len()) {
        return Err((0, Error::Shape(format!("{count} rows of {width} bytes do not fill {} bytes", out.len()))));
    }
    Ok(Beside { parts, width, cost })
}

impl Beside<'_> {
    /// Writes the rows of a range of bags.
    fn write(&self, kernels: Kernels, range: Range<usize>, (format, out): (OutFormat, &mut [u8])) {
        let widest = self.parts.iter().map(|&(_, row)| row).max().unwrap_or(0).max(1);
        let most = (BLOCK / widest).max(1);
        let mut block: Vec<u64> = zeroed((most.min(range.len()) * widest).div_ceil(size_of::<u64>()));
        let block: &mut [u8] = bytemuck::cast_slice_mut(&mut block);
        for (rows, out) in range.clone().step_by(most).zip(out.chunks_mut(most * self.width)) {
            let rows = rows..range.end.min(rows + most);
            let mut from = 0;
            for &(ref bag, row) in self.parts.iter().filter(|&&(_, row)| row > 0) {
                let block = &mut block[..rows.len() * row];
                kernels.bag(bag, rows.clone(), format, block);
                for (to, vector) in out.chunks_exact_mut(self.width).zip(block.chunks_exact(row)) {
                    to[from..from + row].copy_from_slice(vector);
                }
                from += row;
            }
        }
    }
}

/// Does what [`forward`] does, on this thread alone and block by block while `go_on` returns true. Returns whether it
/// finished.
///
/// # Errors
/// As for [`forward`].
pub fn forward_in_blocks(
    kernels: Kernels,
    table: RowTable<'_>,
    request: Request<'_>,
    go_on: &dyn Fn() -> bool,
    (format, out): (OutFormat, &mut [u8]),
) -> Result<bool> {
    let mut scratch = Scratch::default();
    let (bag, _) = checked(kernels, table, request, &mut scratch, (format, out))?;
    let row = table.dim() * format.size();
    Ok(in_blocks(out, row, go_on, |range, out| kernels.bag(&bag, range, format, out)))
}

/// The op, after checking everything that it reads, and the number of bags.
fn checked<'a>(
    kernels: Kernels,
    table: RowTable<'a>,
    request: Request<'a>,
    scratch: &'a mut Scratch,
    (format, out): (OutFormat, &[u8]),
) -> Result<(Bag<'a>, usize)> {
    let (ids, ranges) = places(kernels, table.rows(), request, scratch)?;
    check_out(ranges.count, table.dim(), format, out)?;
    ask_ahead(table.bytes(), table.row_bytes(), ids.ids());
    let Request { weights, padding, mode, .. } = request;
    Ok((Bag { table, ids, bags: ranges.bags, weights, padding, mode }, ranges.count))
}

/// Which ids belong to which bag.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ranges<'a> {
    bags: Bags<'a>,
    count: usize,
}

impl Ranges<'_> {
    /// The number of bags.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The range of a bag's ids.
    pub(crate) fn range(&self, b: usize) -> Range<usize> {
        match self.bags {
            Bags::Even(length) => b * length..(b + 1) * length,
            Bags::Ragged(offsets) => offsets[b]..offsets[b + 1],
        }
    }

    /// The ranges of all bags, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        (0..self.count).map(|b| self.range(b))
    }
}

/// The checked ids of bags over a table of `rows` rows, and which belong to which bag.
pub(crate) fn places<'a>(
    kernels: Kernels,
    rows: usize,
    request: Request<'a>,
    scratch: &'a mut Scratch,
) -> Result<(CheckedIds<'a>, Ranges<'a>)> {
    let Request { ids: (ids, bad), division, weights, mode, .. } = request;
    if mode != Mode::Sum && weights.is_some() {
        return Err(Error::Usage("weights work only with the sum".into()));
    }
    if let Some(weights) = weights.filter(|weights| weights.len() != ids.len()) {
        return Err(Error::Shape(format!("there are {} weights for {} ids", weights.len(), ids.len())));
    }
    let (bags, count) = match division {
        Division::Even { bags, length } => {
            if bags.checked_mul(length) != Some(ids.len()) {
                return Err(Error::Shape(format!("{} ids are not {bags} bags of {length}", ids.len())));
            }
            (Bags::Even(length), bags)
        }
        Division::Offsets { begins, with_end } => {
            read_offsets(begins, with_end, ids.len(), &mut scratch.offsets)?;
            (Bags::Ragged(&scratch.offsets), scratch.offsets.len() - 1)
        }
    };
    let ids = resolve(kernels, ids, rows, bad, &mut scratch.ids)?;
    Ok((ids, Ranges { bags, count }))
}

/// Checks offsets, and writes where bags begin and where the last one ends.
fn read_offsets(begins: IdSlice<'_>, with_end: bool, ids: usize, offsets: &mut Vec<usize>) -> Result<()> {
    offsets.clear();
    let mut before = 0;
    let mut wrong = None;
    with_values(begins, |at, value| {
        let good =
            usize::try_from(value).ok().filter(|&value| value >= before && value <= ids && (at > 0 || value == 0));
        if let Some(value) = good {
            before = value;
            offsets.put(value);
        } else if wrong.is_none() {
            wrong = Some((at, value));
        }
    });
    if let Some((at, value)) = wrong {
        let why = if at == 0 {
            "but must be 0, because the first bag begins with the first id".into()
        } else if value < before as i128 {
            format!("which is below the {before} before it: offsets must not decrease")
        } else {
            format!("which is past the end of {ids} ids")
        };
        return Err(Error::Shape(format!("offsets[{at}] is {value}, {why}")));
    }
    match (with_end, offsets.last()) {
        (true, None) => Err(Error::Shape(
            "offsets must not be empty: with the end included, they have at least the element 0".into(),
        )),
        (true, Some(&end)) if end != ids => {
            let last = offsets.len() - 1;
            Err(Error::Shape(format!(
                "offsets[{last}] is {end}, but must be the number of ids, {ids}, where the last bag ends"
            )))
        }
        (true, _) => Ok(()),
        (false, None) if ids > 0 => Err(Error::Shape(format!("offsets are empty, so {ids} ids belong to no bag"))),
        (false, _) => {
            offsets.put(ids);
            Ok(())
        }
    }
}

/// `out` (ids x dim, of `format`) = the values of rows `ids` of the table.
///
/// # Errors
/// [`Error::TokenIndex`] for an id that `bad` does not mend, and [`Error::Shape`] if `out` has the wrong size. `out` is
/// not written in these cases.
pub fn lookup(
    kernels: Kernels,
    table: RowTable<'_>,
    (ids, bad): (IdSlice<'_>, BadIds),
    scratch: &mut Scratch,
    (format, out): (OutFormat, &mut [u8]),
) -> Result<()> {
    check_out(ids.len(), table.dim(), format, out)?;
    let ids = resolve(kernels, ids, table.rows(), bad, &mut scratch.ids)?;
    ask_ahead(table.bytes(), table.row_bytes(), ids.ids());
    let (row, store) = (table.dim() * format.size(), Store::for_bytes(out.len()));
    parallel_rows(out, row, row.max(table.row_bytes()), |range, out| {
        kernels.gather_rows_with(store, table, ids.part(range), format, out);
    });
    Ok(())
}

/// Does what [`lookup`] does, on this thread alone and block by block while `go_on` returns true. Returns whether it
/// finished.
///
/// # Errors
/// As for [`lookup`].
pub fn lookup_in_blocks(
    kernels: Kernels,
    table: RowTable<'_>,
    (ids, bad): (IdSlice<'_>, BadIds),
    go_on: &dyn Fn() -> bool,
    (format, out): (OutFormat, &mut [u8]),
) -> Result<bool> {
    check_out(ids.len(), table.dim(), format, out)?;
    let mut scratch = Vec::new();
    let ids = resolve(kernels, ids, table.rows(), bad, &mut scratch)?;
    ask_ahead(table.bytes(), table.row_bytes(), ids.ids());
    let (row, store) = (table.dim() * format.size(), Store::for_bytes(out.len()));
    Ok(in_blocks(out, row, go_on, |range, out| {
        kernels.gather_rows_with(store, table, ids.part(range), format, out);
    }))
}
