//! Gradients of tables as rows. An order crosses as one block of 32-bit integers (3n + 1 for n ids): ids, starts, places.

use crate::layers::bag::{division, of_code, rows_of};
use crate::layers::embedding::{SCRATCH, bad_ids};
use crate::node::borrow::{Operand, size};
use crate::node::guard::{Failure, guard, status};
use crate::node::process::threads;
use napi_derive::napi;
use std::cell::RefCell;
use tokenbed_core::Error;
use tokenbed_kernels::dispatch;
use tokenbed_kernels::ops::lookup::bag::Mode;
use tokenbed_kernels::rows::format::OutFormat;
use tokenbed_memory::Gather;
use tokenbed_nn::bag::{Request, Scratch};
use tokenbed_nn::row_grad::{self, Factors, GradRows, Order, OrderOut, OrderScratch, Pending, Rows, bags};
use tokenbed_nn::token_position_grad::cycle_order;

thread_local! {
    /// Room to sort in, kept between calls.
    static SORTING: RefCell<OrderScratch> = RefCell::default();
    static BAGS: RefCell<Scratch> = RefCell::default();
}

/// Rows of a table's gradient as TypeScript holds them: an order and the gradient of the output; or, `summed`, ids and a
/// row for each.
#[napi(object, object_to_js = false)]
pub struct GradOperand {
    /// The order in its block, or ids.
    pub ids: Operand,
    /// Float32 rows.
    pub rows: Operand,
    pub summed: bool,
    /// For how many ids the block is, and how many different ones it has.
    pub room: f64,
    pub count: f64,
    pub dim: f64,
    /// One beside each place.
    pub coefficients: Option<Operand>,
    /// The type of the table, in `OutFormat::ALL`: sums are rounded to it.
    pub format: u32,
}

impl GradOperand {
    /// What is read of it: nothing else may be written meanwhile.
    pub(crate) fn reads(&self) -> [&Operand; 3] {
        [&self.ids, &self.rows, self.coefficients.as_ref().unwrap_or(&self.ids)]
    }

    fn rows(&self) -> Result<Rows<'_>, Failure> {
        Ok(Rows::new(self.ids()?, self.rows.shared()?, size(self.dim)?)?)
    }

    /// Each once, where they are summed.
    fn ids(&self) -> Result<&[u32], Failure> {
        let (ids, count) = (self.ids.stable()?, size(self.count)?);
        Ok(ids.get(..count).ok_or_else(|| Error::Shape(format!("{count} rows of {} ids", ids.len())))?)
    }

    fn pending(&self) -> Result<Pending<'_>, Failure> {
        let order = Order::in_block(self.ids.stable()?, size(self.room)?, size(self.count)?)?;
        // The block has room for all; places of padding are none.
        let places = order.places().len();
        let coefficients = match &self.coefficients {
            Some(coefficients) => coefficients.shared()?.get(..places),
            None => None,
        };
        let pending = Pending::new(dispatch::active(), order, self.rows.shared()?, size(self.dim)?, coefficients)?;
        Ok(pending.of_type(of_code(&OutFormat::ALL, self.format)?))
    }

    /// Runs with the rows, whichever they are.
    pub(crate) fn with<R>(&self, run: impl FnOnce(&dyn GradRows) -> Result<R, Failure>) -> Result<R, Failure> {
        if self.summed { run(&self.rows()?) } else { run(&self.pending()?) }
    }
}

fn padding(row: f64) -> Result<Option<u32>, Failure> {
    Ok(if row < 0.0 { None } else { Some(size(row)? as u32) })
}

