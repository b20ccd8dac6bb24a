//! Files that appear whole or not at all: written beside the path, synced, then renamed.

use crate::beside::{Beside, remove_left};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tokenbed_core::{Error, Result};

/// Lets `write` fill a new file, which then takes the name `path` and replaces the file that was there. If anything
/// fails, `path` is unchanged and nothing else is left behind. Mappings of a replaced file stay whole.
///
/// # Errors
/// [`Error::File`] with the system's error.
pub fn write(path: &Path, write: impl FnOnce(&mut Pending) -> io::Result<()>) -> Result<()> {
    let mut pending = Pending::create(path)?;
    write(&mut pending).map_err(|source| failed(path, source))?;
    pending.commit()
}

/// Removes, from the folder of `path`, the unfinished files of processes that were killed while they wrote there. It
/// is for code that writes to one place again and again.
pub fn tidy(path: &Path) {
    remove_left(folder(path));
}

/// [`tidy`], of a folder.
pub fn tidy_folder(folder: &Path) {
    remove_left(folder);
}

pub(crate) fn failed(path: &Path, source: io::Error) -> Error {
    Error::File { path: path.to_path_buf(), action: "write", source }
}

/// A file that is being written and takes its name at [`Pending::commit`]. If it is dropped before, it leaves nothing
/// behind.
#[derive(Debug)]
pub struct Pending {
    path: PathBuf,
    file: Beside,
}

impl Pending {
    /// Opens a file beside `path`, and checks what can be checked before there is work to lose.
    ///
    /// # Errors
    /// [`Error::File`] if the folder is missing or takes no new file, or if `path` is something that a file must not
    /// replace: a folder, a device, a pipe.
    pub fn create(path: &Path) -> Result<Self> {
        replaceable(path)
            .and_then(|()| Beside::create(folder(path)))
            .map(|file| Self { path: path.to_path_buf(), file })
            .map_err(|source| failed(path, source))
    }

    /// Syncs the file and gives it its name.
    ///
    /// # Errors
    /// [`Error::File`] with the system's error; then nothing is left behind.
    pub fn commit(self) -> Result<()> {
        let Self { path, file } = self;
        file.persist(folder(&path), &path).map_err(|source| failed(&path, source))?;
        // Syncing the folder makes the rename durable. The file has its name by now, so it is not an error if the
        // folder cannot be opened or synced.
        #[cfg(unix)]
        drop(File::open(folder(&path)).and_then(|folder| folder.sync_all()));
        Ok(())
    }

    /// [`Pending::commit`] under another name in the same folder, which was not known when the file was begun.
    ///
    /// # Errors
    /// [`Error::File`] with the system's error; nothing is left behind then.
    pub(crate) fn commit_as(mut self, path: PathBuf) -> Result<()> {
        self.path = path;
        self.commit()
    }

    /// Overwrites the first bytes, which were written before. Later writes still append.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn write_start(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_start(bytes)
    }

    /// Appends the content of another file.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn append(&mut self, other: Beside) -> io::Result<()> {
        self.file.append(other)
    }
}

impl Write for Pending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The folder of a path.
pub(crate) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Checks that a rename onto `path` replaces nothing but a file. A link is replaced, and its target stays. But
/// `/dev/stdout` is a link too, so the target decides.
fn replaceable(path: &Path) -> io::Result<()> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            // Returns the system's own error, with its number: a folder cannot be opened for writing.
            let refused = File::options().write(true).open(path).err();
            Err(refused.unwrap_or_else(|| io::ErrorKind::IsADirectory.into()))
        }
        Ok(found) if !found.is_file() => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
        _ => Ok(()),
    }
}
