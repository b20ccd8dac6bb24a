//! A lock by which the writers of a folder take turns.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};
use tokenbed_core::{Error, Result};

/// A lock on a folder, held as long as this or its process lives. It keeps out everybody who asks for the lock; the
/// system releases it when the process ends.
#[derive(Debug)]
pub struct FolderLock {
    /// `None` if the file system has no locks.
    _held: Option<File>,
}

/// Time between two attempts.
const PAUSE: Duration = Duration::from_millis(5);

impl FolderLock {
    /// Waits for the folder, at most for `most`. If the file system has no locks, this does not wait, and its users
    /// must see to it that only one process writes at a time.
    ///
    /// # Errors
    /// [`Error::File`] if others held it all the time. It names the process, if the system tells.
    pub fn take(folder: &Path, most: Duration) -> Result<Self> {
        let end = Instant::now() + most;
        for open in [the_folder, a_file_in_it] {
            let Ok(file) = open(folder) else { continue };
            match wait(&file, end) {
                Ok(true) => return Ok(Self { _held: Some(file) }),
                Ok(false) => return Err(taken(folder, &file, most)),
                // This cannot be locked here; the other may.
                Err(_) => {}
            }
        }
        Ok(Self { _held: None })
    }
}

/// Whether it could be locked in time.
fn wait(file: &File, end: Instant) -> io::Result<bool> {
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if Instant::now() >= end => return Ok(false),
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
        }
    }
}

#[cold]
fn taken(folder: &Path, file: &File, most: Duration) -> Error {
    let who = holder(file).map_or_else(|| "another process".into(), |process| format!("process {process}"));
    let message = format!("{who} has been saving there for {} s: wait for it, or end it", most.as_secs_f32());
    Error::File {
        path: folder.to_path_buf(),
        action: "save to",
        source: io::Error::new(io::ErrorKind::TimedOut, message),
    }
}

/// The folder itself. Locking it leaves no file in it.
#[cfg(unix)]
fn the_folder(folder: &Path) -> io::Result<File> {
    File::open(folder)
}

#[cfg(not(unix))]
fn the_folder(_folder: &Path) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A file in the folder, for systems where folders cannot be locked. It is never removed: otherwise one process could
/// lock the removed file and another the new one, at the same time.
fn a_file_in_it(folder: &Path) -> io::Result<File> {
    let path = folder.join(".tokenbed-lock");
    // Opening a pipe of that name would wait.
    if std::fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    File::options().write(true).create(true).truncate(false).open(path)
}

/// The process that holds a lock on the file, from Linux's list of locks.
#[cfg(target_os = "linux")]
fn holder(file: &File) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    let inode = format!(":{}", file.metadata().ok()?.ino());
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    // A line has a number, FLOCK, ADVISORY, WRITE, the process, and device:inode.
    let of_file = |line: &&str| line.contains("FLOCK") && line.split(' ').any(|part| part.ends_with(&inode));
    let line = locks.lines().filter(|line| !line.contains("->")).find(of_file)?;
    line.split_whitespace().nth(4)?.parse().ok()
}

#[cfg(not(target_os = "linux"))]
fn holder(_file: &File) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_the_lock_and_the_next_waits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let first = FolderLock::take(path, Duration::ZERO).unwrap();
        let error = FolderLock::take(path, Duration::from_millis(20)).unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()) && error.contains("has been saving there"), "{error}");
        #[cfg(target_os = "linux")]
        assert!(error.contains(&format!("process {} ", std::process::id())), "{error}");
        let other = path.to_path_buf();
        let waiting = std::thread::spawn(move || FolderLock::take(&other, Duration::from_secs(60)).map(drop));
        std::thread::sleep(Duration::from_millis(30));
        assert!(!waiting.is_finished());
        drop(first);
        waiting.join().unwrap().unwrap();
        FolderLock::take(path, Duration::ZERO).unwrap();
        #[cfg(unix)]
        assert_eq!(std::fs::read_dir(path).unwrap().count(), 0);
    }

    #[test]
    fn a_file_can_be_locked_instead_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (a_file_in_it(folder.path()).unwrap(), a_file_in_it(folder.path()).unwrap());
        let now = Instant::now();
        assert!(wait(&one, now).unwrap());
        assert!(!wait(&other, now).unwrap());
        drop(one);
        assert!(wait(&other, now).unwrap());
    }
}
