//! Gradients of tables as rows. An order crosses the border as one block of 32-bit integers (3n + 1 for n ids): ids,
//! starts and places.

use crate::layers::embedding::{BAG_SCRATCH, SCRATCH};
use crate::layers::lookup::Lookup;
use crate::node::borrow::{Operand, size};
use crate::node::borrowed_word::Word;
use crate::node::external::External;
use crate::node::guard::{Failure, guard, status};
use crate::node::process::threads;
use napi_derive::napi;
use std::cell::RefCell;
use tokenbed_core::Error;
use tokenbed_kernels::dispatch;
use tokenbed_kernels::rows::format::OutFormat;
use tokenbed_memory::Gather;
use tokenbed_nn::bag::Request;
use tokenbed_nn::row_grad::{self, Factors, GradRows, Order, OrderOut, OrderScratch, Pending, Rows, bags};
use tokenbed_nn::token_position_grad::cycle_order;

thread_local! {
    /// Buffers for sorting, reused between calls.
    static SORTING: RefCell<OrderScratch> = RefCell::default();
}

/// Rows of a table's gradient as TypeScript holds them: an order with the gradient of the output or, if `summed`, ids
/// with one row each.
#[napi(object, object_to_js = false)]
pub struct GradOperand {
    /// The block of the order, or the ids.
    pub ids: Operand,
    /// Float32 rows.
    pub rows: Operand,
    pub summed: bool,
    /// The number of ids that the block has room for, and the number of distinct ids in it.
    pub room: f64,
    pub count: f64,
    pub dim: f64,
    /// One coefficient for each place.
    pub coefficients: Option<Operand>,
    /// The table's element type, to which sums are rounded.
    pub format: Word<OutFormat>,
}

impl GradOperand {
    /// The operands that are read; outputs may not overlap them.
    pub(crate) fn reads(&self) -> [&Operand; 3] {
        [&self.ids, &self.rows, self.coefficients.as_ref().unwrap_or(&self.ids)]
    }

    fn rows(&self) -> Result<Rows<'_>, Failure> {
        Ok(Rows::new(self.ids()?, self.rows.shared()?, size(self.dim)?)?)
    }

    /// The ids of rows that are summed, each id once.
    fn ids(&self) -> Result<&[u32], Failure> {
        let (ids, count) = (self.ids.stable()?, size(self.count)?);
        Ok(ids.get(..count).ok_or_else(|| Error::Shape(format!("there are {} ids for {count} rows", ids.len())))?)
    }

    fn pending(&self) -> Result<Pending<'_>, Failure> {
        let order = Order::in_block(self.ids.stable()?, size(self.room)?, size(self.count)?)?;
        // The block has room for all ids; ids of the padding row have no place.
        let places = order.places().len();
        let coefficients = match &self.coefficients {
            Some(coefficients) => coefficients.shared()?.get(..places),
            None => None,
        };
        let pending = Pending::new(dispatch::active(), order, self.rows.shared()?, size(self.dim)?, coefficients)?;
        Ok(pending.of_type(self.format.0))
    }

    /// Runs a function with the rows, in either form.
    pub(crate) fn with<R>(&self, run: impl FnOnce(&dyn GradRows) -> Result<R, Failure>) -> Result<R, Failure> {
        if self.summed { run(&self.rows()?) } else { run(&self.pending()?) }
    }
}

/// Writes the order of a lookup's ids, without those of the padding row. Each place gets the coefficient `scale`,
/// divided by how often its id occurs if `by_frequency` is set. Returns the number of distinct ids.
#[napi(catch_unwind)]
pub fn row_order(
    lookup: &External<Lookup>,
    ids: Operand,
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
        let ids = (given, lookup.bad);
        let unique = SCRATCH.with_borrow_mut(|scratch| {
            SORTING.with_borrow_mut(|sorting| {
                let room = (scratch.ids(), sorting);
                Ok::<_, Failure>(row_grad::row_order(
                    dispatch::active(),
                    ids,
                    lookup.rows,
                    lookup.padding,
                    room,
                    &mut out,
                    coefficients,
                )?)
            })
        })?;
        Ok(unique as f64)
    })
}

/// Writes the order of positions that count from `offset` along sequences of `length`. Returns the number of distinct
/// positions.
#[napi(catch_unwind)]
pub fn cycle_row_order(ids: f64, offset: f64, length: f64, order: Operand) -> Option<f64> {
    guard(|| {
        let n = size(ids)?;
        let mut out = OrderOut::in_block(order.exclusive(&[])?, n)?;
        Ok(cycle_order(n, size(offset)?, size(length)?, &mut out)? as f64)
    })
}

/// The bags of a backward pass as they cross the border; they begin at offsets or all have the same number of ids.
#[napi(object, object_to_js = false)]
pub struct BagsOperand {
    pub ids: Operand,
    pub offsets: Option<Operand>,
    pub bags: f64,
    pub weights: Option<Operand>,
}

impl BagsOperand {
    fn request(&self, lookup: &Lookup) -> Result<Request<'_>, Failure> {
        lookup.request(&self.ids, self.offsets.as_ref(), self.weights.as_ref(), size(self.bags)?)
    }

    fn reads(&self) -> [&Operand; 3] {
        [&self.ids, self.offsets.as_ref().unwrap_or(&self.ids), self.weights.as_ref().unwrap_or(&self.ids)]
    }
}

