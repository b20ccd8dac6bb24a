//! quantize: converts rows of f32 to rows of small integers, or of 8-bit floats, with the layouts and the bytes of
//! FBGEMM's ([`crate::rows::format`]).
//!
//! ```text
//! Int8:  scale = (max - min) / 255;  bias = min
//!        q = round((x - min) * (255 / (max - min + 1e-8)))
//! Int4:  bias = f16(min);  scale = f16((max - bias) / 15), or 1 where that is 0 or has no reciprocal
//!        q = clamp(round((x - bias) * (1 / scale)), 0, 15)
//! Int2:  as int4, with 3 in the place of 15
//! Float8: the nearest float8; values beyond 240 become 240
//! ```
//!
//! Everything is computed in f32, rounding to nearest even. A bias of zero has the sign of the row's first zero.

use crate::half;
use crate::probe::{numbers, words};
use crate::rows::blocks::Block;
use crate::rows::format::RowFormat;

/// The reason and the place why a row cannot be quantized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unquantizable {
    /// The column of the offending value.
    pub column: usize,
    /// Whether the value is a number that the layout cannot hold, rather than NaN or infinite.
    pub too_large: bool,
}

/// Writes a row in the layout of `format`, which must be one of the integer layouts, or float8.
///
/// # Errors
/// [`Unquantizable`] for NaN and infinite values, and for values whose scale or bias the layout cannot hold; `to` is
/// not written in these cases.
///
/// # Panics
/// If `to` does not have the length of such a row, or `format` is another layout, which is a bug in the caller.
pub fn quantize_row(format: RowFormat, row: &[f32], to: &mut [u8]) -> Result<(), Unquantizable> {
    assert!(format.row_bytes(row.len()) == Some(to.len()), "quantize_row: a row of another length");
    if let Some(column) = row.iter().position(|x| !x.is_finite()) {
        return Err(Unquantizable { column, too_large: false });
    }
    let (min, max) = range(row);
    let fits = match format {
        RowFormat::Int8 => int8(row, min, max, to),
        RowFormat::Int4 => few_bits::<4>(row, min, max, to),
        RowFormat::Int2 => few_bits::<2>(row, min, max, to),
        RowFormat::Float8 => {
            to.iter_mut().zip(row).for_each(|(to, &x)| *to = half::f32_to_f8(x));
            true
        }
        RowFormat::Float32 | RowFormat::Float16 | RowFormat::BFloat16 | RowFormat::Blocks(_) => {
            assert!(format.is_scaled(), "quantize_row: no layout of integers, nor float8");
            true
        }
    };
    if fits {
        return Ok(());
    }
    let farthest = if min.abs() > max.abs() { min } else { max };
    let column = row.iter().position(|&x| x == farthest).unwrap_or(0);
    Err(Unquantizable { column, too_large: true })
}

/// The smallest and the largest element; 0 for an empty row.
fn range(row: &[f32]) -> (f32, f32) {
    let Some(&first) = row.first() else { return (0.0, 0.0) };
    // `f32::min` is not used, because it may return either of two zeros.
    row.iter().fold((first, first), |(min, max), &x| (if x < min { x } else { min }, if x > max { x } else { max }))
}

/// Writes a row as int8. Returns whether the layout can hold it.
fn int8(row: &[f32], min: f32, max: f32, to: &mut [u8]) -> bool {
    let range = max - min;
    if !range.is_finite() {
        return false;
    }
    let inverse = 255.0 / (range + 1e-8);
    let (elements, tail) = to.split_at_mut(row.len());
    for (q, x) in elements.iter_mut().zip(row) {
        *q = ((x - min) * inverse).round_ties_even() as u8;
    }
    tail[..4].copy_from_slice(&(range / 255.0).to_le_bytes());
    tail[4..].copy_from_slice(&min.to_le_bytes());
    true
}

/// Writes a row as int4 or int2, the first column of a byte in its lowest `BITS`. Returns whether the layout can hold
/// it.
fn few_bits<const BITS: usize>(row: &[f32], min: f32, max: f32, to: &mut [u8]) -> bool {
    let most = ((1 << BITS) - 1) as f32;
    let bias = half::f32_to_f16(min);
    let min = half::f16_to_f32(bias);
    let range = max - min;
    let mut scale = half::f32_to_f16(if range == 0.0 { 1.0 } else { range / most });
    let mut inverse = 1.0 / half::f16_to_f32(scale);
    if !inverse.is_finite() {
        (scale, inverse) = (half::f32_to_f16(1.0), 1.0);
    }
    if !min.is_finite() || !half::f16_to_f32(scale).is_finite() {
        return false;
    }
    let (elements, tail) = to.split_at_mut(row.len().div_ceil(8 / BITS));
    for (byte, columns) in elements.iter_mut().zip(row.chunks(8 / BITS)) {
        *byte = columns.iter().rev().fold(0, |byte, x| {
            let q = ((x - min) * inverse).round_ties_even().clamp(0.0, most) as u8;
            byte << BITS | q
        });
    }
    tail[..2].copy_from_slice(&scale.to_le_bytes());
    tail[2..].copy_from_slice(&bias.to_le_bytes());
    true
}

/// The layouts that probes go through.
pub(super) fn all_formats() -> impl Iterator<Item = RowFormat> {
    RowFormat::ALL.into_iter().chain(Block::ALL.map(RowFormat::Blocks))
}

/// The bytes of a table in a layout, for probes. Where `dim` is no whole number of blocks, there are none.
pub(crate) fn sample(format: RowFormat, rows: usize, dim: usize) -> Vec<u8> {
    if let RowFormat::Blocks(block) = format {
        return sample_blocks(block, rows * dim / block.elements());
    }
    let row = |row: &[f32]| -> Vec<u8> {
        match format {
            RowFormat::Blocks(_) => Vec::new(),
            RowFormat::Float32 => row.iter().flat_map(|x| x.to_le_bytes()).collect(),
            RowFormat::Float16 => row.iter().flat_map(|&x| half::f32_to_f16(x).to_le_bytes()).collect(),
            RowFormat::BFloat16 => row.iter().flat_map(|&x| half::f32_to_bf16(x).to_le_bytes()).collect(),
            RowFormat::Int8 | RowFormat::Int4 | RowFormat::Int2 | RowFormat::Float8 => {
                let mut packed = vec![0; format.row_bytes(dim).unwrap_or(0)];
                // Finite numbers can always be quantized, and if they could not, a row of zeros would do.
                let _ = quantize_row(format, row, &mut packed);
                packed
            }
        }
    };
    numbers(rows * dim, 17).chunks(dim).flat_map(row).collect()
}

/// Blocks of random bytes, with halves of an ordinary size.
fn sample_blocks(block: Block, count: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = words(count * block.bytes(), 19).into_iter().map(|word| (word >> 11) as u8).collect();
    let halves = numbers(2 * count, 21);
    for (bytes, halves) in bytes.chunks_mut(block.bytes()).zip(halves.chunks(2)) {
        for (&at, &value) in block.halves().iter().zip(halves) {
            bytes[at..at + 2].copy_from_slice(&half::f32_to_f16(value).to_le_bytes());
        }
    }
    bytes
}