/// Writes the order of the ids of a lookup, without `padding` (-1 for none), and beside its places `scale`, over the id's
/// number of occurrences where `by_frequency`. How many different ids there are.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "flat arguments cross cheaply")]
pub fn row_order(
    ids: Operand,
    rows: f64,
    bad: f64,
    padding_row: f64,
    by_frequency: bool,
    scale: f64,
    order: Operand,
    coefficients: Option<Operand>,
) -> Option<f64> {
    guard(|| {
        let given = ids.ids()?;
        let mut out = OrderOut::in_block(order.exclusive(&[&ids])?, given.len())?;
        let factors = Factors { scale: scale as f32, by_frequency };
        let coefficients = match &coefficients {
            Some(coefficients) => Some((factors, coefficients.exclusive(&[&ids, &order])?)),
            None => None,
        };
        let ids = (given, bad_ids(bad)?);
        let unique = SCRATCH.with_borrow_mut(|scratch| {
            SORTING.with_borrow_mut(|sorting| {
                let room = (scratch.ids(), sorting);
                let padding = padding(padding_row)?;
                Ok::<_, Failure>(row_grad::row_order(
                    dispatch::active(),
                    ids,
                    size(rows)?,
                    padding,
                    room,
                    &mut out,
                    coefficients,
                )?)
            })
        })?;
        Ok(unique as f64)
    })
}

/// Writes the order of positions that count from `offset` along sequences of `length`. How many different ones.
#[napi(catch_unwind)]
pub fn cycle_row_order(ids: f64, offset: f64, length: f64, order: Operand) -> Option<f64> {
    guard(|| {
        let n = size(ids)?;
        let mut out = OrderOut::in_block(order.exclusive(&[])?, n)?;
        Ok(cycle_order(n, size(offset)?, size(length)?, &mut out)? as f64)
    })
}

/// Bags as they cross.
#[napi(object, object_to_js = false)]
pub struct BagsOperand {
    pub ids: Operand,
    pub bad: f64,
    pub offsets: Option<Operand>,
    pub with_end: bool,
    pub bags: f64,
    pub length: f64,
    pub weights: Option<Operand>,
    /// -1 for none.
    pub padding: f64,
    pub mode: u32,
}

impl BagsOperand {
    fn request(&self) -> Result<Request<'_>, Failure> {
        Ok(Request {
            ids: (self.ids.ids()?, bad_ids(self.bad)?),
            division: division(self.offsets.as_ref(), self.with_end, self.bags, self.length)?,
            weights: self.weights.as_ref().map(Operand::shared).transpose()?,
            padding: padding(self.padding)?,
            mode: of_code(&Mode::ALL, self.mode)?,
        })
    }

    fn reads(&self) -> [&Operand; 3] {
        [&self.ids, self.offsets.as_ref().unwrap_or(&self.ids), self.weights.as_ref().unwrap_or(&self.ids)]
    }
}

/// Writes the order of the ids of bags, whose places are the bags, and the coefficients beside them. How many different
/// ids there are.
#[napi(catch_unwind)]
pub fn bag_row_order(
    given: BagsOperand,
    rows: f64,
    by_frequency: bool,
    order: Operand,
    coefficients: Option<Operand>,
) -> Option<f64> {
    guard(|| {
        let request = given.request()?;
        let mut out = OrderOut::in_block(order.exclusive(&given.reads())?, request.ids.0.len())?;
        let [ids, offsets, weights] = given.reads();
        let coefficients = match &coefficients {
            Some(coefficients) => Some(coefficients.exclusive(&[ids, offsets, weights, &order])?),
            None => None,
        };
        let rows = size(rows)?;
        let (unique, _) = BAGS.with_borrow_mut(|scratch| {
            SORTING.with_borrow_mut(|sorting| {
                let room = (scratch, sorting);
                bags::bag_order(dispatch::active(), rows, request, by_frequency, room, &mut out, coefficients)
            })
        })?;
        Ok(unique as f64)
    })
}

/// out (bags, dim): among all ids the place of the first that is largest in its bag, column by column.
#[napi(catch_unwind)]
pub fn bag_winners(given: BagsOperand, format: u32, weight: Operand, rows: f64, dim: f64, out: Operand) -> bool {
    status(|| {
        threads()?;
        let [ids, offsets, _] = given.reads();
        let out = out.exclusive(&[ids, offsets, &weight])?;
        let rows = rows_of(format, &weight, rows, dim)?;
        BAGS.with_borrow_mut(|scratch| Ok(bags::winners(dispatch::active(), rows, given.request()?, scratch, out)?))
    })
}

