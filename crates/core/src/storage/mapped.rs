//! Files mapped into memory: private, copy on write, so that writes stay in this process.

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

/// A whole file in memory. Pages are read when first touched; of a file that somebody cuts short meanwhile, what is lost
/// reads as zeros, and whoever touches it learns of that: see [`super::watched`].
#[derive(Debug)]
pub struct MappedFile {
    path: PathBuf,
    /// Before the mapping: dropped before it is.
    exposed: OnceLock<Exposed>,
    /// Where it is entered; nothing of an empty file.
    place: Option<&'static Place>,
    map: MmapMut,
    start: NonNull<u8>,
    _counted: Counted,
}

// SAFETY: the mapping is plain memory that moves with nobody; `MappedFile` itself never reads or writes it.
unsafe impl Send for MappedFile {}
// SAFETY: as above.
unsafe impl Sync for MappedFile {}

impl MappedFile {
    /// Opens a file and maps it whole.
    ///
    /// # Errors
    /// [`Error::File`] where it cannot be opened or mapped.
    pub fn open(path: &Path) -> Result<Arc<Self>> {
        let Regular { file, .. } = open::regular(path)?;
        Self::map(path, &file)
    }

    /// Maps a file whole that is open, and was so by this path.
    ///
    /// # Errors
    /// [`Error::File`] where it cannot be mapped.
    pub fn map(path: &Path, file: &File) -> Result<Arc<Self>> {
        // SAFETY: a private mapping, which is only handed out as an address: writes of others may or may not show, and what
        // is cut off reads as zeros once it is entered.
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

    /// The file's path, as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Others may write it: the file by writing, its pages that were touched by sharing them.
    pub(super) fn expose(&self) {
        if !self.map.is_empty() {
            self.exposed.get_or_init(|| Exposed::new(self.start.as_ptr(), self.map.len()));
        }
    }

    /// Where `len` bytes from `offset` on are, if the file has them.
    pub(super) fn at(&self, offset: usize, len: usize) -> Option<NonNull<u8>> {
        let end = offset.checked_add(len)?;
        // SAFETY: `offset` is within the mapping or at its end.
        (end <= self.map.len()).then(|| unsafe { self.start.add(offset) })
    }
}

impl Drop for MappedFile {
    fn drop(&mut self) {
        // While the mapping is still there.
        if let Some(place) = self.place {
            place.give_back();
        }
    }
}

/// Options of a private mapping. Of most files few pages are ever written: none are reserved, so that a file may be larger
/// than the memory of the machine.
fn private() -> MmapOptions {
    let mut options = MmapOptions::new();
    options.no_reserve_swap();
    options
}
