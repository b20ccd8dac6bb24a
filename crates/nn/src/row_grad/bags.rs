//! The backward pass of bags: which bag each id's gradient comes from, and what the gradient is multiplied by.

use super::{Order, OrderOut, OrderScratch};
use crate::bag::{Ranges, Request, Scratch, places};
use std::ops::Range;
use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::ops::lookup::bag::Mode;
use tokenbed_kernels::rows::format::{OutFormat, RowTable};
use tokenbed_memory::{Gather, zeroed};
use tokenbed_threads::parallel_rows;

/// The winner of a bag that has none.
const NONE: u32 = u32::MAX;
/// Rows of a table that are converted to f32 at a time.
const BLOCK: usize = 16;
/// The number of independent partial sums in a dot product.
const LANES: usize = 32;

/// Values that a kernel wrote as bytes.
fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> + '_ {
    bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_ne_bytes(*bytes))
}

/// Sorts the ids of bags. Places are the numbers of bags, one for each occurrence. Each place gets a coefficient: the
/// weight, divided by how often the id occurs if `by_frequency` is set, and by the size of the bag if the mode is the
/// mean. Coefficients are computed in f64 and rounded once. Returns the numbers of ids and of places.
///
/// # Errors
/// As for [`crate::bag::forward`], and [`Error::Shape`] if `out` or the coefficients have the wrong size.
pub fn bag_order(
    kernels: Kernels,
    rows: usize,
    request: Request<'_>,
    by_frequency: bool,
    (scratch, sorting): (&mut Scratch, &mut OrderScratch),
    out: &mut OrderOut<'_>,
    coefficients: Option<&mut [f32]>,
) -> Result<(usize, usize)> {
    let n = request.ids.0.len();
    let (ids, bags) = places(kernels, rows, request, scratch)?;
    let (unique, kept) = sorting.sort(ids.ids(), rows, request.padding, out)?;
    let bag_of = bag_of(bags, n);
    let counted = |range: Range<usize>| ids.ids()[range].iter().filter(|&&id| Some(id) != request.padding).count();
    let sizes: Vec<usize> = bags.iter().map(counted).into_list();
    if let Some(coefficients) = coefficients {
        if coefficients.len() != n {
            return Err(Error::Shape(format!("the buffer for the coefficients must have room for {n} ids")));
        }
        for i in 0..unique {
            let range = out.starts[i] as usize..out.starts[i + 1] as usize;
            let count = range.len();
            for k in range {
                let place = out.places[k] as usize;
                let mut coefficient = request.weights.map_or(1.0, |weights| f64::from(weights[place]));
                if by_frequency {
                    coefficient /= count as f64;
                }
                if request.mode == Mode::Mean {
                    coefficient /= sizes[bag_of[place] as usize] as f64;
                }
                coefficients[k] = coefficient as f32;
            }
        }
    }
    out.places[..kept].iter_mut().for_each(|place| *place = bag_of[*place as usize]);
    Ok((unique, kept))
}

/// The bag of each of `n` ids.
fn bag_of(bags: Ranges<'_>, n: usize) -> Vec<u32> {
    let mut bag_of = zeroed(n);
    bags.iter().enumerate().for_each(|(b, range)| bag_of[range].fill(b as u32));
    bag_of
}

/// Finds the winners of bags: for each bag and column, the index among all ids of the first id with the largest value,
/// as [`crate::bag::forward`] chooses it; [`u32::MAX`] if there is none.
///
/// # Errors
/// As for [`crate::bag::forward`].
pub fn winners(
    kernels: Kernels,
    table: RowTable<'_>,
    request: Request<'_>,
    scratch: &mut Scratch,
    out: &mut [u32],
) -> Result<()> {
    let dim = table.dim();
    let (ids, bags) = places(kernels, table.rows(), request, scratch)?;
    if bags.count().checked_mul(dim) != Some(out.len()) {
        return Err(Error::Shape(format!("{} bags of {dim} columns do not fill {} elements", bags.count(), out.len())));
    }
    let read = ids.ids().len() / bags.count().max(1) * table.row_bytes();
    parallel_rows(out, dim.max(1), 4 * dim + read, |range, out| {
        let (mut row, mut largest) = (zeroed(size_of::<f32>() * dim), zeroed::<f32>(dim));
        for (b, out) in range.zip(out.chunks_exact_mut(dim)) {
            out.fill(NONE);
            let mut first = true;
            for place in bags.range(b) {
                if Some(ids.ids()[place]) == request.padding {
                    continue;
                }
                kernels.gather_rows(table, ids.part(place..place + 1), OutFormat::Float32, &mut row);
                for ((x, largest), winner) in floats(&row).zip(&mut largest).zip(out.iter_mut()) {
                    if first || x > *largest {
                        (*largest, *winner) = (x, place as u32);
                    }
                }
                first = false;
            }
        }
    });
    Ok(())
}

