//! GGUF, the format of llama.cpp: typed metadata and tensors, most of them in blocks of few bits.
//!
//! This is our own code: a file is opened by walking over its header once, in parts, without keeping what metadata
//! say. A vocabulary of hundreds of thousands of texts is thus passed in milliseconds, and read when it is asked for.

mod header;
mod json;
mod kinds;
mod split;
mod walk;

use crate::mapped::Source;
use header::Header;
use std::path::Path;
use tokenbed_core::storage::Storage;
use tokenbed_core::{DType, Error, Result};
use tokenbed_memory::{Gather, List, owned};

/// An open file, or all parts of a file that was split.
#[derive(Debug)]
pub struct Opened {
    /// Every file with what its header says; the first one has the metadata.
    parts: Vec<(Source, Header)>,
    /// The part of each tensor, and its place there.
    tensors: Vec<(u32, u32)>,
}

/// What a header says about a tensor.
#[derive(Debug)]
pub struct Entry<'a> {
    /// Name in the file.
    pub name: &'a str,
    /// The type of its elements as the format calls it: `Q4_K`, `BF16`, `type 99`.
    pub stored: String,
    /// The element type of a tensor here, if there is one; bytes for blocks.
    pub dtype: Option<DType>,
    /// The shape, with the longest step first as everywhere here; the file has it the other way round.
    pub shape: &'a [usize],
    /// Size of the elements in bytes; 0 where the type is not known.
    pub bytes: usize,
}

/// Opens a file of version 2 or 3, and with it all parts if it was split, whichever part `path` names.
///
/// # Errors
/// [`Error::File`] if it or another part cannot be opened; [`Error::Format`] if a header does not describe its bytes,
/// or parts do not belong together.
pub fn open(path: &Path) -> Result<Opened> {
    let first = header::open(path)?;
    let parts = match split::place(&first)? {
        None => Vec::from([first]),
        Some(place) => split::all(path, first, place)?,
    };
    let tensors = named_once(&parts)?;
    Ok(Opened { parts, tensors })
}

/// All tensors in the order of the parts. No two have the same name.
fn named_once(parts: &[(Source, Header)]) -> Result<Vec<(u32, u32)>> {
    let mut all = Vec::new();
    for (part, (_, header)) in parts.iter().enumerate() {
        all.put_all((0..header.tensors.len() as u32).map(|place| (part as u32, place)));
    }
    let name = |&(part, place): &(u32, u32)| parts[part as usize].1.tensors[place as usize].name.as_str();
    let mut by_name: Vec<u32> = (0..all.len() as u32).into_list();
    by_name.sort_unstable_by_key(|&one| name(&all[one as usize]));
    let twice = by_name.windows(2).find(|two| name(&all[two[0] as usize]) == name(&all[two[1] as usize]));
    if let Some(two) = twice {
        let (part, place) = all[two[0].max(two[1]) as usize];
        let (file, header) = &parts[part as usize];
        let message = format!("two tensors have the name \"{}\"", name(&(part, place)));
        return Err(file.malformed(header.tensors[place as usize].at, message));
    }
    Ok(all)
}

impl Opened {
    /// The keys of the metadata, in the order of the file.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &str> {
        self.metadata().1.pairs.iter().map(|pair| pair.key.as_str())
    }

    /// Reads a value of the metadata, by the place of its key. It comes as JSON. Integers that float64 does not hold
    /// are strings of digits; numbers that JSON lacks are null.
    ///
    /// # Errors
    /// [`Error::Format`] for a text that is not UTF-8; [`Error::File`] if the file cannot be read; [`Error::Usage`] if
    /// there is no such place.
    pub fn value(&self, place: usize) -> Result<String> {
        let (file, header) = self.metadata();
        let pair = header.pairs.get(place).ok_or_else(|| Error::Usage(format!("no metadata at {place}")))?;
        json::read(file, pair)
    }

    /// The first part, which has the metadata.
    fn metadata(&self) -> &(Source, Header) {
        &self.parts[0]
    }

    /// The tensors, in the order of the parts and of their headers.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        self.tensors.iter().map(|&(part, place)| {
            let tensor = &self.parts[part as usize].1.tensors[place as usize];
            Entry {
                name: &tensor.name,
                stored: kinds::name(tensor.kind),
                dtype: kinds::dtype(tensor.kind),
                shape: &tensor.shape,
                bytes: tensor.bytes,
            }
        })
    }

    /// The elements of a tensor, by its place among [`Opened::entries`]: a part of the mapping, or a copy if the file
    /// is small.
    ///
    /// # Errors
    /// [`Error::DType`] for elements that cannot be read here; [`Error::File`] if the file cannot be read;
    /// [`Error::Usage`] if there is no such place.
    pub fn tensor(&self, place: usize) -> Result<Loaded> {
        let none = || Error::Usage(format!("no tensor at {place}"));
        let &(part, place) = self.tensors.get(place).ok_or_else(none)?;
        let (file, header) = &self.parts[part as usize];
        let tensor = &header.tensors[place as usize];
        let Some(dtype) = kinds::dtype(tensor.kind) else {
            return Err(Error::DType(format!(
                "{}: tensor \"{}\" has elements of type {}, which cannot be read: known are {}",
                file.path().display(),
                tensor.name,
                kinds::name(tensor.kind),
                kinds::readable(),
            )));
        };
        let outside = || file.malformed(tensor.at, format!("tensor \"{}\" lies outside the file", tensor.name));
        let storage = file.part(header.data + tensor.start, tensor.bytes, dtype)?.ok_or_else(outside)?;
        Ok(Loaded { name: owned(&tensor.name), dtype, storage })
    }
}

/// The elements of a tensor.
#[derive(Debug)]
pub struct Loaded {
    /// Name in the file.
    pub name: String,
    /// The element type; bytes for blocks.
    pub dtype: DType,
    /// The elements, or the bytes of the blocks.
    pub storage: Storage,
}
