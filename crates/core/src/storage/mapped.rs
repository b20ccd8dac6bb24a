//! Files mapped into memory: private, copy on write, so that writes stay in this process.

use super::usage::Counted;
use crate::{Error, Result};
use memmap2::{MmapMut, MmapOptions};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::Arc;

/// A whole file in memory. Pages are read when first touched; a file that somebody else cuts short meanwhile ends the
/// process when a lost page is touched, as for every mapping: replace files by renaming, as this package's writers do.
#[derive(Debug)]
pub struct MappedFile {
    path: PathBuf,
    map: MmapMut,
    start: NonNull<u8>,
    _counted: Counted,
}

// SAFETY: the mapping is plain memory that moves with nobody; `MappedFile` reads it only in `bytes`, whose caller
// promises that nobody writes meanwhile.
unsafe impl Send for MappedFile {}
// SAFETY: as above.
unsafe impl Sync for MappedFile {}

impl MappedFile {
    /// Maps a file whole.
    ///
    /// # Errors
    /// [`Error::File`] where it cannot be opened or mapped.
    pub fn open(path: &Path) -> Result<Arc<Self>> {
        let failed = |action| move |source| Error::File { path: path.to_path_buf(), action, source };
        // Asked before it is opened: opening a pipe would wait for its writer.
        let kind = std::fs::metadata(path).map_err(failed("open"))?.file_type();
        if kind.is_dir() {
            return Err(failed("read")(io::ErrorKind::IsADirectory.into()));
        }
        if !kind.is_file() {
            return Err(failed("map")(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")));
        }
        let file = File::open(path).map_err(failed("open"))?;
        // SAFETY: a private mapping: writes of others may or may not show, and a file cut short is the documented hazard
        // of every mapping; the header that is parsed out of it is checked in full.
        let mut map = unsafe { private().map_copy(&file) }.map_err(failed("map"))?;
        let start = NonNull::from(&mut map[..]).cast();
        let counted = Counted::mapped(map.len());
        Ok(Arc::new(Self { path: path.to_path_buf(), map, start, _counted: counted }))
    }

    /// The file's path, as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's bytes, for the reader of its header: before any storage of it is handed out.
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// Where `len` bytes from `offset` on are, if the file has them.
    pub(super) fn at(&self, offset: usize, len: usize) -> Option<NonNull<u8>> {
        let end = offset.checked_add(len)?;
        // SAFETY: `offset` is within the mapping or at its end.
        (end <= self.map.len()).then(|| unsafe { self.start.add(offset) })
    }
}

/// Options of a private mapping. Of most files few pages are ever written: none are reserved, so that a file may be larger
/// than the memory of the machine.
fn private() -> MmapOptions {
    let mut options = MmapOptions::new();
    options.no_reserve_swap();
    options
}
