//! Tables of small elements, made and measured.

use crate::layers::bag::{of_code, rows_of};
use crate::node::borrow::{Operand, size};
use crate::node::guard::{guard, status};
use crate::node::process::threads;
use napi_derive::napi;
use tokenbed_core::Error;
use tokenbed_kernels::dispatch;
use tokenbed_kernels::rows::format::RowFormat;
use tokenbed_nn::quantize;

/// Bytes of a row of `dim` elements.
#[napi(catch_unwind)]
pub fn row_bytes(format: u32, dim: f64) -> Option<f64> {
    guard(|| {
        let dim = size(dim)?;
        let bytes = of_code(&RowFormat::ALL, format)?.row_bytes(dim);
        Ok(bytes.ok_or_else(|| Error::Usage(format!("no memory holds a row of {dim}")))? as f64)
    })
}

/// to (rows of bytes) = from (rows of `dim` f32), in a layout.
#[napi(catch_unwind)]
pub fn quantize_rows(format: u32, from: Operand, dim: f64, to: Operand) -> bool {
    status(|| {
        threads()?;
        let format = of_code(&RowFormat::ALL, format)?;
        Ok(quantize::quantize(format, from.shared()?, size(dim)?, to.exclusive(&[&from])?)?)
    })
}

/// out (rows, dim) of f32 = the values of a table.
#[napi(catch_unwind)]
pub fn dequantize_rows(format: u32, weight: Operand, rows: f64, dim: f64, out: Operand) -> bool {
    status(|| {
        threads()?;
        let out = out.exclusive(&[&weight])?;
        Ok(quantize::dequantize(dispatch::active(), rows_of(format, &weight, rows, dim)?, out)?)
    })
}

/// How far a table is from the f32 it was made of: max, mean, rms, worst row.
#[napi(catch_unwind)]
pub fn quantization_error(format: u32, weight: Operand, rows: f64, dim: f64, original: Operand) -> Option<Vec<f64>> {
    guard(|| {
        let table = rows_of(format, &weight, rows, dim)?;
        let difference = quantize::difference(dispatch::active(), table, original.shared()?)?;
        Ok(Vec::from([difference.max, difference.mean, difference.rms, difference.worst_row as f64]))
    })
}
