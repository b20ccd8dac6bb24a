//! The floats of a run, in huge pages if there are many.

use tokenbed_core::storage::Storage;
use tokenbed_core::{Error, Result};
use tokenbed_threads::parallel_rows;

/// Zeroed floats with one owner.
#[derive(Debug)]
pub(crate) struct Floats(Storage);

impl Floats {
    pub(crate) fn zeroed(len: usize) -> Result<Self> {
        let bytes = len.checked_mul(size_of::<f32>());
        let bytes = bytes.ok_or_else(|| Error::Memory { bytes: usize::MAX, reason: format!("{len} floats") })?;
        Ok(Self(Storage::zeroed(bytes)?))
    }

    pub(crate) fn all(&mut self) -> &mut [f32] {
        // The storage is owned and aligned, so the default is never needed.
        self.0.elements_mut().unwrap_or_default()
    }
}

/// The bytes touched by a share of work that is always worth dividing, in the unit that `threads` expects.
pub(crate) const WORTH: usize = 4 << 20;

/// Divides `out` into blocks of `rows` rows and a rest, on all threads. `run` gets the number of a block's first row,
/// and the block. The bounds of blocks do not depend on the number of threads.
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
