//! Rows of blocks, as GGUF stores them: 32 or 256 elements share one or two scales, in so many bytes, end to end.
//!
//! ```text
//! Q4_0   f16 d             [16 x two nibbles]                             d * (q - 8)
//! Q4_1   f16 d, f16 m      [16 x two nibbles]                             d * q + m
//! Q5_0   f16 d             [u32 of fifth bits] [16 x two nibbles]         d * (q - 16)
//! Q5_1   f16 d, f16 m      [u32 of fifth bits] [16 x two nibbles]         d * q + m
//! Q8_0   f16 d             [32 x i8]                                      d * q
//! Q2_K   [16 x two nibbles: scale, minimum] [64 x four pairs of bits] f16 d, f16 m          (d * scale) * q - m * minimum
//! Q3_K   [32 x eight third bits] [64 x four pairs of bits] [12: 16 scales of 6 bits] f16 d  (d * (scale - 32)) * q
//! Q4_K   f16 d, f16 m [12: 8 scales and minima of 6 bits] [128 x two nibbles]               (d * scale) * q - m * minimum
//! Q5_K   as Q4_K, with [32 x eight fifth bits] before the nibbles
//! Q6_K   [128 x two nibbles] [64 x four pairs of high bits] [16 x i8 scales] f16 d          (d * scale) * (q - 32)
//! ```
//!
//! Every product and every sum is rounded to f32 on its own, in the order of the formulas, so that the bits are the
//! same on every instruction set. They are those of the `gguf` package, whose arithmetic is NumPy's.

pub(crate) mod plain;
pub(crate) mod vectors;

/// The layout of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the format")]
pub enum Block {
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2K,
    Q3K,
    Q4K,
    Q5K,
    Q6K,
}

/// The largest number of elements in a block; a multiple of all of them.
pub(crate) const MOST: usize = 256;

impl Block {
    /// All layouts.
    pub const ALL: [Block; 10] = [
        Block::Q4_0,
        Block::Q4_1,
        Block::Q5_0,
        Block::Q5_1,
        Block::Q8_0,
        Block::Q2K,
        Block::Q3K,
        Block::Q4K,
        Block::Q5K,
        Block::Q6K,
    ];

    /// The number of elements in a block.
    pub const fn elements(self) -> usize {
        match self {
            Block::Q4_0 | Block::Q4_1 | Block::Q5_0 | Block::Q5_1 | Block::Q8_0 => 32,
            Block::Q2K | Block::Q3K | Block::Q4K | Block::Q5K | Block::Q6K => MOST,
        }
    }

    /// The number of bytes in a block.
    pub const fn bytes(self) -> usize {
        match self {
            Block::Q4_0 => 18,
            Block::Q4_1 => 20,
            Block::Q5_0 => 22,
            Block::Q5_1 => 24,
            Block::Q8_0 => 34,
            Block::Q2K => 84,
            Block::Q3K => 110,
            Block::Q4K => 144,
            Block::Q5K => 176,
            Block::Q6K => 210,
        }
    }

    /// The bytes in a row of `dim` elements; None if that is not a whole number of blocks, or overflows.
    pub fn row_bytes(self, dim: usize) -> Option<usize> {
        if dim.is_multiple_of(self.elements()) { (dim / self.elements()).checked_mul(self.bytes()) } else { None }
    }

    /// The places of the halves in a block.
    pub(crate) const fn halves(self) -> &'static [usize] {
        match self {
            Block::Q4_0 | Block::Q5_0 | Block::Q8_0 => &[0],
            Block::Q4_1 | Block::Q5_1 | Block::Q4K | Block::Q5K => &[0, 2],
            Block::Q2K => &[80, 82],
            Block::Q3K => &[108],
            Block::Q6K => &[208],
        }
    }

    /// The element in a column of the row that begins at `row`.
    ///
    /// # Safety
    /// The row has that column.
    pub(crate) unsafe fn element(self, row: *const u8, column: usize) -> f32 {
        let mut values = [0.0; MOST];
        // SAFETY: the block that holds the column is part of the row, and no block has more elements than there is
        // room for.
        unsafe { plain::decode(self, row.add(column / self.elements() * self.bytes()), values.as_mut_ptr(), 1) };
        values[column % self.elements()]
    }
}
