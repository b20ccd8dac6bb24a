//! The header of an npy file. Written as NumPy writes it: with room for a first size that grows, so that its length does
//! not depend on how many rows there are.

use tokenbed_core::{DType, Error, Result};

/// Every file starts with it.
pub(super) const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Data starts at a multiple of this.
const ALIGNMENT: usize = 64;
/// Digits that the first size has room for.
const ROOM: usize = 21;

/// A header in front of elements of this type and shape.
///
/// # Errors
/// [`Error::DType`] for bfloat16, which NumPy does not have.
pub(super) fn write(dtype: DType, shape: &[u64]) -> Result<Vec<u8>> {
    let descr = match dtype {
        DType::Float32 => "<f4",
        DType::Float64 => "<f8",
        DType::Float16 => "<f2",
        DType::Int8 => "|i1",
        DType::UInt8 => "|u1",
        DType::Int32 => "<i4",
        DType::Int64 => "<i8",
        DType::Bool => "|b1",
        DType::BFloat16 => {
            return Err(Error::DType(
                "npy files have no bfloat16: write to('float32'), which holds every value, or a .safetensors file"
                    .into(),
            ));
        }
    };
    let sizes = match shape {
        [one] => format!("{one},"),
        sizes => sizes.iter().map(u64::to_string).collect::<Vec<_>>().join(", "),
    };
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({sizes}), }}");
    if let Some(first) = shape.first() {
        text.push_str(&" ".repeat(ROOM.saturating_sub(first.to_string().len())));
    }
    // The length of what follows it, in two bytes; in four where that is not enough.
    let long = text.len() + ALIGNMENT + 1 > usize::from(u16::MAX);
    let before = MAGIC.len() + 2 + if long { 4 } else { 2 };
    // At least one byte of padding, as NumPy has it, and the last byte is a new line.
    let padding = ALIGNMENT - (before + text.len() + 1) % ALIGNMENT;
    let len = text.len() + padding + 1;
    let mut header = Vec::with_capacity(before + len);
    header.extend(MAGIC);
    header.extend(if long { [2, 0] } else { [1, 0] });
    header.extend(&(len as u32).to_le_bytes()[..before - MAGIC.len() - 2]);
    header.extend(text.as_bytes());
    header.resize(before + len - 1, b' ');
    header.push(b'\n');
    Ok(header)
}
