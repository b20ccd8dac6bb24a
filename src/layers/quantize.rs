//! Makes tables of small elements and measures their error.

use crate::node::borrow::{Operand, size};
use crate::node::borrowed_word::Word;
use crate::node::guard::{Failure, guard, status};
use crate::node::process::threads;
use napi_derive::napi;
use tokenbed_core::Error;
use tokenbed_kernels::dispatch;
use tokenbed_kernels::rows::format::{RowFormat, RowTable};
use tokenbed_nn::{bag, quantize};

fn rows_of(format: RowFormat, weight: &Operand, rows: f64, dim: f64) -> Result<RowTable<'_>, Failure> {
    Ok(bag::table(format, weight.shared()?, size(rows)?, size(dim)?)?)
}

/// The number of bytes in a row of `dim` elements.
#[napi(catch_unwind)]
pub fn row_bytes(format: Word<RowFormat>, dim: f64) -> Option<f64> {
    guard(|| {
        let dim = size(dim)?;
        let bytes = format.0.row_bytes(dim);
        Ok(bytes.ok_or_else(|| Error::Usage(format!("a row of {dim} elements is too large for any memory")))? as f64)
    })
}

/// to (rows of bytes) = from (rows of `dim` f32), written in the given layout.
#[napi(catch_unwind)]
pub fn quantize_rows(format: Word<RowFormat>, from: Operand, dim: f64, to: Operand) -> bool {
    status(|| {
        threads()?;
        Ok(quantize::quantize(format.0, from.shared()?, size(dim)?, to.exclusive(&[&from])?)?)
    })
}

/// out (rows, dim) of f32 = the values of a table.
#[napi(catch_unwind)]
pub fn dequantize_rows(format: Word<RowFormat>, weight: Operand, rows: f64, dim: f64, out: Operand) -> bool {
    status(|| {
        threads()?;
        let out = out.exclusive(&[&weight])?;
        Ok(quantize::dequantize(dispatch::active(), rows_of(format.0, &weight, rows, dim)?, out)?)
    })
}

/// How far a table is from the f32 table it was made from: maximum, mean and root mean square of the error, and the
/// worst row.
#[napi(catch_unwind)]
pub fn quantization_error(
    format: Word<RowFormat>,
    weight: Operand,
    rows: f64,
    dim: f64,
    original: Operand,
) -> Option<Vec<f64>> {
    guard(|| {
        let table = rows_of(format.0, &weight, rows, dim)?;
        let difference = quantize::difference(dispatch::active(), table, original.shared()?)?;
        Ok(Vec::from([difference.max, difference.mean, difference.rms, difference.worst_row as f64]))
    })
}
