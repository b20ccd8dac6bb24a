//! Divides work on rows by its cost: into ranges of rows and, for a hot row, into ranges of its columns.

use super::GradRows;
use std::ops::Range;
use tokenbed_memory::{Gather, List, with_room};
use tokenbed_threads::{num_threads, parallel_rows};

/// The number of shares per thread: a thread that is done takes the next share, so that all end at about the same time.
const SHARES_A_THREAD: usize = 8;
/// The columns of a hot row are divided at whole cache lines of f32.
const COLUMNS: usize = 16;
/// Work of fewer bytes is not divided: worker threads would start too late.
const DIVIDED_FROM: usize = tokenbed_threads::ranges::PARALLEL_FROM_AWAKE;

/// A part of the work: all columns of some rows, or some columns of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The rows, by their index among the ids.
    pub rows: Range<usize>,
    /// The columns. They are only a part if there is one row.
    pub columns: Range<usize>,
}

impl Share {
    /// The offset of row `i` in the share's part of a table ([`parts`]) with rows of `dim` elements.
    pub fn at(&self, ids: &[u32], i: usize, dim: usize) -> usize {
        (ids[i] - ids[self.rows.start]) as usize * dim
    }
}

/// What to do with a row that costs more than a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hot {
    /// Its columns are divided.
    Split,
    /// The row is a share of its own, for work that needs whole rows.
    Whole,
}

/// Shares of the rows, ascending and disjoint, of about the same cost. A row costs one read per occurrence and one
/// write. There is a single share if dividing is not worth it.
pub fn shares<G: GradRows + ?Sized>(grad: &G, hot: Hot) -> Vec<Share> {
    shares_of(grad, shares_for(bytes(grad)), hot)
}

/// The number of shares that this many bytes of work are worth.
pub(super) fn shares_for(bytes: usize) -> usize {
    match num_threads().unwrap_or(1) {
        1 => 1,
        _ if bytes < DIVIDED_FROM => 1,
        threads => threads * SHARES_A_THREAD,
    }
}

/// The bytes that are read and written when every row is summed and stored once, as [`for_each_share`] needs them.
pub fn bytes<G: GradRows + ?Sized>(grad: &G) -> usize {
    cost(grad).saturating_mul(grad.dim()).saturating_mul(size_of::<f32>())
}

/// The number of rows that are read and written.
fn cost<G: GradRows + ?Sized>(grad: &G) -> usize {
    (0..grad.ids().len()).map(|i| 1 + grad.occurrences(i)).sum()
}

/// Does the same as [`shares`], with about this many shares.
pub fn shares_of<G: GradRows + ?Sized>(grad: &G, wanted: usize, hot: Hot) -> Vec<Share> {
    let (rows, dim) = (grad.ids().len(), grad.dim());
    if wanted <= 1 {
        return if rows == 0 { Vec::new() } else { Vec::from([Share { rows: 0..rows, columns: 0..dim }]) };
    }
    let target = cost(grad).div_ceil(wanted).max(1);
    let mut shares = with_room(wanted + 1);
    let (mut first, mut cost) = (0, 0);
    let close = |range: Range<usize>, shares: &mut Vec<Share>| {
        if !range.is_empty() {
            shares.put(Share { rows: range, columns: 0..dim });
        }
    };
    for i in 0..rows {
        let of_row = 1 + grad.occurrences(i);
        if of_row > target {
            close(first..i, &mut shares);
            let pieces = if hot == Hot::Split { of_row.div_ceil(target) } else { 1 };
            shares.put_all(self::columns(dim, pieces).map(|columns| Share { rows: i..i + 1, columns }));
            (first, cost) = (i + 1, 0);
        } else if cost + of_row > target {
            close(first..i, &mut shares);
            (first, cost) = (i, of_row);
        } else {
            cost += of_row;
        }
    }
    close(first..rows, &mut shares);
    shares
}

/// The columns in about this many pieces.
pub(super) fn columns(dim: usize, pieces: usize) -> impl Iterator<Item = Range<usize>> {
    let step = if pieces <= 1 { dim } else { dim.div_ceil(pieces).next_multiple_of(COLUMNS) };
    (0..dim).step_by(step.max(1)).map(move |at| at..dim.min(at + step))
}

/// Cuts a table into the part that belongs to each share alone: from its first row and column to its last, including
/// the rows without a gradient between them. `table` has rows of `dim` elements, like the gradient; [`Share::at`] gives
/// the offset of a row.
///
/// # Panics
/// If the table lacks a row that the ids name.
pub fn parts<'t, T>(shares: &[Share], ids: &[u32], dim: usize, table: &'t mut [T]) -> Vec<&'t mut [T]> {
    let bounds = |share: &Share| {
        let (first, last) = (ids[share.rows.start] as usize, ids[share.rows.end - 1] as usize);
        first * dim + share.columns.start..last * dim + share.columns.end
    };
    cut(shares.iter().map(bounds), table)
}

/// Does the same as [`parts`] for a table with `width` elements per row, whatever the gradient's columns are: for state
/// that is kept per row. The shares must be of whole rows ([`Hot::Whole`]).
///
/// # Panics
/// If the table lacks a row that the ids name, or a row is divided.
pub fn parts_by_row<'t, T>(shares: &[Share], ids: &[u32], width: usize, table: &'t mut [T]) -> Vec<&'t mut [T]> {
    let bounds = |share: &Share| {
        let (first, last) = (ids[share.rows.start] as usize, ids[share.rows.end - 1] as usize);
        first * width..(last + 1) * width
    };
    cut(shares.iter().map(bounds), table)
}

/// Disjoint, ascending parts of a slice.
pub(super) fn cut<T>(bounds: impl Iterator<Item = Range<usize>>, table: &mut [T]) -> Vec<&mut [T]> {
    let (mut rest, mut at) = (table, 0);
    let mut part = |bounds: Range<usize>| {
        assert!(at <= bounds.start, "the parts of a table must be disjoint");
        let (_, from) = std::mem::take(&mut rest).split_at_mut(bounds.start - at);
        let (part, after) = from.split_at_mut(bounds.len());
        (rest, at) = (after, bounds.end);
        part
    };
    bounds.map(&mut part).into_list()
}

/// Calls `run` once for each share and its element of `with`, on as many threads as `bytes` of work are worth.
///
/// # Panics
/// If `run` does, and if the lengths of `shares` and `with` differ.
pub fn for_each_share<P: Send>(shares: &[Share], with: Vec<P>, bytes: usize, run: impl Fn(&Share, P) + Sync) {
    assert!(shares.len() == with.len(), "shares: both lists must have the same length");
    let mut work: Vec<_> = shares.iter().zip(with.into_iter().map(Some)).into_list();
    let each = bytes.div_ceil(shares.len().max(1));
    parallel_rows(&mut work, 1, each, |_, work| {
        for (share, with) in work {
            if let Some(with) = with.take() {
                run(share, with);
            }
        }
    });
}
