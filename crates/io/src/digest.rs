//! A digest that tells whether tensors are still the ones that were saved.

use crate::safetensors::ToSave;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::io::{ErrorKind, Read};
use std::path::Path;
use tokenbed_core::open::regular;
use tokenbed_core::{Error, Result};
use tokenbed_memory::{Gather, zeroed};

/// The key in a file's metadata under which the digest of its tensors is stored.
pub const KEY: &str = "tokenbed.digest";

/// SHA-256 over all tensors, sorted by name: for each, `["name","dtype",[shape]]` as JSON, then its elements, little
/// endian. The position of tensors in a file does not matter.
pub fn of_tensors(tensors: &[ToSave<'_>]) -> String {
    let mut sorted = tensors.iter().into_list();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    let mut hash = Sha256::new();
    for ToSave { name, dtype, shape, bytes } in sorted {
        hash.update(serde_json::json!((name, dtype.name(), shape)).to_string());
        hash.update(bytes);
    }
    hex(&hash.finalize())
}

/// SHA-256 of the bytes of a regular file, in hexadecimal; it is read a part at a time.
///
/// # Errors
/// [`Error::File`] where it cannot be opened or read.
pub fn of_file(path: &Path) -> Result<String> {
    let mut file = regular(path)?.file;
    let mut hash = Sha256::new();
    let mut part = zeroed::<u8>(PART);
    loop {
        let read = match file.read(&mut part) {
            Ok(0) => return Ok(hex(&hash.finalize())),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(source) => return Err(Error::File { path: path.to_path_buf(), action: "read", source }),
        };
        hash.update(&part[..read]);
    }
}

/// Bytes of a file that are read at a time.
const PART: usize = 1 << 20;

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenbed_core::DType;

    fn tensor<'a>(name: &str, dtype: DType, shape: &[usize], bytes: &'a [u8]) -> ToSave<'a> {
        ToSave { name: name.into(), dtype, shape: shape.to_vec(), bytes }
    }

    #[test]
    fn every_tensor_counts_and_their_order_does_not() {
        let (a, b) = (tensor("a", DType::UInt8, &[3], &[1, 2, 3]), tensor("b", DType::Int32, &[1], &[4, 0, 0, 0]));
        let whole = of_tensors(&[a.clone(), b.clone()]);
        assert_eq!(whole.len(), 64);
        assert_eq!(whole, of_tensors(&[b.clone(), a.clone()]));
        // This is what `sha256sum` gives for no bytes.
        assert_eq!(of_tensors(&[]), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        for other in [
            tensor("c", DType::UInt8, &[3], &[1, 2, 3]),
            tensor("a", DType::Int8, &[3], &[1, 2, 3]),
            tensor("a", DType::UInt8, &[3, 1], &[1, 2, 3]),
            tensor("a", DType::UInt8, &[3], &[1, 2, 2]),
        ] {
            assert_ne!(whole, of_tensors(&[other, b.clone()]));
        }
    }
}
