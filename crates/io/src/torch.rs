//! Files of PyTorch: a zip of a pickle, which says which tensors there are, and an entry of elements for each storage.
//!
//! The pickle is read by a machine of our own that cannot run anything ([`crate::pickle`]). Storages lie in the archive
//! as they are, so that tensors are parts of the mapped file.

mod elements;
mod names;

use crate::mapped::Source;
use crate::pickle;
use crate::recognise::Wanted;
use crate::safetensors::Loaded;
use crate::zip::{Archive, Entry, Growth, Wrong};
use elements::Elements;
use names::Named;
use std::collections::HashMap;
use std::path::Path;
use tokenbed_core::storage::Storage;
use tokenbed_core::{DType, Error, Result};
use tokenbed_memory::{Gather, List, Map, joined, owned};

/// The name of the pickle, behind the folder that all names of the archive begin with.
const PICKLE: &str = "data.pkl";

/// An open file whose pickle was read. All that it gives comes from this one file, even if another takes its name
/// meanwhile.
#[derive(Debug)]
pub struct Opened {
    elements: Elements,
    tensors: Vec<Named>,
}

/// The pickle's account of a tensor.
#[derive(Debug)]
pub struct Stored<'a> {
    /// Its name: the keys that lead to it, joined by dots.
    pub name: &'a str,
    /// PyTorch's name of the element type.
    pub stored: &'static str,
    /// The element type of a tensor here, if there is one.
    pub dtype: Option<DType>,
    /// The shape.
    pub shape: &'a [usize],
    /// Size of the elements in bytes, as they are stored.
    pub bytes: usize,
}

/// The tensors of a file, and which of them share their elements.
#[derive(Debug)]
pub struct Tensors {
    /// All tensors that differ in their elements, in the order of the pickle.
    pub parts: Vec<Part>,
    /// Every tensor: its name, its shape and the index of its part.
    pub names: Vec<(String, Vec<usize>, usize)>,
}

/// Elements that one or more tensors have.
#[derive(Debug)]
pub struct Part {
    /// The element type.
    pub dtype: DType,
    /// The elements: a part of the mapping, or a copy.
    pub storage: Storage,
}

/// Opens a file that will be mapped or read. If `map` is `None`, the size decides.
///
/// # Errors
/// [`Error::File`] if it cannot be opened; [`Error::Format`] if it is no zip of PyTorch, if its directory lies, and if
/// its pickle asks for anything but tensors: the message says for what, and the offset where.
pub fn open(path: &Path, map: Option<bool>) -> Result<Opened> {
    let file = Source::open(path, map)?;
    let archive = Archive::read(&file).map_err(|error| file.named(Wanted::Torch, error))?;
    let Some((entry, folder)) = find_pickle(&archive) else {
        let error = file.malformed(0, "a zip archive without a data.pkl is no file of PyTorch".into());
        return Err(file.named(Wanted::Torch, error));
    };
    check_order(&file, &archive, folder)?;
    let growth = Growth::of(&file, crate::text::MAX_RATIO);
    let start = entry.start(&file)?;
    let pickle = entry.bytes(&file, &growth)?;
    // In a compressed pickle no byte has a place in the file but its start.
    let place = |at: usize| if entry.deflated { start } else { start + at };
    let wrong = |(at, why): Wrong| file.malformed(place(at), why);
    let (values, root) = pickle::run(&pickle).map_err(wrong)?;
    let mut entries = HashMap::new();
    for (index, entry) in archive.entries.iter().enumerate() {
        Map::put(&mut entries, entry.name.as_str(), index);
    }
    let find = |key: &str| entries.get(joined(&[folder, "data/", key]).as_str()).copied();
    let tensors = names::tensors(&values, root, pickle.len(), &find).map_err(|why| wrong((pickle.len(), why)))?;
    for Named { name, entry, element, len, .. } in &tensors {
        let entry = &archive.entries[*entry];
        if len.checked_mul(element.size).is_none_or(|bytes| bytes > entry.size) {
            let message = format!(
                "tensor \"{name}\" is of a storage of {len} elements of {}, and {:?} has {} bytes",
                element.name, entry.name, entry.size
            );
            return Err(file.malformed(entry.at, message));
        }
    }
    Ok(Opened { elements: Elements::new(file, archive, growth), tensors })
}

/// The pickle, and the folder that it lies in, with a slash.
fn find_pickle(archive: &Archive) -> Option<(&Entry, &str)> {
    archive.entries.iter().find_map(|entry| {
        let folder = entry.name.strip_suffix(PICKLE)?;
        // The folder is the name of the archive, and lies in no other.
        (folder.is_empty() || folder.find('/') == Some(folder.len() - 1)).then_some((entry, folder))
    })
}

/// Checks that elements are little endian, which files before PyTorch 2.1 do not say.
fn check_order(file: &Source, archive: &Archive, folder: &str) -> Result<()> {
    let Some(entry) = archive.find(&joined(&[folder, "byteorder"])) else { return Ok(()) };
    let order = entry.bytes(file, &Growth::of(file, crate::text::MAX_RATIO))?;
    if order == b"little" {
        return Ok(());
    }
    Err(file.malformed(entry.at, "its elements are not little endian: save it again on a machine that is".into()))
}

impl Opened {
    /// The pickle's entry for each tensor, in its order, with any element type.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = Stored<'_>> {
        self.tensors.iter().map(|named| Stored {
            name: &named.name,
            stored: named.element.name,
            dtype: named.element.dtype,
            shape: &named.shape,
            bytes: named.elements() * named.element.size,
        })
    }

    /// The tensor of an index among [`Opened::entries`].
    ///
    /// # Errors
    /// [`Error::DType`] for an element type that tensors here do not have; [`Error::Format`] for a tensor that repeats
    /// its elements, and for compressed elements that are damaged; [`Error::File`] if the file cannot be read.
    pub fn tensor(&self, index: usize) -> Result<Loaded> {
        let Some(named) = self.tensors.get(index) else {
            return Err(Error::Usage(format!("no tensor {index}")));
        };
        let Some(dtype) = named.element.dtype else {
            return Err(Error::DType(format!(
                "{}: tensor \"{}\" has elements of type {}, which is not supported",
                self.elements.path().display(),
                named.name,
                named.element.name
            )));
        };
        let storage = self.elements.of(named, dtype)?;
        Ok(Loaded { name: owned(&named.name), dtype, shape: named.shape.iter().copied().into_list(), storage })
    }

    /// The tensors, without those of an element type that tensors here do not have. Those that have the same elements,
    /// such as tied weights, share them.
    ///
    /// # Errors
    /// As [`Opened::tensor`], and [`Error::Format`] if tensors that overlap would take many times the file's memory.
    pub fn readable(self) -> Result<Tensors> {
        let Self { elements, tensors } = self;
        let mut all = Tensors { parts: Vec::new(), names: Vec::new() };
        let mut known = HashMap::new();
        let mut copied = 0usize;
        for named in tensors {
            let Some(dtype) = named.element.dtype else { continue };
            let place = named.place();
            let part = match place.and_then(|place| known.get(&place).copied()) {
                Some(part) => part,
                None => {
                    let storage = elements.of(&named, dtype)?;
                    if !storage.is_mapped() {
                        copied = copied.saturating_add(storage.len());
                        elements.check_copied(copied, &named.name)?;
                    }
                    all.parts.put(Part { dtype, storage });
                    all.parts.len() - 1
                }
            };
            if let Some(place) = place {
                Map::put(&mut known, place, part);
            }
            all.names.put((named.name, named.shape, part));
        }
        Ok(all)
    }
}
