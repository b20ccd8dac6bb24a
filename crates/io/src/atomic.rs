//! Files that appear whole or not at all: written beside, synced, renamed.

use crate::beside::{Beside, remove_left};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tokenbed_core::{Error, Result};

/// Lets `write` fill a new file that then takes the name `path`, replacing what was there. Whatever fails, `path` is what
/// it was before and nothing else is left behind. Mappings of a file that is replaced so stay whole.
///
/// # Errors
/// [`Error::File`] with the system's error.
pub fn write(path: &Path, write: impl FnOnce(&mut Pending) -> io::Result<()>) -> Result<()> {
    let mut pending = Pending::create(path)?;
    write(&mut pending).map_err(|source| failed(path, source))?;
    pending.commit()
}

/// Removes, from the folder of `path`, what processes left that were killed in the middle of a write there: files without
/// an owner, which nobody knows. For those who write to one place again and again.
pub fn tidy(path: &Path) {
    remove_left(folder(path));
}

pub(crate) fn failed(path: &Path, source: io::Error) -> Error {
    Error::File { path: path.to_path_buf(), action: "write", source }
}

/// A file that is being written and takes its name at [`Pending::commit`]. Dropped before, it leaves nothing.
#[derive(Debug)]
pub struct Pending {
    path: PathBuf,
    file: Beside,
}

impl Pending {
    /// Opens a file beside `path`, and finds out what can be found out before there is work to lose.
    ///
    /// # Errors
    /// [`Error::File`] where the folder is not there or takes no new file, or where `path` is something that a file must
    /// not replace: a folder, a device, a pipe.
    pub fn create(path: &Path) -> Result<Self> {
        replaceable(path)
            .and_then(|()| Beside::create(folder(path)))
            .map(|file| Self { path: path.to_path_buf(), file })
            .map_err(|source| failed(path, source))
    }

    /// Syncs the file and gives it its name.
    ///
    /// # Errors
    /// [`Error::File`] with the system's error; nothing is left behind then.
    pub fn commit(self) -> Result<()> {
        let Self { path, file } = self;
        file.persist(folder(&path), &path).map_err(|source| failed(&path, source))?;
        // The rename itself is durable once the folder is. The file has its name by now: a folder that cannot be opened
        // or synced is no failure any more.
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

    /// Writes over the first bytes, which were written before; what is written next comes at the end as ever.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn write_start(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_start(bytes)
    }

    /// Appends all that was written to another file.
    ///
    /// # Errors
    /// The system's.
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

/// The folder that a path lies in.
pub(crate) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Whether a rename onto `path` takes nothing away but a file. A link is replaced, and what it points at stays; but
/// `/dev/stdout` is a link too, so what counts is where it ends.
fn replaceable(path: &Path) -> io::Result<()> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            // The system's own error, with its number: no folder can be opened to be written.
            let refused = File::options().write(true).open(path).err();
            Err(refused.unwrap_or_else(|| io::ErrorKind::IsADirectory.into()))
        }
        Ok(found) if !found.is_file() => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
        _ => Ok(()),
    }
}
