//! The seeds of fuzz targets: inputs that once found something, or that reach far.

use std::fs;

/// The files in `fuzz/seeds/<target>` of the crate in `folder`, which is `env!("CARGO_MANIFEST_DIR")` of the caller.
///
/// # Panics
/// If the folder cannot be read or is empty: a test over no seeds would test nothing.
#[allow(clippy::expect_used, reason = "a test without its seeds fails")]
pub fn seeds(folder: &str, target: &str) -> Vec<Vec<u8>> {
    let files = fs::read_dir(format!("{folder}/fuzz/seeds/{target}")).expect("a folder");
    let seeds: Vec<_> = files.map(|file| fs::read(file.expect("a file").path()).expect("readable")).collect();
    assert!(!seeds.is_empty(), "no seeds in {target}");
    seeds
}
