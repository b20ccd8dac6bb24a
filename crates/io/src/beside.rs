//! A file without a name yet, in the folder where it may get one.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;
use tempfile::TempPath;
use tokenbed_core::storage::{intact, is_mapped};
use tokenbed_memory::{Slice, had};

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
        match unnamed(folder) {
            Some(file) => Ok(Self::held(file, None)),
            None => Self::named(folder),
        }
    }

    /// Locked as long as it is written: who finds it by then knows that it is somebody's ([`remove_left`]).
    fn held(file: File, name: Option<TempPath>) -> Self {
        #[cfg(unix)]
        if file.try_lock().is_err() {
            // A file system without locks: nothing is removed there, either.
        }
        Self { file: BufWriter::with_capacity(had(BUFFER), file), name }
    }

    fn named(folder: &Path) -> io::Result<Self> {
        // Opened here: tempfile's own way makes private files, and wraps the system's error so that its number is lost.
        // This one becomes an ordinary file, which the user's umask limits.
        let open = |path: &Path| File::options().read(true).write(true).create_new(true).open(path);
        let (file, name) = names().make_in(folder, open)?.into_parts();
        Ok(Self::held(file, Some(name)))
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
        // `file`, and its lock with it, goes after the last rename.
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
        if !is_mapped(bytes) {
            return self.file.write(bytes);
        }
        // By way of a copy: of a file that was cut short the system would say that the address is bad, and nobody would
        // learn which file it is. So the copying finds out, and the call ends with that.
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

/// Removes what processes left in a folder that were killed before their files got the names they were for: files called
/// `.tokenbed-*.part` that nobody holds and nobody wrote to for a minute. What cannot be looked at stays.
#[cfg(unix)]
pub(crate) fn remove_left(folder: &Path) {
    use std::os::unix::ffi::OsStrExt;
    let is_ours = |name: &[u8]| name.starts_with(PREFIX.as_bytes()) && name.ends_with(SUFFIX.as_bytes());
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if !is_ours(entry.file_name().as_bytes())
            || !entry.metadata().is_ok_and(|found| found.is_file() && is_old(&found))
        {
            continue;
        }
        // The lock is of the file, not of its name: were it renamed meanwhile, there is nothing of this name to remove.
        let path = entry.path();
        let free = File::open(&path).is_ok_and(|file| file.try_lock().is_ok());
        if free && std::fs::remove_file(&path).is_err() {
            // Somebody else was faster, or may and we may not.
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

    /// With a name of its own or without, whatever this system has: both are the same file in the end.
    #[test]
    fn named_and_unnamed() {
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
    fn what_a_killed_process_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let make = |name: &str, seconds: u64| {
            let file = File::create(folder.join(name)).unwrap();
            file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(seconds)).unwrap();
            file
        };
        drop(make(".tokenbed-left.part", 90));
        drop(make(".tokenbed-new.part", 30));
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
        assert_eq!(left.len(), before - 1, "{left:?}");
        assert!(!left.contains(&".tokenbed-left.part".into()), "{left:?}");
        held.persist(folder, &folder.join("whole")).unwrap();
        assert!(folder.join("whole").exists());
        remove_left(&folder.join("missing"));
    }

    #[test]
    fn a_file_with_a_name_has_it_until_it_goes() {
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
        // On most file systems: where this one has none, there is nothing to see.
        if let Some(_file) = unnamed(folder.path()) {
            assert!(parts(folder.path()).is_empty());
        }
    }
}
