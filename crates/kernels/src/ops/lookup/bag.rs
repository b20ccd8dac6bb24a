//! bag: the rows that a bag of ids names: their sum, their mean, or the maximum of each column.
//!
//! ```text
//! for b in bags:
//!     rows = [table[ids[i]] for i in begin(b)..end(b) if ids[i] != padding]
//!     sum:  acc = 0.0                              of floats
//!           acc = weight * bias of the first       of scaled integers
//!           for row in rows, in order:  acc = fma(stored(row, d), scale(row) * weight, acc)
//!           of scaled integers:         acc = acc + (fma(bias, weight, ...) of all rows but the first, from 0.0, in order)
//!     mean: the sum / f32(number of rows)
//!     max:  value(first); then value > acc ? value : acc
//!     out[b * dim + d] = round(acc); 0.0 of no rows
//! ```
//!
//! `torch.nn.functional.embedding_bag`. Without weights all are 1. The biases of integers are added once for all rows,
//! so that a row costs a conversion and a fused multiply-add. A bag of one row equals that row from gather_rows, to the
//! bit, but that a sum makes zero of a negative zero. Sums run in the order of the ids, so the bits are the same on
//! every instruction set.

pub use super::bag_raw::Mode;
use super::bag_raw::RawBag;
use super::bag_tiles;
use super::decoded_bags;
use super::quantize::{all_formats, sample};
use crate::dispatch::{Kernels, arms};
use crate::ids::CheckedIds;
use crate::lanes::narrow::NarrowLanes;
use crate::probe::{DIMS, Framed, OFFSETS, Probe, ROWS, Results, id_list, numbers};
use crate::rows::format::{OutFormat, RowTable};
use std::ops::Range;

/// Where bags begin and end among the ids.
#[derive(Clone, Copy, Debug)]
pub enum Bags<'a> {
    /// Every bag has this many ids.
    Even(usize),
    /// Bag b is `offsets[b] .. offsets[b + 1]`.
    Ragged(&'a [usize]),
}

/// A batch of bags.
#[derive(Clone, Copy, Debug)]
pub struct Bag<'a> {
    /// The table of the rows.
    pub table: RowTable<'a>,
    /// The ids of the rows.
    pub ids: CheckedIds<'a>,
    /// How the ids are divided into bags.
    pub bags: Bags<'a>,
    /// A factor for each id; only for sums.
    pub weights: Option<&'a [f32]>,
    /// The id that bags ignore.
    pub padding: Option<u32>,
    /// How the rows are pooled.
    pub mode: Mode,
}

arms!(BAG: fn(op: RawBag), body<L>, reference);

impl Kernels {
    /// Writes the results of the bags in `range`, as (bags x dim) elements of `out_format`, to the bytes of `out`.
    ///
    /// # Panics
    /// If slices have other sizes, or bags are not inside the ids, which is a bug in the caller.
    pub fn bag(self, bag: &Bag<'_>, range: Range<usize>, out_format: OutFormat, out: &mut [u8]) {
        let Bag { table, ids, bags, weights, padding, mode } = *bag;
        let len = ids.ids().len();
        let need = range.len().checked_mul(table.dim()).and_then(|elements| elements.checked_mul(out_format.size()));
        assert!(range.start <= range.end, "bag: a range that ends before it begins");
        assert!(need == Some(out.len()), "bag: out of another size");
        assert!(ids.rows() <= table.rows(), "bag: table too small");
        assert!(
            weights.is_none_or(|weights| weights.len() == len && mode == Mode::Sum),
            "bag: weights of another length"
        );
        assert!(padding != Some(u32::MAX), "bag: no row has this number");
        let (offsets, length) = match bags {
            Bags::Even(length) => {
                let end = range.end.checked_mul(length);
                assert!(end.is_some_and(|end| end <= len), "bag: bags beyond the ids");
                (std::ptr::null(), length)
            }
            Bags::Ragged(offsets) => {
                let of_range = offsets.get(range.start..).and_then(|from| from.get(..range.len() + 1));
                let inside = of_range.is_some_and(|of| of.is_sorted() && of.last().is_some_and(|&end| end <= len));
                assert!(range.is_empty() || inside, "bag: bags beyond the ids");
                (offsets.as_ptr(), 0)
            }
        };
        let op = RawBag {
            table: table.bytes().as_ptr(),
            format: table.format(),
            row_bytes: table.row_bytes(),
            dim: table.dim(),
            ids: ids.ids().as_ptr(),
            offsets,
            length,
            first: range.start,
            bags: range.len(),
            weights: weights.map_or(std::ptr::null(), <[f32]>::as_ptr),
            padding: padding.unwrap_or(u32::MAX),
            mode,
            out: out.as_mut_ptr(),
            out_format,
        };
        // SAFETY: the whole contract was just checked, CheckedIds are below its rows, a `&mut` overlaps nothing, and
        // `self` proves that its instruction set runs here.
        unsafe { BAG.on(self)(op) }
    }
}

/// The reference, which defines the result.
unsafe fn reference(op: RawBag) {
    if op.format.is_decoded() {
        // SAFETY: the contract of `RawBag`.
        return unsafe { decoded_bags::reference(op) };
    }
    for b in 0..op.bags {
        // SAFETY: the contract of `RawBag`.
        unsafe {
            let members = op.members(b);
            for column in 0..op.dim {
                op.out_format.put(op.out(b), column, op.column(members, column));
            }
        }
    }
}

/// # Safety
/// The contract of [`RawBag`], on a machine that has `L`'s instruction set.
#[inline(always)]
unsafe fn body<L: NarrowLanes>(op: RawBag) {
    // SAFETY: as the caller promises.
    unsafe { bag_tiles::body::<L>(op) }
}

pub(crate) const PROBE: Probe = Probe { name: "bag", line: "bag", sizes: &DIMS, run: probe };

fn probe(kernels: Kernels, dim: usize, results: &mut Results) {
    let (ids, factors) = (id_list(), numbers(64, 23));
    for format in all_formats() {
        let packed = sample(format, ROWS, dim);
        let table = RowTable::new(format, &packed, ROWS, dim);
        let (Some(table), Some(ids)) = (table, CheckedIds::new(kernels, &ids, ROWS)) else { continue };
        let of = |mode, bags, weights, padding| Bag { table, ids, bags, weights, padding, mode };
        let ragged = Bags::Ragged(&OFFSETS);
        let batches = Mode::ALL
            .map(|mode| (of(mode, ragged, None, Some(ROWS as u32 - 1)), OFFSETS.len() - 1))
            .into_iter()
            .chain([(of(Mode::Sum, Bags::Even(8), Some(&factors), None), 8)]);
        for (bag, count) in batches {
            let mut out = Framed::room(count * dim * OutFormat::Float32.size());
            kernels.bag(&bag, 0..count, OutFormat::Float32, &mut out);
            results.take(&out);
        }
    }
}
