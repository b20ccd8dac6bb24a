//! How results are stored, and how far ahead rows are prefetched.

/// How an op's results are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// Through the caches: for results that are read next, and for all except very large ones.
    Cached,
    /// Past the caches: this avoids reading every line that is then overwritten completely.
    Streaming,
}

/// Twice the last-level cache of current desktop and server cores. Above it, a result cannot be in the cache when it is
/// read next, and streaming is faster; below it, the next reader would lose more than the writer gains.
pub const STREAM_FROM_BYTES: usize = 64 << 20;

impl Store {
    /// The fastest way for a result of this many bytes.
    pub fn for_bytes(bytes: usize) -> Self {
        if bytes >= STREAM_FROM_BYTES { Store::Streaming } else { Store::Cached }
    }
}

/// The number of rows to prefetch ahead, for rows of `dim` f32: about 8 KB, so that memory answers before the copy gets
/// there and the first-level cache still holds them.
#[inline(always)]
pub fn prefetch_distance(dim: usize) -> usize {
    (8192 / (dim * size_of::<f32>()).max(1)).clamp(1, 64)
}
