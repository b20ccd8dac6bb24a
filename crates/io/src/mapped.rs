//! Files of tensors: the header is read, the elements are mapped or read.

use crate::recognise::{LOOK, Wanted, recognise};
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokenbed_core::open::regular;
use tokenbed_core::storage::{MappedFile, Part, Storage};
use tokenbed_core::{DType, Error, Result};
use tokenbed_memory::List;

/// By default, files from this size on are mapped, and smaller ones are read.
///
/// Measured on two cores with the file in the system's cache, load and dispose: a mapping takes 0.05 ms for any size;
/// reading takes 0.05 ms for 4 KiB, 0.12 ms for 64 KiB, 1 ms for 1 MiB and 30 ms for 64 MiB. When all elements are
/// summed too, mapping and reading take 0.09 and 0.07 ms for 4 KiB, 0.1 and 0.09 ms for 64 KiB, 0.3 and 1.6 ms for 1
/// MiB. So reading costs a millisecond at most up to this size, and the loaded tensors no longer depend on the file.
const MAP_FROM: u64 = 1 << 20;

/// Where the bytes of a file are read from.
#[derive(Debug)]
enum Bytes {
    /// The open file.
    File(File),
    /// All of them, mapped or in memory.
    Held(Arc<Storage>),
}

/// An open file of tensors.
#[derive(Debug)]
pub(crate) struct Source {
    path: PathBuf,
    bytes: Bytes,
    len: usize,
    map: Option<Arc<MappedFile>>,
}

impl Source {
    /// Opens a file that will be mapped or read. If `map` is `None`, the size decides.
    pub(crate) fn open(path: &Path, map: Option<bool>) -> Result<Self> {
        let opened = regular(path)?;
        let is_mapped = map.unwrap_or(opened.len >= MAP_FROM);
        let map = if is_mapped { Some(MappedFile::map(path, &opened.file)?) } else { None };
        let len = usize::try_from(opened.len).map_err(|_| failed(path, ErrorKind::FileTooLarge.into()))?;
        Ok(Self { path: path.to_path_buf(), bytes: Bytes::File(opened.file), len, map })
    }

    /// The same bytes without an open file, for somebody who keeps them: from the mapping, or in memory if there is
    /// none.
    pub(crate) fn held(mut self) -> Result<Self> {
        self.bytes = Bytes::Held(Arc::new(self.all()?));
        Ok(self)
    }

    /// All bytes: from the mapping, or in memory if there is none.
    pub(crate) fn bytes(&self) -> Result<Part> {
        let all = Arc::new(self.all()?);
        Part::new(&all, 0, self.len).ok_or_else(|| failed(&self.path, ErrorKind::UnexpectedEof.into()))
    }

    fn all(&self) -> Result<Storage> {
        match self.map.as_ref().and_then(|map| Storage::of_file(map, 0, self.len)) {
            Some(all) => Ok(all),
            None => Storage::filled(self.len, |new| self.read(0, new)),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Number of bytes that the file had when it was opened.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Fills `to` with bytes from `start` on.
    pub(crate) fn read(&self, start: usize, to: &mut [u8]) -> Result<()> {
        let mut file = match &self.bytes {
            Bytes::File(file) => file,
            Bytes::Held(all) => {
                let part = Part::new(all, start, to.len());
                let Some(bytes) = part.as_ref().and_then(Part::elements::<u8>) else {
                    return Err(failed(&self.path, ErrorKind::UnexpectedEof.into()));
                };
                to.copy_from_slice(bytes);
                return Ok(());
            }
        };
        file.seek(SeekFrom::Start(start as u64)).and_then(|_| file.read_exact(to)).map_err(|error| {
            let is_cut = error.kind() == ErrorKind::UnexpectedEof;
            failed(&self.path, if is_cut { std::io::Error::other("it was cut short while it was read") } else { error })
        })
    }

    /// A copy of `len` bytes from `start` on, which the file had when it was opened.
    pub(crate) fn copy(&self, start: usize, len: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len).map_err(|error| Error::Memory { bytes: len, reason: error.to_string() })?;
        bytes.fill_to(len, 0);
        self.read(start, &mut bytes)?;
        Ok(bytes)
    }

    /// `len` bytes from `start` on: a part of the mapping, or a copy if there is no mapping or it does not align the
    /// elements. `None` if the file is shorter.
    pub(crate) fn part(&self, start: usize, len: usize, dtype: DType) -> Result<Option<Storage>> {
        if start.checked_add(len).is_none_or(|end| end > self.len) {
            return Ok(None);
        }
        let mapped = self.map.as_ref().and_then(|map| Storage::of_file(map, start, len));
        if let Some(mapped) = mapped.filter(|mapped| (mapped.as_ptr() as usize).is_multiple_of(dtype.size())) {
            return Ok(Some(mapped));
        }
        Storage::filled(len, |new| self.read(start, new)).map(Some)
    }

    /// The error to report: what the file is instead of what was wanted, if that is recognised, else `error`.
    #[cold]
    pub(crate) fn named(&self, wanted: Wanted, error: Error) -> Error {
        if !matches!(error, Error::Format { .. }) {
            return error;
        }
        let start = self.copy(0, self.len.min(LOOK)).unwrap_or_default();
        recognise(&start, wanted).map_or(error, |found| self.malformed(0, found.instead_of(wanted)))
    }

    #[cold]
    pub(crate) fn malformed(&self, offset: usize, message: String) -> Error {
        Error::Format { path: self.path.clone(), offset: offset as u64, message }
    }
}

fn failed(path: &Path, source: std::io::Error) -> Error {
    Error::File { path: path.to_path_buf(), action: "read", source }
}
