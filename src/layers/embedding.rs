//! Lookups.

use crate::node::borrow::{Operand, size};
use crate::node::guard::{Failure, status};
use crate::node::process::threads;
use napi_derive::napi;
use std::cell::RefCell;
use tokenbed_core::Error;
use tokenbed_core::ids::BadIds;
use tokenbed_kernels::dispatch;
use tokenbed_nn::embedding::{self, Table};
use tokenbed_nn::max_norm;
use tokenbed_nn::token_position::Scratch;

thread_local! {
    /// Room for ids that are not 32 bits wide, kept between calls.
    pub(crate) static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// A policy as TypeScript writes it: -1 throw, -2 clamp, else the row that stands in.
pub(crate) fn bad_ids(policy: f64) -> Result<BadIds, Failure> {
    match policy {
        -1.0 => Ok(BadIds::Throw),
        -2.0 => Ok(BadIds::Clamp),
        row => u32::try_from(size(row)?).map(BadIds::Replace).map_err(|_| Error::Usage(format!("row {row}")).into()),
    }
}

pub(crate) fn table<'a>(weight: &'a Operand, rows: f64, dim: f64) -> Result<Table<'a>, Failure> {
    Ok(Table::new(weight.shared()?, size(rows)?, size(dim)?)?)
}

/// out (ids, dim) = weight (rows, dim)[ids].
#[napi(catch_unwind)]
pub fn embedding_forward(weight: Operand, rows: f64, dim: f64, ids: Operand, bad: f64, out: Operand) -> bool {
    status(|| {
        threads()?;
        SCRATCH.with_borrow_mut(|scratch| {
            Ok(embedding::forward(
                dispatch::active(),
                table(&weight, rows, dim)?,
                ids.ids()?,
                bad_ids(bad)?,
                scratch.ids(),
                out.exclusive(&[&weight, &ids])?,
            )?)
        })
    })
}

/// Rows of weight that ids name, rescaled to at most maxNorm in the p-norm.
#[napi(catch_unwind)]
pub fn embedding_renormalize(
    weight: Operand,
    rows: f64,
    dim: f64,
    ids: Operand,
    bad: f64,
    max_norm: f64,
    p: f64,
) -> bool {
    status(|| {
        SCRATCH.with_borrow_mut(|scratch| {
            Ok(max_norm::renormalize(
                dispatch::active(),
                (weight.exclusive(&[&ids])?, size(rows)?, size(dim)?),
                (ids.ids()?, bad_ids(bad)?),
                (max_norm, p),
                scratch.ids(),
            )?)
        })
    })
}
