//! The memory layouts of a table's rows, and of results.
//!
//! ```text
//! Float32, Float16, BFloat16   [dim elements]
//! Int8                         [dim x u8]             [f32 scale] [f32 bias]
//! Int4                         [ceil(dim / 2) bytes]  [f16 scale] [f16 bias]     even columns in the low nibbles
//! Int2                         [ceil(dim / 4) bytes]  [f16 scale] [f16 bias]     the first of four columns lowest
//! Float8                       [dim x u8]                                        sign, 4 bits of exponent, 3 of mantissa
//! Blocks                       [dim / elements of a block] blocks of GGUF: rows/blocks
//! ```
//!
//! Int8, int4 and int2 are FBGEMM's fused rows (FusedNBitRowwiseQuantizedSBHalf, Fused8BitRowwiseQuantizedSBFloat),
//! little endian, at any alignment. A stored `q` means `q * scale + bias`. Float8 is FBGEMM's HFP8 with 4 bits of
//! exponent and a bias of 7, which has no infinities and no NaN.

use super::blocks::Block;

/// The layout of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it all")]
pub enum RowFormat {
    Float32,
    Float16,
    BFloat16,
    Int8,
    Int4,
    Int2,
    Float8,
    Blocks(Block),
}

impl RowFormat {
    /// All layouts whose rows may have any length; those of blocks are [`Block::ALL`].
    pub const ALL: [RowFormat; 7] = [
        RowFormat::Float32,
        RowFormat::Float16,
        RowFormat::BFloat16,
        RowFormat::Int8,
        RowFormat::Int4,
        RowFormat::Int2,
        RowFormat::Float8,
    ];

    /// The bytes in a row of `dim` elements; None if that overflows, or is not a whole number of blocks.
    pub fn row_bytes(self, dim: usize) -> Option<usize> {
        match self {
            RowFormat::Float32 => dim.checked_mul(4),
            RowFormat::Float16 | RowFormat::BFloat16 => dim.checked_mul(2),
            RowFormat::Int8 => dim.checked_add(8),
            RowFormat::Int4 => dim.div_ceil(2).checked_add(4),
            RowFormat::Int2 => dim.div_ceil(4).checked_add(4),
            RowFormat::Float8 => Some(dim),
            RowFormat::Blocks(block) => block.row_bytes(dim),
        }
    }

    /// Whether rows are decoded to floats before anything is done with them: see [`super::parts`].
    pub fn is_decoded(self) -> bool {
        matches!(self, RowFormat::Int2 | RowFormat::Float8 | RowFormat::Blocks(_))
    }
}

/// A table of rows in one of the layouts.
#[derive(Clone, Copy, Debug)]
pub struct RowTable<'a> {
    bytes: &'a [u8],
    format: RowFormat,
    rows: usize,
    dim: usize,
    row_bytes: usize,
}

impl<'a> RowTable<'a> {
    /// A table over its bytes; None if they are not exactly `rows` rows of `dim` elements.
    pub fn new(format: RowFormat, bytes: &'a [u8], rows: usize, dim: usize) -> Option<Self> {
        let row_bytes = format.row_bytes(dim)?;
        (rows.checked_mul(row_bytes) == Some(bytes.len())).then_some(Self { bytes, format, rows, dim, row_bytes })
    }

    /// The first `dim` columns of the same rows; None where the layout does not let a row end early, and if there are
    /// not so many columns.
    pub fn first_columns(self, dim: usize) -> Option<Self> {
        let ends_anywhere = matches!(self.format, RowFormat::Float32 | RowFormat::Float16 | RowFormat::BFloat16);
        (dim <= self.dim && ends_anywhere).then_some(Self { dim, ..self })
    }

    /// The bytes of the rows, end to end.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The layout of the rows.
    pub fn format(&self) -> RowFormat {
        self.format
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of elements in a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The number of bytes from one row to the next.
    pub fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    /// The scale and the bias of a row; 1 and 0 where rows have none.
    ///
    /// # Panics
    /// If there is no such row, which is a bug in the caller.
    pub fn scale_of(&self, row: usize) -> (f32, f32) {
        assert!(row < self.rows, "a row outside of the table");
        // SAFETY: the row is in the table.
        let of_row = unsafe { self.format.scale(self.bytes.as_ptr().add(row * self.row_bytes), self.dim) };
        (of_row.scale, of_row.bias)
    }
}

/// The element type of a result: f32, or rounded from it to nearest even.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it all")]
pub enum OutFormat {
    Float32,
    Float16,
    BFloat16,
}

impl OutFormat {
    /// All types.
    pub const ALL: [OutFormat; 3] = [OutFormat::Float32, OutFormat::Float16, OutFormat::BFloat16];

    /// The bytes of an element.
    pub fn size(self) -> usize {
        match self {
            OutFormat::Float32 => 4,
            OutFormat::Float16 | OutFormat::BFloat16 => 2,
        }
    }

    /// Whether rows of this layout already consist of such elements.
    pub fn is_of(self, format: RowFormat) -> bool {
        matches!(
            (self, format),
            (OutFormat::Float32, RowFormat::Float32)
                | (OutFormat::Float16, RowFormat::Float16)
                | (OutFormat::BFloat16, RowFormat::BFloat16)
        )
    }
}
