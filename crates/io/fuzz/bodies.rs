//! What must hold for files of any bytes: run by the fuzz targets and, for a start, by a property test on every
//! compiler. A target for another format is a function here, a file in `fuzz_targets/` and an entry in `Cargo.toml`.

use std::path::PathBuf;
use std::sync::LazyLock;
use tempfile::TempDir;
use tokenbed_io::safetensors::load;
use tokenbed_io::text::InvalidUtf8;
use tokenbed_io::word2vec;

/// One folder for all files of this process.
static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder for temporary files"));

/// A new file with these bytes: nothing that is still mapped is written over.
fn file(content: &[u8]) -> PathBuf {
    let path = FOLDER.path().join(format!("{:?}", std::thread::current().id()));
    let _ = std::fs::remove_file(&path);
    std::fs::write(&path, content).expect("a file can be written");
    path
}

/// Loading ends with an error, or with tensors whose shapes are as large as their elements; the bytes as they are, and
/// as a header with its length before it and a few bytes of data behind it.
pub fn safetensors(data: &[u8]) {
    let (few, header) = data.split_first().map_or((0, data), |(&first, rest)| (usize::from(first % 33), rest));
    let framed = [&(header.len() as u64).to_le_bytes(), header, &vec![1; few]].concat();
    for content in [data, &framed] {
        let path = file(content);
        let Ok(tensors) = load(&path) else { continue };
        let mut total = 0;
        for tensor in &tensors {
            let elements: usize = tensor.shape.iter().product();
            assert_eq!(tensor.storage.len(), elements * tensor.dtype.size(), "{tensor:?}");
            assert!((tensor.storage.as_ptr() as usize).is_multiple_of(tensor.dtype.size()));
            total += tensor.storage.len();
        }
        assert!(total + 8 <= content.len());
    }
}

/// Loading ends with an error, or with as many vectors as words, all of them different.
/// The first byte says how the rest is read.
pub fn word2vec(data: &[u8]) {
    let (how, content) = data.split_first().map_or((0, data), |(&first, rest)| (first, rest));
    let binary = [None, Some(false), Some(true)][usize::from(how % 3)];
    let limit = (how & 4 != 0).then_some(usize::from(how >> 4));
    let invalid = if how & 8 == 0 { InvalidUtf8::Refuse } else { InvalidUtf8::Replace };
    let path = file(content);
    let Ok(loaded) = word2vec::load(&path, word2vec::Options { binary, limit, invalid }) else { return };
    let width = loaded.dim * size_of::<f32>();
    assert_eq!(loaded.storage.len(), loaded.words.len() * width);
    assert_eq!(loaded.words.iter().collect::<std::collections::HashSet<_>>().len(), loaded.words.len());
    assert!(loaded.words.len() * width <= content.len().saturating_mul(2), "memory follows the file");
}
