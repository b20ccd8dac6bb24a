//! Sums all rows of a gradient: only those of the ids, or the whole gradient of a table.

use super::scratch::ScratchRow;
use super::shares::{Share, cut, shares_for};
use super::{GradRows, Hot, Pending, Rows, bytes, for_each_share, parts, round, shares};
use std::cmp::Ordering;
use std::ops::Range;
use tokenbed_core::{Error, Result};
use tokenbed_kernels::ops::learn::row_sum::Sums;
use tokenbed_kernels::rows::format::OutFormat;
use tokenbed_kernels::rows::store::Store;
use tokenbed_memory::{Gather, List};
use tokenbed_threads::parallel_rows;

/// If a table has at least this many rows for each row with a sum, all rows are filled with zeros first: the machine
/// fills memory with zeros twice as fast as with anything else.
const FILLED_FROM: usize = 8;

/// Writes the rows (ids x dim).
///
/// # Errors
/// [`Error::Shape`] if `out` has another size.
pub fn sum_rows(grad: &Pending<'_>, out: &mut [f32]) -> Result<()> {
    let dim = grad.dim();
    check(grad.ids().len(), dim, out)?;
    let store = Store::for_bytes(size_of_val(out));
    let shares = shares(grad, Hot::Split);
    let bounds =
        |share: &Share| share.rows.start * dim + share.columns.start..(share.rows.end - 1) * dim + share.columns.end;
    let with = cut(shares.iter().map(bounds), out);
    for_each_share(&shares, with, bytes(grad), |share, out| write(grad, store, share, None, out));
    Ok(())
}

/// Writes the whole gradient (rows x dim) of a table once: sums for rows with ids, and zeros for the others.
///
/// # Errors
/// [`Error::Shape`] if `out` is not whole rows, or lacks one that the ids name.
pub fn sum_dense(grad: &Pending<'_>, rows: usize, out: &mut [f32]) -> Result<()> {
    let dim = grad.dim();
    check(rows, dim, out)?;
    check_ids(grad.ids(), rows)?;
    let store = Store::for_bytes(size_of_val(out));
    let cost = rows + grad.order().places().len();
    let dense = dense_shares(grad, rows, shares_for(cost.saturating_mul(dim) * size_of::<f32>()));
    let bounds =
        |of: &Dense| of.table.start * dim + of.share.columns.start..(of.table.end - 1) * dim + of.share.columns.end;
    let with = dense.iter().zip(cut(dense.iter().map(bounds), out)).into_list();
    let each: Vec<Share> = dense.iter().map(|dense| dense.share.clone()).into_list();
    for_each_share(&each, with, cost.saturating_mul(dim) * size_of::<f32>(), |share, (dense, out)| {
        let few = share.columns.len() == dim && share.rows.len() * FILLED_FROM <= dense.table.len();
        if few {
            write_among_zeros(grad, share, dense.table.start, out)
        } else {
            write(grad, store, share, Some(dense.table.start), out)
        }
    });
    Ok(())
}

fn check(rows: usize, dim: usize, out: &[f32]) -> Result<()> {
    if rows.checked_mul(dim) == Some(out.len()) {
        return Ok(());
    }
    Err(Error::Shape(format!("{rows} rows of {dim} do not fill {} elements", out.len())))
}

fn check_ids(ids: &[u32], rows: usize) -> Result<()> {
    match ids.last() {
        Some(&last) if last as usize >= rows => {
            Err(Error::Shape(format!("row {last} is out of range for a table of {rows} rows")))
        }
        _ => Ok(()),
    }
}

/// Writes the sums of a share. `first` is the row of the table that `out` begins with, if `out` is part of a table.
fn write(grad: &Pending<'_>, store: Store, share: &Share, first: Option<usize>, out: &mut [f32]) {
    let Range { start, end } = share.rows;
    let order = grad.order();
    let to = Sums {
        starts: &order.starts()[start..=end],
        columns: &share.columns,
        dense: first.map(|first| (&order.ids()[start..end], first)),
    };
    let mut scratch = ScratchRow::new(share.columns.len());
    grad.kernels.row_sums(store, &grad.sum, to, scratch.row(), out);
    round(grad.format, out);
}

/// Writes the sums of a share of whole rows, with zeros between. `first` is the row of the table that `out` begins
/// with.
fn write_among_zeros(grad: &Pending<'_>, share: &Share, first: usize, out: &mut [f32]) {
    out.fill(0.0);
    let dim = grad.dim();
    for i in share.rows.clone() {
        let at = (grad.ids()[i] as usize - first) * dim;
        grad.row(i, 0..dim, &mut out[at..at + dim]);
    }
}

/// A share, and the rows of the table that belong to it: those of its ids and those between.
#[derive(Debug)]
pub(super) struct Dense {
    pub(super) share: Share,
    pub(super) table: Range<usize>,
}

/// Divides a whole table into about `wanted` shares: a row costs its occurrences and one write.
pub(super) fn dense_shares<G: GradRows + ?Sized>(grad: &G, rows: usize, wanted: usize) -> Vec<Dense> {
    let (ids, dim) = (grad.ids(), grad.dim());
    let occurrences: usize = (0..ids.len()).map(|i| grad.occurrences(i)).sum();
    let target = (rows + occurrences).div_ceil(wanted.max(1)).max(1);
    let mut cutter = Cutter { shares: Vec::new(), target, dim, first: (0, 0), cost: 0 };
    let mut at = 0;
    for (i, &id) in ids.iter().enumerate() {
        cutter.zeros(&mut at, id as usize, i);
        let cost = 1 + grad.occurrences(i);
        if cost > target && wanted > 1 {
            cutter.close(at, i);
            for columns in super::shares::columns(dim, cost.div_ceil(target)) {
                cutter.shares.put(Dense { share: Share { rows: i..i + 1, columns }, table: at..at + 1 });
            }
            cutter.first = (at + 1, i + 1);
        } else {
            cutter.add(cost, at + 1, i + 1);
        }
        at += 1;
    }
    cutter.zeros(&mut at, rows, ids.len());
    cutter.close(rows, ids.len());
    cutter.shares
}

