//! NumPy's archives: a zip of npy files, each of which has the name of its array.

use crate::atomic;
use crate::mapped::Source;
use crate::npy::{self, Array, Bytes, Strange};
use crate::recognise::Wanted;
use crate::safetensors::{Loaded, ToSave};
use crate::zip::{Archive, Entry, Growth, Inflated, ZipWriter};
use std::collections::HashSet;
use std::path::Path;
use tokenbed_core::storage::Storage;
use tokenbed_core::{DType, Error, Result};
use tokenbed_memory::{Gather, List, Set, joined, owned};

/// The ending of an array's entry, which its name does not have.
const ENDING: &str = ".npy";

/// The arrays of an archive.
#[derive(Debug)]
pub struct Arrays {
    /// Those that tensors here can hold, in the order of the archive.
    pub tensors: Vec<Loaded>,
    /// The others.
    pub skipped: Vec<Skipped>,
}

/// An array whose elements no tensor here can hold: texts, complex numbers, objects of Python.
#[derive(Debug)]
pub struct Skipped {
    /// Its name.
    pub name: String,
    /// NumPy's name of the type, as the array's header writes it.
    pub stored: String,
    /// The shape.
    pub shape: Vec<usize>,
    /// Number of bytes of its entry.
    pub bytes: usize,
}

/// Loads the arrays of an archive. If `map` is `None`, the size decides whether the file is mapped or read; entries
/// that are stored as they are and lie where their elements are aligned are parts of the mapping. Compressed entries
/// may become `ratio` times the file's size, beyond what every file may. No pickle is ever read.
///
/// # Errors
/// [`Error::File`] if it cannot be opened; [`Error::Format`] if it is no zip archive, if its directory lies, or if an
/// entry is not an array.
pub fn load(path: &Path, map: Option<bool>, ratio: u64) -> Result<Arrays> {
    let file = Source::open(path, map)?;
    let archive = Archive::read(&file).map_err(|error| file.named(Wanted::Npz, error))?;
    let growth = Growth::of(&file, ratio);
    let mut arrays = Arrays { tensors: Vec::new(), skipped: Vec::new() };
    let mut names = HashSet::new();
    for entry in &archive.entries {
        let name = entry.name.strip_suffix(ENDING).unwrap_or(&entry.name);
        if !Set::put(&mut names, name) {
            return Err(file.malformed(entry.at, format!("two arrays of the archive are called {name:?}")));
        }
        match array(&file, entry, &growth) {
            Ok(Ok(Array { dtype, shape, storage })) => {
                arrays.tensors.put(Loaded { name: owned(name), dtype, shape, storage });
            }
            Ok(Err(Strange { descr, shape, .. })) => {
                arrays.skipped.put(Skipped { name: owned(name), stored: descr, shape, bytes: entry.size });
            }
            // An archive of something else says so by its first entry.
            Err(error) if entry.at == 0 && !entry.name.ends_with(ENDING) => {
                return Err(file.named(Wanted::Npz, error));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(arrays)
}

fn array(file: &Source, entry: &Entry, growth: &Growth) -> Result<std::result::Result<Array, Strange>> {
    let start = entry.start(file)?;
    if !entry.deflated {
        return npy::read(&Window { file, entry, start });
    }
    growth.take(file, entry)?;
    let inflated = Inflated::new(file, entry, start);
    let array = npy::read(&inflated)?;
    // The rest of an array that nobody can hold is not worth the time.
    if array.is_ok() {
        inflated.end()?;
    }
    Ok(array)
}

/// An entry that is stored as it is.
struct Window<'a> {
    file: &'a Source,
    entry: &'a Entry,
    start: usize,
}

impl Bytes for Window<'_> {
    fn len(&self) -> usize {
        self.entry.size
    }

    fn start(&self, len: usize) -> Result<Vec<u8>> {
        self.file.copy(self.start, len)
    }

    fn read(&self, at: usize, to: &mut [u8]) -> Result<()> {
        self.file.read(self.start + at, to)
    }

    fn part(&self, at: usize, len: usize, dtype: DType) -> Result<Option<Storage>> {
        self.file.part(self.start + at, len, dtype)
    }

    fn malformed(&self, at: usize, message: String) -> Error {
        self.file.malformed(self.start + at, format!("{:?}: {message}", self.entry.name))
    }
}

impl Bytes for Inflated<'_> {
    fn len(&self) -> usize {
        self.size()
    }

    fn start(&self, len: usize) -> Result<Vec<u8>> {
        self.copy(len)
    }

    fn read(&self, at: usize, to: &mut [u8]) -> Result<()> {
        Inflated::read(self, at, to)
    }

    fn part(&self, at: usize, len: usize, _: DType) -> Result<Option<Storage>> {
        Storage::filled(len, |new| Inflated::read(self, at, new)).map(Some)
    }

    fn malformed(&self, _: usize, message: String) -> Error {
        Inflated::malformed(self, &message)
    }
}

/// Writes tensors to an archive, whole or not at all ([`atomic::write`]), byte for byte as `numpy.savez` does.
///
/// # Errors
/// [`Error::File`] if it cannot be written; [`Error::Shape`] and [`Error::DType`] as of [`npy::save`];
/// [`Error::Usage`] for names that an archive does not hold.
pub fn save(path: &Path, tensors: &[ToSave<'_>]) -> Result<()> {
    let mut names = HashSet::new();
    let entry = |ToSave { name, dtype, shape, bytes }: &ToSave<'_>| {
        let full = joined(&[name, ENDING]);
        if full.len() > usize::from(u16::MAX) {
            return Err(Error::Usage(format!("a name of {} bytes, and an archive's have 65,535 at most", full.len())));
        }
        if !Set::put(&mut names, owned(&full)) {
            return Err(Error::Usage(format!("two tensors are called \"{name}\"")));
        }
        Ok((full, npy::header_of(*dtype, shape, bytes)?))
    };
    let entries: Vec<_> = tensors.iter().map(entry).try_into_list()?;
    atomic::write(path, |file| {
        let mut archive = ZipWriter::new(file);
        for ((name, header), tensor) in entries.iter().zip(tensors) {
            archive.put(name, &[header, tensor.bytes])?;
        }
        archive.end()
    })
}
