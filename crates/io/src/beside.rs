//! A file without a name yet, in the folder where it may get one.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;
use tempfile::TempPath;

/// Writes up to this size are gathered; larger ones go to the system as they are.
const BUFFER: usize = 1 << 20;

/// A new file in a folder. Where the system has files without a name (Linux, on most file systems) it has none, so that it
/// goes even with a process that is killed; elsewhere it has a name of its own that goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Beside {
    file: BufWriter<File>,
    name: Option<TempPath>,
}

impl Beside {
    pub(crate) fn create(folder: &Path) -> io::Result<Self> {
        let with = |file, name| Self { file: BufWriter::with_capacity(BUFFER, file), name };
        if let Some(file) = unnamed(folder) {
            return Ok(with(file, None));
        }
        // Opened here: tempfile's own way makes private files, and wraps the system's error so that its number is lost.
        // This one becomes an ordinary file, which the user's umask limits.
        let open = |path: &Path| File::options().read(true).write(true).create_new(true).open(path);
        let (file, name) = names().make_in(folder, open)?.into_parts();
        Ok(with(file, Some(name)))
    }

    /// Writes over the first bytes and returns to the end.
    pub(crate) fn write_start(&mut self, bytes: &[u8]) -> io::Result<()> {
        let end = self.file.seek(SeekFrom::End(0))?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(bytes)?;
        self.file.seek(SeekFrom::Start(end)).map(drop)
    }

    /// Appends all of another file. From file to file, which some systems do without a copy.
    pub(crate) fn append(&mut self, mut other: Self) -> io::Result<()> {
        self.file.flush()?;
        other.file.flush()?;
        let (from, to) = (other.file.get_mut(), self.file.get_mut());
        from.rewind()?;
        io::copy(from, to).map(drop)
    }

    /// Syncs the file and gives it the name `path`, which is in `folder`.
    pub(crate) fn persist(self, folder: &Path, path: &Path) -> io::Result<()> {
        let Self { file, name } = self;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        let name = match name {
            Some(name) => name,
            // By way of a name of its own, as a link replaces nothing and a rename does.
            None => names().make_in(folder, |name| link(&file, name))?.into_temp_path(),
        };
        name.persist(path).map_err(|error| error.error)
    }
}

impl Write for Beside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn names() -> tempfile::Builder<'static, 'static> {
    let mut names = tempfile::Builder::new();
    names.prefix(".tokenbed-").suffix(".part");
    names
}

/// A file that no folder knows; nothing where the system, or the file system, has no such thing.
#[cfg(target_os = "linux")]
fn unnamed(folder: &Path) -> Option<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = rustix::fs::OFlags::TMPFILE.bits().cast_signed();
    let file = File::options().read(true).write(true).custom_flags(flags).open(folder).ok()?;
    // It gets a name by way of /proc, which not every sandbox has.
    std::fs::symlink_metadata(in_proc(&file)).is_ok().then_some(file)
}

#[cfg(not(target_os = "linux"))]
fn unnamed(_folder: &Path) -> Option<File> {
    None
}

#[cfg(target_os = "linux")]
fn link(file: &File, name: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};
    Ok(linkat(CWD, in_proc(file), CWD, name, AtFlags::SYMLINK_FOLLOW)?)
}

#[cfg(not(target_os = "linux"))]
fn link(_file: &File, _name: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(target_os = "linux")]
fn in_proc(file: &File) -> String {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", file.as_raw_fd())
}
