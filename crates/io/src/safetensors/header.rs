//! The header of a safetensors file: read and checked in full, whoever wrote it.

use safetensors::tensor::{Metadata, SafeTensorError, TensorInfo};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use std::collections::{HashMap, HashSet};
use std::fmt;
use tokenbed_core::{Error, Result};

/// Bytes before the header that say how long it is.
pub(super) const LENGTH_BYTES: usize = 8;
/// The longest header that the format allows.
const MOST_BYTES: usize = 100_000_000;
/// The name that holds the file's metadata rather than a tensor.
pub(super) const METADATA: &str = "__metadata__";

/// What is wrong, and at which byte of the file.
pub(super) type Wrong = (usize, String);

/// Where the data of a file starts, and its tensors in the order in which they lie there (empty ones at one place as
/// they are listed). All of them lie within the file, one after the other without holes.
pub(super) fn read(file: &[u8]) -> std::result::Result<(usize, Vec<(String, TensorInfo)>), Wrong> {
    let Some((length, rest)) = file.split_first_chunk::<LENGTH_BYTES>() else {
        return Err((0, format!("a file of {} bytes has no safetensors header", file.len())));
    };
    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
    if length > MOST_BYTES {
        return Err((0, "the length of the header is more than 100 MB: not a safetensors file".into()));
    }
    let Some((header, data)) = rest.split_at_checked(length) else {
        return Err((0, format!("the header is longer than the file's {} bytes: cut short", file.len())));
    };
    let text = std::str::from_utf8(header).map_err(|e| (LENGTH_BYTES + e.valid_up_to(), format!("the header: {e}")))?;
    let Entries(mut tensors) = serde_json::from_str(text).map_err(|error| (LENGTH_BYTES, error.to_string()))?;
    tensors.sort_by_key(|(_, info)| info.data_offsets);
    let checked = Metadata::new(None, tensors.clone()).map_err(|error| (LENGTH_BYTES, explain(&error)))?;
    let (needed, there) = (checked.data_len(), data.len());
    if needed != there {
        let why = if needed > there { "cut short" } else { "some belong to no tensor" };
        return Err((file.len(), format!("the tensors need {needed} bytes, the file has {there}: {why}")));
    }
    Ok((LENGTH_BYTES + length, tensors))
}

/// Whether tensors can have these names.
///
/// # Errors
/// [`Error::Usage`] for a name given twice or one that the format reserves.
pub(super) fn check_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut seen = HashSet::new();
    for name in names {
        if name == METADATA {
            return Err(Error::Usage(format!("a tensor cannot be called \"{METADATA}\": the format uses that name")));
        }
        if !seen.insert(name) {
            return Err(Error::Usage(format!("two tensors have the name \"{name}\"")));
        }
    }
    Ok(())
}

fn explain(error: &SafeTensorError) -> String {
    match error {
        SafeTensorError::InvalidOffset(name) => {
            format!("tensor \"{name}\" does not start where the one before it ends")
        }
        SafeTensorError::TensorInvalidInfo => "a tensor's shape and type need another number of bytes".into(),
        SafeTensorError::ValidationOverflow => "a tensor's shape has more elements than memory".into(),
        other => other.to_string(),
    }
}

/// The entries of a header, without its metadata.
struct Entries(Vec<(String, TensorInfo)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(Collect)
    }
}

/// Collects entries, and refuses a name that comes twice: which of the two is meant, nobody can say.
struct Collect;

impl<'de> Visitor<'de> for Collect {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Entries, A::Error> {
        let (mut names, mut tensors) = (HashSet::new(), Vec::new());
        while let Some(name) = map.next_key::<String>()? {
            if !names.insert(name.clone()) {
                return Err(A::Error::custom(format!("two tensors have the name \"{name}\"")));
            }
            if name == METADATA {
                map.next_value::<Option<HashMap<String, String>>>()?;
            } else {
                tensors.push((name, map.next_value()?));
            }
        }
        Ok(Entries(tensors))
    }
}
