//! The header of a safetensors file, which is read and checked in full, whoever wrote it.
//!
//! It is read into memory of its own, because others may write the file meanwhile. It takes at most some bytes of
//! memory for each byte of the header: ten in the worst known case, a header of nothing but tensors without a name
//! and a shape.

use crate::limits::Shapes;
use crate::mapped::Source;
use safetensors::tensor::TensorInfo;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use tokenbed_core::{Error, Result};
use tokenbed_memory::{Gather, List, Set};

/// Number of bytes before the header, which hold its length.
pub(super) const LENGTH_BYTES: usize = 8;
/// Length of the longest header that the format allows.
const MOST_BYTES: usize = 100_000_000;

/// Checks that readers accept a header of this length.
///
/// # Errors
/// [`Error::Usage`] if it is too long.
pub(super) fn check_length(bytes: usize) -> Result<()> {
    if bytes <= MOST_BYTES {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "a header of {bytes} bytes for these names, shapes and metadata, and readers of safetensors take {MOST_BYTES} at \
         most: shorten them, put what is long into a tensor, or write several files"
    )))
}
/// The name that holds the file's metadata rather than a tensor.
pub(super) const METADATA: &str = "__metadata__";

/// Largest number of dimensions of a tensor in a file. The format has no limit, and a size that takes two bytes in
/// the header takes many more in memory.
const MOST_DIMENSIONS: usize = 1000;

/// The shapes that are read, here and by the format's own library.
pub(super) const SHAPES: Shapes = Shapes { dimensions: MOST_DIMENSIONS, without_zeros: false };

/// A byte offset in the file, and what is wrong there.
type Wrong = (usize, String);

/// The content of a header.
#[derive(Debug)]
pub(super) struct Header {
    /// Byte offset of the data.
    pub data: usize,
    /// The tensors in the order of their data (empty ones at the same place in the order of the header). All of them
    /// lie within the file, one after the other without holes.
    pub tensors: Vec<(String, TensorInfo)>,
    /// The metadata, as its text in the header.
    metadata: Option<Box<RawValue>>,
}

impl Header {
    /// The metadata's text: an object of strings, or null.
    pub(super) fn all_metadata(&self) -> Option<&str> {
        self.metadata.as_ref().map(|json| json.get())
    }

    /// A value of the metadata.
    pub(super) fn metadata(&self, key: &str) -> Option<String> {
        let text = self.metadata.as_ref()?.get();
        let find = Texts { key, found: None };
        serde_json::Deserializer::from_str(text).deserialize_option(find).ok().flatten()
    }
}

/// Reads the header of a file.
pub(super) fn read(file: &Source) -> Result<Header> {
    let wrong = |(offset, message): Wrong| file.malformed(offset, message);
    let len = file.len();
    if len < LENGTH_BYTES {
        return Err(wrong((0, format!("a file of {len} bytes has no safetensors header"))));
    }
    let mut length = [0; LENGTH_BYTES];
    file.read(0, &mut length)?;
    let length = usize::try_from(u64::from_le_bytes(length)).unwrap_or(usize::MAX);
    if length > MOST_BYTES {
        return Err(wrong((0, "the length of the header is more than 100 MB: not a safetensors file".into())));
    }
    if length > len - LENGTH_BYTES {
        return Err(wrong((0, format!("the header is longer than the file's {len} bytes: cut short"))));
    }
    let header = file.copy(LENGTH_BYTES, length)?;
    let data = LENGTH_BYTES + length;
    let Entries { tensors, metadata } = parse(&header).map_err(wrong)?;
    let (needed, there) = (check(&tensors).map_err(|why| wrong((LENGTH_BYTES, why)))?, len - data);
    if needed != there {
        let why = if needed > there { "cut short" } else { "some belong to no tensor" };
        return Err(wrong((len, format!("the tensors need {needed} bytes, the file has {there}: {why}"))));
    }
    Ok(Header { data, tensors, metadata })
}

