//! Parts of mapped files as storage.

use std::sync::Arc;
use tokenbed_core::storage::{MappedFile, Storage};
use tokenbed_core::{DType, Error, Result};

/// `len` bytes of a file from `start` on: in the mapping, or a copy where the file does not align their elements; nothing
/// where the file is shorter.
pub(crate) fn part(file: &Arc<MappedFile>, start: usize, len: usize, dtype: DType) -> Result<Option<Storage>> {
    let Some(mapped) = Storage::of_file(file, start, len) else { return Ok(None) };
    if (mapped.as_ptr() as usize).is_multiple_of(dtype.size()) {
        return Ok(Some(mapped));
    }
    file.bytes().get(start..start + len).map(Storage::copy_of).transpose()
}

#[cold]
pub(crate) fn malformed(file: &MappedFile, offset: usize, message: String) -> Error {
    Error::Format { path: file.path().to_path_buf(), offset: offset as u64, message }
}