/// Writes the order of the bags' ids, whose places are the bags, and their coefficients. Returns the number of distinct
/// ids.
#[napi(catch_unwind)]
pub fn bag_row_order(
    lookup: &External<Lookup>,
    given: BagsOperand,
    by_frequency: bool,
    order: Operand,
    coefficients: Option<Operand>,
) -> Option<f64> {
    guard(|| {
        let request = given.request(lookup)?;
        let mut out = OrderOut::in_block(order.exclusive(&given.reads())?, request.ids.0.len())?;
        let [ids, offsets, weights] = given.reads();
        let coefficients = match &coefficients {
            Some(coefficients) => Some(coefficients.exclusive(&[ids, offsets, weights, &order])?),
            None => None,
        };
        let (unique, _) = BAG_SCRATCH.with_borrow_mut(|scratch| {
            SORTING.with_borrow_mut(|sorting| {
                let room = (scratch, sorting);
                bags::bag_order(dispatch::active(), lookup.rows, request, by_frequency, room, &mut out, coefficients)
            })
        })?;
        Ok(unique as f64)
    })
}

/// out (bags, dim) = for each column of a bag, the index among all ids of the first id whose value is the maximum.
#[napi(catch_unwind)]
pub fn bag_winners(lookup: &External<Lookup>, given: BagsOperand, weight: Operand, out: Operand) -> bool {
    status(|| {
        threads()?;
        let [ids, offsets, _] = given.reads();
        let out = out.exclusive(&[ids, offsets, &weight])?;
        let (rows, request) = (lookup.table(&weight)?, given.request(lookup)?);
        BAG_SCRATCH.with_borrow_mut(|scratch| Ok(bags::winners(dispatch::active(), rows, request, scratch, out)?))
    })
}

/// An order of ids as it crosses the border: its block, and the number of distinct ids.
#[napi(object, object_to_js = false)]
pub struct OrderOperand {
    pub block: Operand,
    pub count: f64,
}

/// out (distinct ids, dim) = the gradient that the maxima of bags give to each row; `order` is the order of the ids.
#[napi(catch_unwind)]
pub fn bag_largest_rows(
    lookup: &External<Lookup>,
    given: BagsOperand,
    order: OrderOperand,
    winners: Operand,
    grad: Operand,
    out: Operand,
) -> bool {
    status(|| {
        threads()?;
        let OrderOperand { block, count } = order;
        let [ids, offsets, _] = given.reads();
        let out = out.exclusive(&[ids, offsets, &block, &winners, &grad])?;
        let request = given.request(lookup)?;
        let of = Order::in_block(block.stable()?, request.ids.0.len(), size(count)?)?;
        let (winners, grad) = (winners.stable()?, (grad.shared()?, lookup.dim));
        BAG_SCRATCH.with_borrow_mut(|scratch| {
            Ok(bags::largest_rows(dispatch::active(), lookup.rows, (request, scratch), of, winners, grad, out)?)
        })
    })
}

/// out (ids) = the gradient of the weights of the bags' ids.
#[napi(catch_unwind)]
pub fn bag_weights_grad(
    lookup: &External<Lookup>,
    given: BagsOperand,
    weight: Operand,
    grad: Operand,
    out: Operand,
) -> bool {
    status(|| {
        threads()?;
        let [ids, offsets, weights] = given.reads();
        let out = out.exclusive(&[ids, offsets, weights, &weight, &grad])?;
        let (rows, request) = (lookup.table(&weight)?, given.request(lookup)?);
        BAG_SCRATCH.with_borrow_mut(|scratch| {
            Ok(bags::weights_grad(dispatch::active(), rows, request, scratch, grad.shared()?, out)?)
        })
    })
}

/// out (distinct ids, dim) = the rows, summed by id.
#[napi(catch_unwind)]
pub fn rows_sum(grad: GradOperand, out: Operand) -> bool {
    status(|| {
        threads()?;
        Ok(row_grad::sum_rows(&grad.pending()?, out.exclusive(&grad.reads())?)?)
    })
}

/// out (rows, dim) = the dense gradient: the given rows at their ids, and zeros elsewhere.
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

/// into (rows, dim) += the given rows, at their ids.
#[napi(catch_unwind)]
pub fn rows_add(grad: GradOperand, rows: f64, into: Operand) -> bool {
    status(|| {
        threads()?;
        let into = into.exclusive(&grad.reads())?;
        grad.with(|grad| Ok(row_grad::add_rows(grad, size(rows)?, into)?))
    })
}

/// out = the union of the ids of two summed gradients. Returns its length.
#[napi(catch_unwind)]
pub fn rows_merged_ids(a: GradOperand, b: GradOperand, out: Operand) -> Option<f64> {
    guard(|| {
        let out = out.exclusive(&[&a.ids, &b.ids])?;
        Ok(row_grad::merged_ids(a.rows()?.ids(), b.rows()?.ids(), out)? as f64)
    })
}

/// out (merged ids, dim) = the sum of the rows of two summed gradients.
#[napi(catch_unwind)]
pub fn rows_merge(a: GradOperand, b: GradOperand, out: Operand) -> bool {
    status(|| {
        threads()?;
        let out = out.exclusive(&[&a.ids, &b.ids, &a.rows, &b.rows])?;
        Ok(row_grad::merge_rows(a.rows()?, b.rows()?, a.format.0, out)?)
    })
}
