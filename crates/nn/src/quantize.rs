//! Converts float32 tables to floats of 16 or 8 bits or to small integers by row, and back, and measures the error.

use std::sync::{Mutex, PoisonError};
use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::half::{f32_to_bf16, f32_to_f16};
use tokenbed_kernels::ids::CheckedIds;
use tokenbed_kernels::ops::lookup::quantize::{Unquantizable, quantize_row};
use tokenbed_kernels::rows::format::{OutFormat, RowFormat, RowTable};
use tokenbed_memory::{Gather, zeroed};
use tokenbed_threads::parallel_rows;

/// Rows that are decoded at a time.
const CHUNK: usize = 64;

/// Writes a table of `dim` columns in the layout of `format`.
///
/// # Errors
/// [`Error::Usage`], which names the element, for a value that the layout cannot hold: NaN and infinities for integers
/// and float8, and values beyond float16 for int4 and int2; also for blocks, which are only read. [`Error::Shape`] for
/// sizes that do not fit.
pub fn quantize(format: RowFormat, elements: &[f32], dim: usize, to: &mut [u8]) -> Result<()> {
    if matches!(format, RowFormat::Blocks(_)) {
        return Err(Error::Usage(
            "blocks of GGUF are read, and not made: quantize to int8, int4, int2 or float8".into(),
        ));
    }
    let row_bytes = format.row_bytes(dim).filter(|_| dim > 0 && elements.len().is_multiple_of(dim));
    let fits = row_bytes.and_then(|bytes| (elements.len() / dim).checked_mul(bytes)) == Some(to.len());
    let Some(row_bytes) = row_bytes.filter(|_| fits) else {
        return Err(Error::Shape(format!(
            "{} elements in rows of {dim} do not fill {} bytes",
            elements.len(),
            to.len()
        )));
    };
    // The first bad element in the order of the rows, whichever thread finds it.
    let first: Mutex<Option<(usize, Unquantizable)>> = Mutex::new(None);
    parallel_rows(to, row_bytes, 4 * dim, |range, to| {
        let rows = elements[range.start * dim..range.end * dim].chunks_exact(dim);
        for ((row, elements), to) in range.zip(rows).zip(to.chunks_exact_mut(row_bytes)) {
            if let Err(error) = write_row(format, elements, to) {
                let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
                if first.is_none_or(|(earlier, _)| row < earlier) {
                    *first = Some((row, error));
                }
                return;
            }
        }
    });
    match first.into_inner().unwrap_or_else(PoisonError::into_inner) {
        None => Ok(()),
        Some((row, Unquantizable { column, too_large })) => {
            let value = elements[row * dim + column];
            let why = if too_large {
                "which is too large for the scale and bias of its row"
            } else {
                "which is not a number"
            };
            Err(Error::Usage(format!(
                "the element at [{row}, {column}] is {value}, {why}: the row cannot be quantized"
            )))
        }
    }
}

fn write_row(format: RowFormat, row: &[f32], to: &mut [u8]) -> std::result::Result<(), Unquantizable> {
    match format {
        RowFormat::Float32 => halves(row, to, |x| x.to_le_bytes()),
        RowFormat::Float16 => halves(row, to, |x| f32_to_f16(x).to_le_bytes()),
        RowFormat::BFloat16 => halves(row, to, |x| f32_to_bf16(x).to_le_bytes()),
        RowFormat::Int8 | RowFormat::Int4 | RowFormat::Int2 | RowFormat::Float8 | RowFormat::Blocks(_) => {
            return quantize_row(format, row, to);
        }
    }
    Ok(())
}

fn halves<const N: usize>(row: &[f32], to: &mut [u8], bytes: impl Fn(f32) -> [u8; N]) {
    for (&x, to) in row.iter().zip(to.chunks_exact_mut(N)) {
        to.copy_from_slice(&bytes(x));
    }
}

/// Writes the values of a whole table as the bytes of float32.
///
/// # Errors
/// [`Error::Shape`] if `out` has the wrong size.
pub fn dequantize(kernels: Kernels, table: RowTable<'_>, out: &mut [u8]) -> Result<()> {
    let row = 4 * table.dim();
    if table.rows().checked_mul(row) != Some(out.len()) {
        return Err(Error::Shape(format!(
            "a buffer of {} bytes does not fit the float32 elements of the table",
            out.len()
        )));
    }
    parallel_rows(out, row, row, |range, out| decode(kernels, table, range.start, out));
    Ok(())
}

/// Decodes rows, beginning at `first`, until `out` is full.
fn decode(kernels: Kernels, table: RowTable<'_>, first: usize, out: &mut [u8]) {
    for (n, out) in out.chunks_mut(CHUNK * 4 * table.dim()).enumerate() {
        let from = (first + n * CHUNK) as u32;
        let ids: Vec<u32> = (from..from + (out.len() / (4 * table.dim())) as u32).into_list();
        if let Some(ids) = CheckedIds::new(kernels, &ids, table.rows()) {
            kernels.gather_rows(table, ids, OutFormat::Float32, out);
        }
    }
}

/// How far a table is from the elements it was made from.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Difference {
    /// The largest absolute difference of an element.
    pub max: f64,
    /// The mean absolute difference over all elements.
    pub mean: f64,
    /// The root mean square of the differences.
    pub rms: f64,
    /// The row with the largest difference; 0 if there are no differences.
    pub worst_row: usize,
}

/// Compares a table with the elements it was made from, in float64.
///
/// # Errors
/// [`Error::Shape`] if their numbers differ.
pub fn difference(kernels: Kernels, table: RowTable<'_>, original: &[f32]) -> Result<Difference> {
    let dim = table.dim();
    if table.rows().checked_mul(dim) != Some(original.len()) {
        return Err(Error::Shape(format!("{} elements are not {} rows of {dim}", original.len(), table.rows())));
    }
    let (mut result, mut sum, mut squares) = (Difference::default(), 0.0, 0.0);
    let mut decoded = zeroed(4 * dim);
    for (row, original) in original.chunks(dim.max(1)).enumerate() {
        decode(kernels, table, row, &mut decoded);
        for (bytes, &original) in decoded.chunks_exact(4).zip(original) {
            let value = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            let apart = (f64::from(value) - f64::from(original)).abs();
            // Equal infinities do not differ.
            let apart = if value == original { 0.0 } else { apart };
            sum += apart;
            squares += apart * apart;
            if apart > result.max || apart.is_nan() && !result.max.is_nan() {
                (result.max, result.worst_row) = (apart, row);
            }
        }
    }
    let elements = original.len().max(1) as f64;
    (result.mean, result.rms) = (sum / elements, (squares / elements).sqrt());
    Ok(result)
}
