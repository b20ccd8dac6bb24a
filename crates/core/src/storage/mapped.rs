//! Files mapped into memory. The mapping is private and copy-on-write, so that writes stay in this process.

use super::exposed::Exposed;
use super::torn::Place;
use super::usage::Counted;
use crate::open::{self, Regular};
use crate::{Error, Result};
use memmap2::{MmapMut, MmapOptions};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::{Arc, OnceLock};

/// A whole file in memory. Pages are read when first touched. If somebody cuts the file short, the lost pages read as
/// zeros, and a call that touches them fails: see [`super::watched`].
#[derive(Debug)]
pub struct MappedFile {
    path: PathBuf,
    /// Stands before the mapping, so that it is dropped first.
    exposed: OnceLock<Exposed>,
    /// The mapping's entry in the list of mappings; `None` for an empty file.
    place: Option<&'static Place>,
    map: MmapMut,
    start: NonNull<u8>,
    _counted: Counted,
}

// SAFETY: the mapping is plain memory that may move between threads; `MappedFile` itself never reads or writes it.
unsafe impl Send for MappedFile {}
// SAFETY: as above.
unsafe impl Sync for MappedFile {}

impl MappedFile {
    /// Opens a file and maps all of it.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be opened or mapped.
    pub fn open(path: &Path) -> Result<Arc<Self>> {
        let Regular { file, .. } = open::regular(path)?;
        Self::map(path, &file)
    }

    /// Maps all of an open file, which was opened by this path.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be mapped.
    pub fn map(path: &Path, file: &File) -> Result<Arc<Self>> {
        // SAFETY: the mapping is private and only handed out as an address. Writes of others may or may not be seen,
        // and a part that is cut off reads as zeros once the mapping is entered.
        let mut map = unsafe { private().map_copy(file) }.map_err(|source| Error::File {
            path: path.to_path_buf(),
            action: "map",
            source,
        })?;
        let start = NonNull::from(&mut map[..]).cast::<u8>();
        let place = (!map.is_empty()).then(|| Place::take(start.as_ptr() as usize, map.len(), path));
        let counted = Counted::mapped(map.len());
        Ok(Arc::new(Self { path: path.to_path_buf(), exposed: OnceLock::new(), place, map, start, _counted: counted }))
    }

    /// The path of the file, as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Marks the mapping as writable by others: they may write the file, and share pages that were touched.
    pub(super) fn expose(&self) {
        if !self.map.is_empty() {
            self.exposed.get_or_init(|| Exposed::new(self.start.as_ptr(), self.map.len()));
        }
    }

    /// The address of `len` bytes at `offset`, if the file has them.
    pub(super) fn at(&self, offset: usize, len: usize) -> Option<NonNull<u8>> {
        let end = offset.checked_add(len)?;
        // SAFETY: `offset` is within the mapping or at its end.
        (end <= self.map.len()).then(|| unsafe { self.start.add(offset) })
    }
}

impl Drop for MappedFile {
    fn drop(&mut self) {
        // This happens while the mapping still exists.
        if let Some(place) = self.place {
            place.give_back();
        }
    }
}

/// Options of a private mapping. Few pages of most files are ever written, so no swap is reserved for them, and a
/// file may be larger than the machine's memory.
fn private() -> MmapOptions {
    let mut options = MmapOptions::new();
    options.no_reserve_swap();
    options
}