/// out (different ids, dim) = what the largest of bags give back to each row; `order` is that of the ids.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "flat arguments cross cheaply")]
pub fn bag_largest_rows(
    given: BagsOperand,
    rows: f64,
    order: Operand,
    count: f64,
    winners: Operand,
    grad: Operand,
    dim: f64,
    out: Operand,
) -> bool {
    status(|| {
        threads()?;
        let [ids, offsets, _] = given.reads();
        let out = out.exclusive(&[ids, offsets, &order, &winners, &grad])?;
        let request = given.request()?;
        let of = Order::in_block(order.stable()?, request.ids.0.len(), size(count)?)?;
        let (winners, grad) = (winners.stable()?, (grad.shared()?, size(dim)?));
        let rows = size(rows)?;
        BAGS.with_borrow_mut(|scratch| {
            Ok(bags::largest_rows(dispatch::active(), rows, (request, scratch), of, winners, grad, out)?)
        })
    })
}

/// out (ids) = the gradient of the weights of bags' ids.
#[napi(catch_unwind)]
pub fn bag_weights_grad(
    given: BagsOperand,
    format: u32,
    weight: Operand,
    rows: f64,
    dim: f64,
    grad: Operand,
    out: Operand,
) -> bool {
    status(|| {
        threads()?;
        let [ids, offsets, weights] = given.reads();
        let out = out.exclusive(&[ids, offsets, weights, &weight, &grad])?;
        let rows = rows_of(format, &weight, rows, dim)?;
        BAGS.with_borrow_mut(|scratch| {
            Ok(bags::weights_grad(dispatch::active(), rows, given.request()?, scratch, grad.shared()?, out)?)
        })
    })
}

/// out (different ids, dim) = the rows, summed.
#[napi(catch_unwind)]
pub fn rows_sum(grad: GradOperand, out: Operand) -> bool {
    status(|| {
        threads()?;
        Ok(row_grad::sum_rows(&grad.pending()?, out.exclusive(&grad.reads())?)?)
    })
}

/// out (rows, dim) = the rows where they belong, zeros elsewhere.
#[napi(catch_unwind)]
pub fn rows_dense(grad: GradOperand, rows: f64, out: Operand) -> bool {
    status(|| {
        threads()?;
        let (rows, out) = (size(rows)?, out.exclusive(&grad.reads())?);
        if !grad.summed {
            return Ok(row_grad::sum_dense(&grad.pending()?, rows, out)?);
        }
        let summed = grad.rows()?;
        let numbers: Vec<u32> = (0..=summed.ids().len() as u32).into_list();
        Ok(row_grad::sum_dense(&summed.pending(dispatch::active(), &numbers)?, rows, out)?)
    })
}

/// into (rows, dim) += the rows where they belong.
#[napi(catch_unwind)]
pub fn rows_add(grad: GradOperand, rows: f64, into: Operand) -> bool {
    status(|| {
        threads()?;
        let into = into.exclusive(&grad.reads())?;
        grad.with(|grad| Ok(row_grad::add_rows(grad, size(rows)?, into)?))
    })
}

/// out = the ids of two gradients that are summed, each once. How many.
#[napi(catch_unwind)]
pub fn rows_merged_ids(a: GradOperand, b: GradOperand, out: Operand) -> Option<f64> {
    guard(|| {
        let out = out.exclusive(&[&a.ids, &b.ids])?;
        Ok(row_grad::merged_ids(a.rows()?.ids(), b.rows()?.ids(), out)? as f64)
    })
}

/// out (merged ids, dim) = the sums of the rows of two gradients that are summed.
#[napi(catch_unwind)]
pub fn rows_merge(a: GradOperand, b: GradOperand, out: Operand) -> bool {
    status(|| {
        threads()?;
        let out = out.exclusive(&[&a.ids, &b.ids, &a.rows, &b.rows])?;
        Ok(row_grad::merge_rows(a.rows()?, b.rows()?, of_code(&OutFormat::ALL, a.format)?, out)?)
    })
}
