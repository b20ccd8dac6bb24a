//! One file an op: the contract as pseudocode, the scalar reference that defines the result, the generic body, and
//! the safe method that checks the contract.

pub mod added;
pub mod along;
pub mod bag;
pub(crate) mod bag_tiles;
pub(crate) mod decode;
pub mod draw_normal;
pub mod draw_uniform;
pub mod embed;
pub mod exp_rows;
pub mod gather;
pub mod gather_rows;
pub mod gemm;
pub mod layer_norm;
pub mod layer_norm_grad;
pub mod matmul;
pub mod mt19937;
pub mod norm_rows;
pub mod optim;
pub mod pass;
pub mod pointwise;
pub mod quantize;
pub mod real;
pub mod rotate;
pub(crate) mod row;
pub mod row_dots;
pub mod row_mix;
pub mod row_sum;
pub mod rows;
pub mod scores;
pub mod thin;
pub mod total;
pub mod windows;

/// How an op's results are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// Through the caches: for results that are read next, and for all but very large ones.
    Cached,
    /// Past the caches: saves the read of every line that is overwritten whole.
    Streaming,
}

/// Twice the last-level cache of current desktop and server cores: above it, a result cannot be in the cache when it
/// is read next, and streaming wins; below it, the reader that follows would lose more than the writer wins.
pub const STREAM_FROM_BYTES: usize = 64 << 20;

impl Store {
    /// The way that is fastest for a result of so many bytes.
    pub fn for_bytes(bytes: usize) -> Self {
        if bytes >= STREAM_FROM_BYTES { Store::Streaming } else { Store::Cached }
    }
}

/// Rows to look ahead when prefetching rows of `dim` f32: about 8 KB of them, so that memory answers before the copy
/// gets there and the first-level cache still holds them.
#[inline(always)]
pub fn prefetch_distance(dim: usize) -> usize {
    (8192 / (dim * size_of::<f32>()).max(1)).clamp(1, 64)
}
