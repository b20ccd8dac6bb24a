//! Helpers for the tests of files.

use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tokenbed_core::Error;
use tokenbed_core::storage::Storage;
use tokenbed_io::safetensors::{Loaded, load};

/// A temporary folder, and a path in it.
pub fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let path = folder.path().join("file.safetensors");
    (folder, path)
}

/// The elements of a loaded tensor.
pub fn bytes(loaded: &Loaded) -> &[u8] {
    held(&loaded.storage)
}

/// The bytes of a storage.
pub fn held(storage: &Storage) -> &[u8] {
    // SAFETY: these are the storage's address and length, and no test writes to a storage.
    unsafe { std::slice::from_raw_parts(storage.as_ptr(), storage.len()) }
}

/// A file with this header and data, which may be invalid.
pub fn raw(header: &[u8], data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header, data].concat()
}

/// Loads these bytes from a file that is removed afterwards.
pub fn load_bytes(content: &[u8]) -> Result<Vec<Loaded>, Error> {
    let (_folder, path) = folder();
    std::fs::write(&path, content).expect("a file can be written");
    load(&path)
}

/// The names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
