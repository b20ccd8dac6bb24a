//! NumPy's format: one array, a header in Python's notation, then the elements.
//!
//! Of our own: the crates that read it bring a parser generator and big numbers for a header of three entries, copy what
//! they read, and write no rows whose number is not known.

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
    /// Its element type.
    pub dtype: DType,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its elements: a part of the mapping, or memory of their own where there is none, or they had to be converted or
    /// aligned.
    pub storage: Storage,
}

/// The array of a file, versions 1.0 to 3.0 of the format. Elements in Fortran order, big endian, or of a type that a wider
/// one here holds are converted. Mapped or read; by its size where `map` leaves that open.
///
/// # Errors
/// [`Error::File`] where it cannot be opened; [`Error::Format`] where it is no npy file or not a whole one;
/// [`Error::DType`] for elements that no type here holds.
pub fn load(path: &Path, map: Option<bool>) -> Result<Array> {
    let file = Source::open(path, map)?;
    let wrong = |(offset, message): header::Wrong| file.malformed(offset, message);
    // Read, not mapped: others may write the file meanwhile.
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

/// Writes a tensor to a file, whole or not at all ([`atomic::write`]): byte for byte what `numpy.save` writes.
///
/// # Errors
/// [`Error::File`] where it cannot be written; [`Error::Shape`] where bytes and shape do not fit, and for a shape that NumPy
/// does not read; [`Error::DType`] for bfloat16, which the format does not have.
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