/// Ends a share when it costs enough.
struct Cutter {
    shares: Vec<Dense>,
    target: usize,
    dim: usize,
    /// Where the open share begins: the row of the table, and the index among the ids.
    first: (usize, usize),
    cost: usize,
}

impl Cutter {
    /// Adds a cost that reaches up to here.
    fn add(&mut self, cost: usize, row: usize, id: usize) {
        self.cost += cost;
        if self.cost >= self.target {
            self.close(row, id);
        }
    }

    /// Adds the rows without a gradient, up to row `to`.
    fn zeros(&mut self, at: &mut usize, to: usize, id: usize) {
        while *at < to {
            let some = (to - *at).min(self.target - self.cost);
            *at += some;
            self.add(some, *at, id);
        }
    }

    fn close(&mut self, row: usize, id: usize) {
        let (first_row, first_id) = self.first;
        if row > first_row {
            let share = Share { rows: first_id..id, columns: 0..self.dim };
            self.shares.put(Dense { share, table: first_row..row });
        }
        (self.first, self.cost) = ((row, id), 0);
    }
}

/// Adds the rows to a whole gradient (rows x dim) of the table.
///
/// # Errors
/// [`Error::Shape`] if `out` is not whole rows, or lacks one that the ids name.
pub fn add_rows<G: GradRows + ?Sized>(grad: &G, rows: usize, out: &mut [f32]) -> Result<()> {
    let dim = grad.dim();
    check(rows, dim, out)?;
    check_ids(grad.ids(), rows)?;
    let shares = shares(grad, Hot::Split);
    let with = parts(&shares, grad.ids(), dim, out);
    for_each_share(&shares, with, bytes(grad), |share, part| {
        let mut scratch = ScratchRow::new(share.columns.len());
        for i in share.rows.clone() {
            let row = grad.row(i, share.columns.clone(), scratch.row());
            let at = share.at(grad.ids(), i, dim);
            part[at..].iter_mut().zip(row).for_each(|(sum, g)| *sum += g);
        }
    });
    Ok(())
}

/// Writes the union of the ids of two gradients to `out`, ascending. `out` has room for all of both. Returns the number
/// of ids.
pub fn merged_ids(a: &[u32], b: &[u32], out: &mut [u32]) -> Result<usize> {
    if out.len() < a.len() + b.len() {
        return Err(Error::Shape(format!("the result must have room for {} ids", a.len() + b.len())));
    }
    let mut count = 0;
    for (id, ..) in merged(a, b) {
        out[count] = id;
        count += 1;
    }
    Ok(count)
}

/// The ids of two ascending lists, each with its index in both lists.
fn merged<'a>(a: &'a [u32], b: &'a [u32]) -> impl Iterator<Item = (u32, Option<usize>, Option<usize>)> + 'a {
    let (mut i, mut j) = (0, 0);
    std::iter::from_fn(move || {
        let order = match (a.get(i), b.get(j)) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(x), Some(y)) => x.cmp(y),
        };
        let (of_a, of_b) = (order.is_le().then_some(i), order.is_ge().then_some(j));
        i += usize::from(of_a.is_some());
        j += usize::from(of_b.is_some());
        Some((of_a.map_or_else(|| b[j - 1], |i| a[i]), of_a, of_b))
    })
}

/// Writes the sums of two gradients' rows (merged ids x dim), rounded to a type. They equal the rows of the sum of both
/// dense gradients; a row that only one gradient has is added to zeros.
///
/// # Errors
/// [`Error::Shape`] if the rows differ in length, or `out` has another size.
pub fn merge_rows(a: Rows<'_>, b: Rows<'_>, format: OutFormat, out: &mut [f32]) -> Result<()> {
    let dim = a.dim();
    let pairs: Vec<_> = merged(a.ids(), b.ids()).into_list();
    check(pairs.len(), dim, out)?;
    if b.dim() != dim {
        return Err(Error::Shape(format!("the two gradients have rows of {dim} and of {} elements", b.dim())));
    }
    parallel_rows(out, dim.max(1), 3 * dim * size_of::<f32>(), |range, out| {
        for (&(_, i, j), out) in pairs[range].iter().zip(out.chunks_exact_mut(dim)) {
            let row = |rows: &Rows<'_>, i: usize| i * rows.dim..(i + 1) * rows.dim;
            match (i, j) {
                (Some(i), Some(j)) => {
                    let (x, y) = (&a.rows[row(&a, i)], &b.rows[row(&b, j)]);
                    out.iter_mut().zip(x.iter().zip(y)).for_each(|(sum, (x, y))| *sum = x + y);
                }
                (Some(i), None) => out.copy_from_slice(&a.rows[row(&a, i)]),
                (None, Some(j)) => out.copy_from_slice(&b.rows[row(&b, j)]),
                (None, None) => {}
            }
        }
        round(format, out);
    });
    Ok(())
}
