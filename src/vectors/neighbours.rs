//! The rows that are most similar to a vector.

use crate::node::borrow::{Operand, size};
use crate::node::guard::{Failure, guard, status};
use crate::node::process::threads;
use napi_derive::napi;
use tokenbed_kernels::dispatch;
use tokenbed_memory::Gather;
use tokenbed_nn::neighbours::{self, Rows};

/// Rows and their similarities as parallel arrays, the most similar first.
#[napi(object, object_from_js = false)]
pub struct Nearest {
    pub ids: Vec<u32>,
    pub similarities: Vec<f64>,
}

fn rows<'a>(weight: &'a Operand, rows: f64, dim: f64) -> Result<Rows<'a>, Failure> {
    threads()?;
    Ok(Rows::new(weight.shared()?, size(rows)?, size(dim)?)?)
}

/// The `top` rows of weight (rows, dim) that are most similar to query (dim), without those that `without` names.
#[napi(catch_unwind)]
pub fn nearest_rows(
    weight: Operand,
    count: f64,
    dim: f64,
    query: Operand,
    top: f64,
    without: Operand,
) -> Option<Nearest> {
    guard(|| {
        let rows = rows(&weight, count, dim)?;
        let found = neighbours::nearest(dispatch::active(), rows, query.shared()?, size(top)?, without.stable()?)?;
        Ok(Nearest {
            ids: found.iter().map(|neighbour| neighbour.id).into_list(),
            similarities: found.iter().map(|neighbour| f64::from(neighbour.similarity)).into_list(),
        })
    })
}

/// out (rows) = the similarity of query (dim) with each row of weight (rows, dim).
#[napi(catch_unwind)]
pub fn row_similarities(weight: Operand, count: f64, dim: f64, query: Operand, out: Operand) -> bool {
    status(|| {
        let rows = rows(&weight, count, dim)?;
        let out = out.exclusive(&[&weight, &query])?;
        Ok(neighbours::similarities(dispatch::active(), rows, query.shared()?, out)?)
    })
}
