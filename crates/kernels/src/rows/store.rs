//! How results are stored, and how far rows are read ahead.

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