/// The gradient that the maxima of bags give back, summed by row (ids x dim of the order, whose places are those of all
/// ids). In each column, a row of the table receives the gradients of those bags whose maximum was its element, in the
/// order of the bags.
///
/// # Errors
/// [`Error::Shape`] for sizes that do not fit.
pub fn largest_rows(
    kernels: Kernels,
    rows: usize,
    (request, scratch): (Request<'_>, &mut Scratch),
    order: Order<'_>,
    winners: &[u32],
    (grad, dim): (&[f32], usize),
    out: &mut [f32],
) -> Result<()> {
    let (ids, bags) = places(kernels, rows, request, scratch)?;
    let n = ids.ids().len();
    let fits = bags.count().checked_mul(dim) == Some(grad.len())
        && winners.len() == grad.len()
        && order.ids().len().checked_mul(dim) == Some(out.len())
        && order.places().iter().all(|&place| (place as usize) < n);
    if !fits {
        return Err(Error::Shape(format!("a gradient of {} elements does not match these bags", grad.len())));
    }
    let bag_of = bag_of(bags, n);
    let read = dim * 8 * (order.places().len() / order.ids().len().max(1));
    parallel_rows(out, dim.max(1), read, |range, out| {
        for (i, out) in range.zip(out.chunks_exact_mut(dim)) {
            out.fill(0.0);
            for &place in &order.places()[order.starts()[i] as usize..order.starts()[i + 1] as usize] {
                let at = bag_of[place as usize] as usize * dim;
                let of_bag = winners[at..at + dim].iter().zip(&grad[at..at + dim]);
                for (sum, (&winner, g)) in out.iter_mut().zip(of_bag) {
                    *sum = if winner == place { *sum + g } else { *sum };
                }
            }
        }
    });
    Ok(())
}

/// The gradient of the weights of a bag's ids: the dot product of the bag's row of the gradient and the id's row of the
/// table; 0 for padding. Products are summed in 32 lanes, which are then halved until one is left.
///
/// # Errors
/// As for [`crate::bag::forward`], and [`Error::Shape`] if sizes do not fit.
pub fn weights_grad(
    kernels: Kernels,
    table: RowTable<'_>,
    request: Request<'_>,
    scratch: &mut Scratch,
    grad: &[f32],
    out: &mut [f32],
) -> Result<()> {
    let dim = table.dim();
    let (ids, bags) = places(kernels, table.rows(), request, scratch)?;
    if bags.count().checked_mul(dim) != Some(grad.len()) || out.len() != ids.ids().len() {
        return Err(Error::Shape(format!("a gradient of {} elements does not match these bags", grad.len())));
    }
    let bag_of = bag_of(bags, out.len());
    parallel_rows(out, 1, table.row_bytes() + 4 * dim, |range, out| {
        let mut rows = zeroed(BLOCK * dim * size_of::<f32>());
        let mut at = range.start;
        for out in out.chunks_mut(BLOCK) {
            let block = at..at + out.len();
            let rows = &mut rows[..out.len() * dim * size_of::<f32>()];
            kernels.gather_rows(table, ids.part(block.clone()), OutFormat::Float32, rows);
            for ((place, row), out) in block.clone().zip(rows.chunks_exact(dim * size_of::<f32>())).zip(out) {
                let is_padding = Some(ids.ids()[place]) == request.padding;
                *out = if is_padding { 0.0 } else { product(&grad[bag_of[place] as usize * dim..][..dim], row) };
            }
            at = block.end;
        }
    });
    Ok(())
}

/// The dot product of two rows.
fn product(grad: &[f32], row: &[u8]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    for (grad, row) in grad.chunks(LANES).zip(row.chunks(LANES * size_of::<f32>())) {
        for ((lane, g), x) in lanes.iter_mut().zip(grad).zip(floats(row)) {
            *lane += g * x;
        }
    }
    let mut half = LANES / 2;
    while half > 0 {
        (0..half).for_each(|i| lanes[i] += lanes[i + half]);
        half /= 2;
    }
    lanes[0]
}
