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
    let wrong = |(offset, message): header::Wrong| file.malformed(offset, message);
    // The header is read, not mapped, because others may write the file meanwhile.
    let start = file.copy(0, file.len().min(header::BEFORE))?;
    let bytes = file.copy(0, file.len().min(header::extent(&start)))?;
    let header = header::read(&bytes, file.len()).map_err(|why| file.named(Wanted::Npy, wrong(why)))?;
    let stored = descr::stored(header.descr).map_err(|why| Error::DType(format!("{}: {why}", path.display())))?;
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
    Ok(Array { dtype, shape, storage })
}

/// Writes a tensor to a file, whole or not at all ([`atomic::write`]), byte for byte as `numpy.save` does.
///
/// # Errors
/// [`Error::File`] if it cannot be written; [`Error::Shape`] if the shape does not fit the bytes, or is one that
/// NumPy does not read; [`Error::DType`] for bfloat16, which the format does not have.
pub fn save(path: &Path, dtype: DType, shape: &[usize], bytes: &[u8]) -> Result<()> {
    let needed = header::elements(shape, dtype.size()).map_err(Error::Shape)? * dtype.size();
    if needed != bytes.len() {
        return Err(Error::Shape(format!("{shape:?} of {} needs {needed} bytes, not {}", dtype.name(), bytes.len())));
    }
    let shape: Vec<_> = shape.iter().map(|&n| n as u64).into_list();
    let header = header::write(dtype, &shape)?;
    atomic::write(path, |file| {
        file.write_all(&header)?;
        file.write_all(bytes)
    })
}
