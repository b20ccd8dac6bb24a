//! NumPy's format: one array, with a header in Python's notation, then the elements.
//!
//! This is our own code. The crates that read it bring a parser generator and big numbers for a header of three
//! entries, copy what they read, and cannot write rows whose number is not known in advance.

mod convert;
mod descr;
mod header;
mod literal;
pub(crate) mod rows;

use crate::atomic;
use crate::mapped::Source;
use crate::recognise::Wanted;
use std::io::Write;
use std::path::Path;
use tokenbed_core::storage::Storage;
use tokenbed_core::{DType, Error, Result};
use tokenbed_memory::Gather;

/// The array of a file.
#[derive(Debug)]
pub struct Array {
    /// The element type.
    pub dtype: DType,
    /// The shape.
    pub shape: Vec<usize>,
    /// The elements: a part of the mapping, or a copy if there is no mapping or they had to be converted or aligned.
    pub storage: Storage,
}

/// Loads the array of a file in version 1.0 to 3.0 of the format. Elements in Fortran order, in big endian, or of a
/// type that only a wider type here can hold are converted. If `map` is `None`, the size decides whether the file is
/// mapped or read.
///
/// # Errors
/// [`Error::File`] if it cannot be opened; [`Error::Format`] if it is not an npy file or is incomplete;
/// [`Error::DType`] for elements that no type here can hold.
pub fn load(path: &Path, map: Option<bool>) -> Result<Array> {
    let file = Source::open(path, map)?;
    let read = read(&file).map_err(|error| match error {
        // Another kind of file has another beginning.
        Error::Format { offset, .. } if offset < MAGIC_BYTES => file.named(Wanted::Npy, error),
        error => error,
    })?;
    read.map_err(|Strange { why, .. }| Error::DType(format!("{}: {why}", path.display())))
}

/// The errors at these places are those of another kind of file.
const MAGIC_BYTES: u64 = header::MAGIC.len() as u64;

/// The bytes of a file in this format, which may be a part of another.
pub(crate) trait Bytes {
    /// Number of bytes.
    fn len(&self) -> usize;

    /// The first bytes, which are read, not mapped, because others may write the file meanwhile.
    fn start(&self, len: usize) -> Result<Vec<u8>>;

    /// Fills `to` with bytes from `at` on, behind those that were read before.
    fn read(&self, at: usize, to: &mut [u8]) -> Result<()>;

    /// Bytes as the elements of a tensor; `None` if they lie outside.
    fn part(&self, at: usize, len: usize, dtype: DType) -> Result<Option<Storage>>;

    /// The error for something wrong at a place.
    fn malformed(&self, at: usize, message: String) -> Error;
}

impl Bytes for Source {
    fn len(&self) -> usize {
        Source::len(self)
    }

    fn start(&self, len: usize) -> Result<Vec<u8>> {
        self.copy(0, len)
    }

    fn read(&self, at: usize, to: &mut [u8]) -> Result<()> {
        Source::read(self, at, to)
    }

    fn part(&self, at: usize, len: usize, dtype: DType) -> Result<Option<Storage>> {
        Source::part(self, at, len, dtype)
    }

    fn malformed(&self, at: usize, message: String) -> Error {
        Source::malformed(self, at, message)
    }
}

/// An array whose elements no tensor here can hold.
#[derive(Debug)]
pub(crate) struct Strange {
    /// The message of an error.
    pub why: String,
    /// NumPy's name of the type, as the header writes it.
    pub descr: String,
    pub shape: Vec<usize>,
}

/// Reads an array.
pub(crate) fn read(file: &dyn Bytes) -> Result<std::result::Result<Array, Strange>> {
    let wrong = |(offset, message): header::Wrong| file.malformed(offset, message);
    let start = file.start(file.len().min(header::BEFORE))?;
    let bytes = file.start(file.len().min(header::extent(&start)))?;
    let header = header::read(&bytes, file.len()).map_err(wrong)?;
    let descr = header.descr.1;
    let stored = match descr::stored(header.descr) {
        Ok(stored) => stored,
        Err(why) => return Ok(Err(Strange { why, descr: descr::shown(descr), shape: header.shape })),
    };
    let elements = header::elements(&header.shape, stored.size).map_err(|why| wrong((header.shape_at, why)))?;
    let (needed, there) = (elements * stored.size, file.len() - header.data);
    if needed != there {
        let why = if needed > there { "cut short" } else { "some belong to no array" };
        let message = format!("the array needs {needed} bytes, the file has {there}: {why}");
        return Err(wrong((file.len(), message)));
    }
    let (dtype, shape) = (stored.dtype, header.shape);
    let storage = if stored.is_ours() && !header.fortran {
        let outside = || wrong((header.data, "the array lies outside the file".into()));
        file.part(header.data, needed, dtype)?.ok_or_else(outside)?
    } else {
        convert::convert(&|at, to| file.read(header.data + at, to), needed, stored, &shape, header.fortran)?
    };
    Ok(Ok(Array { dtype, shape, storage }))
}

/// Writes a tensor to a file, whole or not at all ([`atomic::write`]), byte for byte as `numpy.save` does.
///
/// # Errors
/// [`Error::File`] if it cannot be written; [`Error::Shape`] if the shape does not fit the bytes, or is one that
/// NumPy does not read; [`Error::DType`] for bfloat16, which the format does not have.
pub fn save(path: &Path, dtype: DType, shape: &[usize], bytes: &[u8]) -> Result<()> {
    let header = header_of(dtype, shape, bytes)?;
    atomic::write(path, |file| {
        file.write_all(&header)?;
        file.write_all(bytes)
    })
}

/// The header of a tensor of these bytes.
///
/// # Errors
/// As [`save`], but for the file.
pub(crate) fn header_of(dtype: DType, shape: &[usize], bytes: &[u8]) -> Result<Vec<u8>> {
    let needed = header::elements(shape, dtype.size()).map_err(Error::Shape)? * dtype.size();
    if needed != bytes.len() {
        return Err(Error::Shape(format!("{shape:?} of {} needs {needed} bytes, not {}", dtype.name(), bytes.len())));
    }
    let shape: Vec<_> = shape.iter().map(|&n| n as u64).into_list();
    header::write(dtype, &shape)
}
