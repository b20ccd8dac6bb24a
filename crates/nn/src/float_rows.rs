//! Rows of floats of any type, read as float32, as a lookup would return them.

use std::ops::Range;
use tokenbed_core::ops::convert::{convert, elements};
use tokenbed_core::{DType, Error, Result};
use tokenbed_memory::List;

/// A table of floats of any type.
#[derive(Clone, Copy, Debug)]
pub struct FloatRows<'a> {
    dtype: DType,
    bytes: &'a [u8],
    /// All elements, if they are float32.
    floats: Option<&'a [f32]>,
    dim: usize,
}

impl<'a> FloatRows<'a> {
    /// A table with rows of `dim` elements.
    ///
    /// # Errors
    /// [`Error::Shape`] for bytes that are not whole, aligned rows, and for more rows than a u32 can count;
    /// [`Error::DType`] for elements that are not floats.
    pub fn new(dtype: DType, bytes: &'a [u8], dim: usize) -> Result<Self> {
        if !matches!(dtype, DType::Float32 | DType::Float64 | DType::Float16 | DType::BFloat16) {
            return Err(Error::DType(format!("rows must be of floats, not {}", dtype.name())));
        }
        let row = dim.saturating_mul(dtype.size());
        let rows = bytes.len().checked_div(row).filter(|rows| rows * row == bytes.len());
        if rows.is_none_or(|rows| u32::try_from(rows).is_err()) {
            return Err(Error::Shape(format!(
                "{} bytes are not a table of rows of {dim} {}",
                bytes.len(),
                dtype.name()
            )));
        }
        let floats = if dtype == DType::Float32 { Some(elements(bytes)?) } else { None };
        Ok(Self { dtype, bytes, floats, dim })
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.row_bytes()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether the other table has the same number of rows, row length and element type.
    pub(crate) fn is_like(&self, other: &FloatRows<'_>) -> bool {
        self.dtype == other.dtype && self.dim == other.dim && self.bytes.len() == other.bytes.len()
    }

    pub(crate) fn dim(&self) -> usize {
        self.dim
    }

    pub(crate) fn row_bytes(&self) -> usize {
        self.dim * self.dtype.size()
    }

    /// The bytes of a range of rows.
    pub(crate) fn bytes(&self, rows: Range<usize>) -> &'a [u8] {
        &self.bytes[rows.start * self.row_bytes()..rows.end * self.row_bytes()]
    }

    /// A range of rows, end to end, (rows, dim). They are borrowed in place, or converted in `room`, a buffer that is
    /// reused.
    pub(crate) fn look<'b>(&self, rows: Range<usize>, room: &'b mut Vec<f32>) -> Result<&'b [f32]>
    where
        'a: 'b,
    {
        if let Some(floats) = self.floats {
            return Ok(&floats[rows.start * self.dim..rows.end * self.dim]);
        }
        let size = rows.len() * self.dim;
        room.fill_to(size, 0.0);
        convert(self.dtype, self.bytes(rows), DType::Float32, bytemuck::cast_slice_mut(room))?;
        Ok(room)
    }
}
