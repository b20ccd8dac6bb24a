//! A file that has no name yet, in the folder where it may get one.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;
use tempfile::TempPath;
use tokenbed_core::storage::{intact, is_mapped};
use tokenbed_memory::{Slice, had};

/// Smaller writes are collected up to this size; larger ones go straight to the system.
const BUFFER: usize = 1 << 20;

/// A new file in a folder. Where the system has files without a name (Linux, on most file systems) it has none, so
/// that it disappears even if the process is killed. Elsewhere it has a temporary name, and is removed when this is
/// dropped.
#[derive(Debug)]
pub(crate) struct Beside {
    file: BufWriter<File>,
    name: Option<TempPath>,
}

impl Beside {
    pub(crate) fn create(folder: &Path) -> io::Result<Self> {
        match unnamed(folder) {
            Some(file) => Ok(Self::held(file, None)),
            None => Self::named(folder),
        }
    }

    /// Locks the file as long as it is written, so that [`remove_left`] knows that it is in use.
    fn held(file: File, name: Option<TempPath>) -> Self {
        #[cfg(unix)]
        if file.try_lock().is_err() {
            // The file system has no locks; then [`remove_left`] removes nothing, either.
        }
        Self { file: BufWriter::with_capacity(had(BUFFER), file), name }
    }

    fn named(folder: &Path) -> io::Result<Self> {
        // Opens the file here, because tempfile would make it private and wrap the system's error without its number.
        // This makes an ordinary file, subject to the user's umask.
        let open = |path: &Path| File::options().read(true).write(true).create_new(true).open(path);
        let (file, name) = names().make_in(folder, open)?.into_parts();
        Ok(Self::held(file, Some(name)))
    }

    /// Overwrites the first bytes and returns to the end.
    pub(crate) fn write_start(&mut self, bytes: &[u8]) -> io::Result<()> {
        let end = self.file.seek(SeekFrom::End(0))?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(bytes)?;
        self.file.seek(SeekFrom::Start(end)).map(drop)
    }

    /// Appends the content of another file. It is copied from file to file, which some systems do without reading it.
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
        // `file`, and its lock with it, is dropped after the last rename.
        let name = match name {
            Some(name) => name,
            // It first gets a temporary name, because a link cannot replace a file and a rename can.
            None => names().make_in(folder, |name| link(&file, name))?.into_temp_path(),
        };
        name.persist(path).map_err(|error| error.error)
    }
}

impl Write for Beside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !is_mapped(bytes) {
            return self.file.write(bytes);
        }
        // Bytes of a mapped file are copied first. If that file was cut short, the system would only report a bad
        // address, and nobody would learn which file it was. The copy finds out, and the call ends with an error that
        // names the file.
        let copy = bytes[..bytes.len().min(BUFFER / 2)].to_list();
        intact().map_err(io::Error::other)?;
        self.file.write(&copy)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

const PREFIX: &str = ".tokenbed-";
const SUFFIX: &str = ".part";

/// Removes from a folder the unfinished files of processes that were killed: files named `.tokenbed-*.part` that
/// nobody has locked. Where files have their names before they are locked, nobody may have written to them for a
/// minute. Files that cannot be inspected stay.
#[cfg(unix)]
pub(crate) fn remove_left(folder: &Path) {
    use std::os::unix::ffi::OsStrExt;
    let is_locked_first = std::cell::LazyCell::new(|| unnamed(folder).is_some());
    let is_ours = |name: &[u8]| name.starts_with(PREFIX.as_bytes()) && name.ends_with(SUFFIX.as_bytes());
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if !is_ours(entry.file_name().as_bytes())
            || !entry.metadata().is_ok_and(|found| found.is_file() && (*is_locked_first || is_old(&found)))
        {
            continue;
        }
        // The lock belongs to the file, not to its name: if the file was renamed meanwhile, no file of this name is
        // left to remove.
        let path = entry.path();
        let free = File::open(&path).is_ok_and(|file| file.try_lock().is_ok());
        if free && std::fs::remove_file(&path).is_err() {
            // Another process removed it first, or we may not.
        }
    }
}

