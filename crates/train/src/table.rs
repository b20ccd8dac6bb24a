//! Memory of a run: its floats, in huge pages where there are many.

use tokenbed_core::storage::Storage;
use tokenbed_core::{Error, Result};
use tokenbed_threads::parallel_rows;

/// Zeroed floats of one owner.
#[derive(Debug)]
pub(crate) struct Floats(Storage);

impl Floats {
    pub(crate) fn zeroed(len: usize) -> Result<Self> {
        let bytes = len.checked_mul(size_of::<f32>());
        let bytes = bytes.ok_or_else(|| Error::Memory { bytes: usize::MAX, reason: format!("{len} floats") })?;
        Ok(Self(Storage::zeroed(bytes)?))
    }

    pub(crate) fn all(&mut self) -> &mut [f32] {
        // Owned and aligned: there is always something.
        self.0.elements_mut().unwrap_or_default()
    }
}

/// Work that is always worth dividing: what a share of it touches, as `threads` asks.
pub(crate) const WORTH: usize = 4 << 20;

/// Runs over blocks of `rows` rows of `out`, on all threads, and over the rest: `run` gets the number of a block's
/// first row, and the block. Where blocks begin does not depend on the threads.
pub(crate) fn in_blocks(out: &mut [f32], row: usize, rows: usize, run: impl Fn(usize, &mut [f32]) + Sync) {
    let block = row * rows;
    let (whole, rest) = out.split_at_mut(out.len() - out.len() % block);
    let whole_rows = whole.len() / row;
    parallel_rows(whole, block, WORTH, |range, part| {
        range.zip(part.chunks_exact_mut(block)).for_each(|(i, part)| run(i * rows, part));
    });
    if !rest.is_empty() {
        run(whole_rows, rest);
    }
}
