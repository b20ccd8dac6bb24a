//! A step on rows of a table: each row is summed and stepped while it is in the first-level cache. The bits are the
//! same as for a step on the whole table with a dense gradient.

use super::{Direction, Idle, Manner, Optimizer, Parameter};
use crate::row_grad::{GradRows, Hot, ScratchRow, for_each_share, parts, parts_by_row, shares};
use std::ops::Range;
use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::ops::learn::optim::{Slots, Update, prefetch};
use tokenbed_kernels::rows::store::prefetch_distance;
use tokenbed_memory::{Gather, filled};
use tokenbed_threads::parallel_rows;

/// Elements of rows without a gradient that are stepped together.
const PIECE: usize = 16 << 10;

/// Does one step on a table of `rows` rows: on the rows that have a gradient, and on the others too if the optimizer
/// changes them ([`Manner::idle`](super::Manner::idle)).
///
/// # Errors
/// [`Error::Shape`] for sizes that do not fit, before anything is written.
pub fn step<G: GradRows + ?Sized>(
    kernels: Kernels,
    (optimizer, at): (&Optimizer, u64),
    parameter: Parameter<'_, f32>,
    grad: &G,
    rows: usize,
) -> Result<()> {
    let update = optimizer.update(at)?;
    check(&update, &parameter, grad, rows)?;
    let manner = optimizer.manner();
    match manner.idle {
        Idle::Stays => touched(kernels, (&update, manner), parameter, grad),
        Idle::Moves | Idle::CatchesUp => all(kernels, (&update, manner), parameter, grad),
    }
    Ok(())
}

/// Checks that the gradient's rows fit the table.
pub(super) fn check<G: GradRows + ?Sized>(
    update: &Update<f32>,
    parameter: &Parameter<'_, f32>,
    grad: &G,
    rows: usize,
) -> Result<()> {
    parameter.check(update, rows, grad.dim())?;
    match grad.ids().last() {
        Some(&last) if last as usize >= rows => {
            Err(Error::Shape(format!("the gradient has row {last}, but the table has only {rows} rows")))
        }
        _ => Ok(()),
    }
}

/// The number of bytes that a step reads and writes.
pub(super) fn bytes<G: GradRows + ?Sized>(update: &Update<f32>, grad: &G) -> usize {
    let state: usize = update.state(grad.dim()).iter().sum();
    let occurrences: usize = (0..grad.ids().len()).map(|i| grad.occurrences(i)).sum();
    size_of::<f32>() * (occurrences * grad.dim() + grad.ids().len() * (grad.dim() + state))
}

/// Steps only the rows that have a gradient. A row cannot be divided among threads if state is per row (`by_row`).
fn touched<G: GradRows + ?Sized>(
    kernels: Kernels,
    (update, Manner { by_row, maximize, .. }): (&Update<f32>, Manner),
    parameter: Parameter<'_, f32>,
    grad: &G,
) {
    let (ids, dim) = (grad.ids(), grad.dim());
    let [first, second, third] = update.state(dim);
    let shares = shares(grad, if by_row { Hot::Whole } else { Hot::Split });
    let cut = |state, width| match width == dim && !by_row {
        true => parts(&shares, ids, dim, state),
        false => parts_by_row(&shares, ids, width, state),
    };
    let states = cut(parameter.first, first).into_iter().zip(cut(parameter.second, second));
    let states = states.zip(cut(parameter.third, third));
    let with: Vec<_> = parts(&shares, ids, dim, parameter.param).into_iter().zip(states).into_list();
    for_each_share(&shares, with, bytes(update, grad), |share, (param, ((a, b), c))| {
        let columns = share.columns.clone();
        let mut scratch = ScratchRow::new(columns.len());
        let mut direction = Direction::new(maximize, columns.len());
        let [first_len, second_len, third_len] = update.state(columns.len());
        let distance = prefetch_distance(dim);
        for i in share.rows.clone() {
            let later = i + distance;
            if later < share.rows.end {
                prefetch(&param[share.at(ids, later, dim)..][..columns.len()]);
                prefetch(&a[share.at(ids, later, first)..][..first_len]);
                prefetch(&b[share.at(ids, later, second)..][..second_len]);
                prefetch(&c[share.at(ids, later, third)..][..third_len]);
                grad.prefetch(later, &columns);
            }
            let grad = direction.of(grad.row(i, columns.clone(), scratch.row()));
            let slots = Slots {
                param: &mut param[share.at(ids, i, dim)..][..grad.len()],
                grad,
                first: &mut a[share.at(ids, i, first)..][..first_len],
                second: &mut b[share.at(ids, i, second)..][..second_len],
                third: &mut c[share.at(ids, i, third)..][..third_len],
            };
            kernels.update(update, slots);
        }
    });
}

/// Steps every row of the table; rows without a gradient get zeros.
fn all<G: GradRows + ?Sized>(
    kernels: Kernels,
    (update, Manner { maximize, .. }): (&Update<f32>, Manner),
    parameter: Parameter<'_, f32>,
    grad: &G,
) {
    let dim = grad.dim();
    let rows = (PIECE / dim.max(1)).max(1);
    let mut pieces: Vec<_> = parameter.pieces(update, rows * dim).into_iter().enumerate().into_list();
    let zeros = filled(if maximize { -0.0 } else { 0.0 }, rows * dim);
    parallel_rows(&mut pieces, 1, rows * dim * size_of::<f32>(), |_, pieces| {
        let mut scratch = ScratchRow::new(dim);
        let mut direction = Direction::new(maximize, dim);
        for (piece, parameter) in pieces {
            step_piece(kernels, update, (*piece * rows, parameter), grad, (&zeros, scratch.row(), &mut direction));
        }
    });
}

/// Steps consecutive rows of the table, beginning with a given one.
fn step_piece<G: GradRows + ?Sized>(
    kernels: Kernels,
    update: &Update<f32>,
    (from, parameter): (usize, &mut Parameter<'_, f32>),
    grad: &G,
    (zeros, scratch, direction): (&[f32], &mut [f32], &mut Direction<f32>),
) {
    let (ids, dim) = (grad.ids(), grad.dim());
    let end = from + parameter.param.len() / dim.max(1);
    let without = |parameter: &mut Parameter<'_, f32>, rows: Range<usize>| {
        let len = rows.len() * dim;
        parameter.part(update, (rows.start - from) * dim, len).step(kernels, update, &zeros[..len]);
    };
    let mut next = from;
    let first = ids.partition_point(|&id| (id as usize) < from);
    for (i, &id) in ids.iter().enumerate().skip(first).take_while(|&(_, &id)| (id as usize) < end) {
        let id = id as usize;
        without(parameter, next..id);
        let grad = direction.of(grad.row(i, 0..dim, scratch));
        parameter.part(update, (id - from) * dim, dim).step(kernels, update, grad);
        next = id + 1;
    }
    without(parameter, next..end);
}