#[cfg(unix)]
fn is_old(found: &std::fs::Metadata) -> bool {
    const OLD: std::time::Duration = std::time::Duration::from_secs(60);
    found.modified().is_ok_and(|time| time.elapsed().is_ok_and(|age| age > OLD))
}

#[cfg(not(unix))]
pub(crate) fn remove_left(_folder: &Path) {}

fn names() -> tempfile::Builder<'static, 'static> {
    let mut names = tempfile::Builder::new();
    names.prefix(PREFIX).suffix(SUFFIX);
    names
}

/// A file without a name; `None` if the system or the file system has no such files.
#[cfg(target_os = "linux")]
fn unnamed(folder: &Path) -> Option<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = rustix::fs::OFlags::TMPFILE.bits().cast_signed();
    let file = File::options().read(true).write(true).custom_flags(flags).open(folder).ok()?;
    // It gets its name through /proc, which some sandboxes lack.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn filled(mut file: Beside) -> Beside {
        file.write_all(b"....").unwrap();
        file.write_all(&vec![7; BUFFER + 1]).unwrap();
        file.write_start(b"head").unwrap();
        file.write_all(b"tail").unwrap();
        file
    }

    /// Files with and without a temporary name, whichever this system has, end up the same.
    #[test]
    fn named_and_unnamed_files_end_up_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let whole = [b"head", &vec![7; BUFFER + 1][..], b"tail"].concat();
        for create in [Beside::create, Beside::named] {
            let path = folder.join("file");
            drop(filled(create(folder).unwrap()));
            assert!(parts(folder).is_empty(), "dropped, it leaves nothing");
            let mut twice = filled(create(folder).unwrap());
            twice.append(filled(create(folder).unwrap())).unwrap();
            twice.write_all(b"end").unwrap();
            twice.persist(folder, &path).unwrap();
            assert!(std::fs::read(&path).unwrap() == [&whole[..], &whole, b"end"].concat());
            filled(create(folder).unwrap()).persist(folder, &path).unwrap();
            assert!(std::fs::read(&path).unwrap() == whole, "what was there is replaced");
            assert_eq!(parts(folder), ["file"]);
            assert!(filled(create(folder).unwrap()).persist(folder, &folder.join("missing/file")).is_err());
            assert_eq!(parts(folder), ["file"], "nor does a failure leave anything");
            std::fs::remove_file(path).unwrap();
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_files_of_killed_processes_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let make = |name: &str, seconds: u64| {
            let file = File::create(folder.join(name)).unwrap();
            file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(seconds)).unwrap();
            file
        };
        drop(make(".tokenbed-left.part", 90));
        drop(make(".tokenbed-new.part", 30));
        let removed = 1 + usize::from(unnamed(folder).is_some());
        drop(make(".tokenbed-other", 90));
        drop(make("x.part", 90));
        std::os::unix::fs::symlink(folder.join("x.part"), folder.join(".tokenbed-link.part")).unwrap();
        std::fs::create_dir(folder.join(".tokenbed-folder.part")).unwrap();
        let held = Beside::named(folder).unwrap();
        held.file.get_ref().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        let before = parts(folder).len();
        remove_left(folder);
        let mut left = parts(folder);
        left.sort();
        assert_eq!(left.len(), before - removed, "{left:?}");
        assert!(!left.contains(&".tokenbed-left.part".into()), "{left:?}");
        held.persist(folder, &folder.join("whole")).unwrap();
        assert!(folder.join("whole").exists());
        remove_left(&folder.join("missing"));
    }

    #[test]
    fn a_temporary_name_lasts_until_the_file_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let file = Beside::named(folder.path()).unwrap();
        let [name] = &parts(folder.path())[..] else { panic!("one name") };
        assert!(name.starts_with(".tokenbed-") && name.ends_with(".part"), "{name}");
        drop(file);
        assert!(parts(folder.path()).is_empty());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_has_files_without_a_name() {
        let folder = tempfile::tempdir().unwrap();
        // If this file system has no such files, there is nothing to test.
        if let Some(_file) = unnamed(folder.path()) {
            assert!(parts(folder.path()).is_empty());
        }
    }
}
