//! NumPy's format: one array, a header in Python's notation, then the elements.

mod header;
pub(crate) mod rows;

use crate::atomic;
use std::io::Write;
use std::path::Path;
use tokenbed_core::{DType, Result};

/// Writes a tensor to a file, whole or not at all ([`atomic::write`]): byte for byte what `numpy.save` writes.
///
/// # Errors
/// [`tokenbed_core::Error::File`] where it cannot be written; [`tokenbed_core::Error::DType`] for bfloat16, which the format
/// does not have.
pub fn save(path: &Path, dtype: DType, shape: &[usize], bytes: &[u8]) -> Result<()> {
    let shape: Vec<_> = shape.iter().map(|&n| n as u64).collect();
    let header = header::write(dtype, &shape)?;
    atomic::write(path, |file| {
        file.write_all(&header)?;
        file.write_all(bytes)
    })
}
