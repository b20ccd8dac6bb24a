//! Sums of rows, from which vocabulary surgery makes new rows.

use crate::node::borrow::{Operand, size};
use crate::node::borrowed_word::Word;
use crate::node::guard::{guard, status};
use crate::node::process::threads;
use napi_derive::napi;
use tokenbed_core::DType;
use tokenbed_nn::float_rows::FloatRows;
use tokenbed_nn::row_sums::{first_not_finite, weighted_sum};

/// out (dim) of float64 = the sum of the rows that `ids` (uint32, or int32 without negative values) names, each times
/// `weight`, in the order of the rows.
#[napi(catch_unwind)]
pub fn sum_of_rows(element: Word<DType>, table: Operand, dim: f64, ids: Operand, weight: f64, out: Operand) -> bool {
    status(|| {
        threads()?;
        let rows = FloatRows::new(element.0, table.shared()?, size(dim)?)?;
        Ok(weighted_sum(rows, ids.stable()?, weight, out.exclusive(&[&table, &ids])?)?)
    })
}

/// The row that was found.
#[napi(object, object_from_js = false)]
pub struct FoundRow {
    pub row: Option<u32>,
}

/// The first row named by `ids` that contains NaN or an infinity, if any.
#[napi(catch_unwind)]
pub fn first_row_not_finite(element: Word<DType>, table: Operand, dim: f64, ids: Operand) -> Option<FoundRow> {
    guard(|| {
        threads()?;
        let rows = FloatRows::new(element.0, table.shared()?, size(dim)?)?;
        Ok(FoundRow { row: first_not_finite(rows, ids.stable()?)? })
    })
}