fn parse(header: &[u8]) -> std::result::Result<Entries, Wrong> {
    let text = std::str::from_utf8(header).map_err(|e| (LENGTH_BYTES + e.valid_up_to(), format!("the header: {e}")))?;
    let mut entries: Entries = serde_json::from_str(text).map_err(|error| (LENGTH_BYTES, error.to_string()))?;
    // Sorts indices into the list, because names are longer.
    let mut by_name: Vec<u32> = (0..entries.tensors.len() as u32).into_list();
    let name = |place: u32| entries.tensors[place as usize].0.as_str();
    by_name.sort_unstable_by_key(|&place| name(place));
    // Nobody could say which of the two is meant.
    if let Some(two) = by_name.windows(2).find(|two| name(two[0]) == name(two[1])) {
        return Err((LENGTH_BYTES, format!("two tensors have the name \"{}\"", name(two[0]))));
    }
    entries.tensors.sort_by_key(|(_, info)| info.data_offsets);
    Ok(entries)
}

/// Total number of bytes of the tensors, which are in the order of their data, or a message if they overlap or leave
/// holes, or if one does not match its size.
fn check(tensors: &[(String, TensorInfo)]) -> std::result::Result<usize, String> {
    let mut end = 0;
    for (name, info) in tensors {
        let (from, to) = info.data_offsets;
        if from != end || to < from {
            return Err(format!("tensor \"{name}\" does not start where the one before it ends"));
        }
        if info.shape.len() > MOST_DIMENSIONS {
            let dimensions = info.shape.len();
            return Err(format!("tensor \"{name}\" has {dimensions} dimensions; known: up to {MOST_DIMENSIONS}"));
        }
        let elements = info.shape.iter().try_fold(1usize, |elements, &n| elements.checked_mul(n));
        let bits = elements.and_then(|elements| elements.checked_mul(info.dtype.bitsize()));
        let bits = bits.ok_or("a tensor's shape has more elements than memory")?;
        if !bits.is_multiple_of(8) || bits / 8 != to - from {
            return Err("a tensor's shape and type need another number of bytes".into());
        }
        end = to;
    }
    Ok(end)
}

/// Checks that tensors can have these names.
///
/// # Errors
/// [`Error::Usage`] for a name given twice or one that the format reserves.
pub(super) fn check_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut seen = HashSet::new();
    for name in names {
        if name == METADATA {
            return Err(Error::Usage(format!("a tensor cannot be called \"{METADATA}\": the format uses that name")));
        }
        if !seen.put(name) {
            return Err(Error::Usage(format!("two tensors have the name \"{name}\"")));
        }
    }
    Ok(())
}

/// The tensors of a header, and its metadata.
struct Entries {
    tensors: Vec<(String, TensorInfo)>,
    metadata: Option<Box<RawValue>>,
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(Collect)
    }
}

/// Collects the entries of a header.
struct Collect;

impl<'de> Visitor<'de> for Collect {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Entries, A::Error> {
        let (mut tensors, mut metadata) = (Vec::new(), None);
        while let Some(name) = map.next_key::<String>()? {
            if name != METADATA {
                let mut info: TensorInfo = map.next_value()?;
                info.shape.trim_to(0);
                tensors.put((name, info));
            } else if metadata.is_some() {
                return Err(A::Error::custom(format!("two tensors have the name \"{name}\"")));
            } else {
                let found: Box<RawValue> = map.next_value()?;
                checked_texts(found.get()).map_err(A::Error::custom)?;
                metadata = Some(found);
            }
        }
        Ok(Entries { tensors, metadata })
    }
}

/// Checks that this is an object of strings, or null.
fn checked_texts(json: &str) -> serde_json::Result<()> {
    let all = Texts { key: "", found: None };
    serde_json::Deserializer::from_str(json).deserialize_option(all).map(drop)
}

/// Reads strings by key, one after the other, and keeps the one of `key`: the last, if there are several.
struct Texts<'a> {
    key: &'a str,
    found: Option<String>,
}

impl<'de> Visitor<'de> for Texts<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts")
    }

    fn visit_none<E>(self) -> std::result::Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> std::result::Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> std::result::Result<Self::Value, A::Error> {
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            let value: Cow<'_, str> = map.next_value()?;
            if key == self.key {
                self.found = Some(value.into_owned());
            }
        }
        Ok(self.found)
    }
}
