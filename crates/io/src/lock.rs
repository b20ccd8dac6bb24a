//! Writers of one folder, one after the other.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};
use tokenbed_core::{Error, Result};

/// A folder that nobody else writes to who asks for it: as long as this lives, or its process does. The system forgets it
/// with the process.
#[derive(Debug)]
pub struct FolderLock {
    /// None where the file system has no locks.
    _held: Option<File>,
}

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);

impl FolderLock {
    /// Waits for the folder, so long at most. Where the file system has no locks there is nothing to wait for: one writer at
    /// a time is then its users' affair.
    ///
    /// # Errors
    /// [`Error::File`] where others had it all the while; it says who, where the system does.
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

/// The folder itself, in which nothing then is left.
#[cfg(unix)]
fn the_folder(folder: &Path) -> io::Result<File> {
    File::open(folder)
}

#[cfg(not(unix))]
fn the_folder(_folder: &Path) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The file that is locked where folders cannot be. It stays: were it removed, others could lock the one that was and the
/// one that is at once.
fn a_file_in_it(folder: &Path) -> io::Result<File> {
    let path = folder.join(".tokenbed-lock");
    // Opening a pipe of that name would wait.
    if std::fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    File::options().write(true).create(true).truncate(false).open(path)
}

/// The process that has a lock on a file, as Linux lists them.
#[cfg(target_os = "linux")]
fn holder(file: &File) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    let inode = format!(":{}", file.metadata().ok()?.ino());
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    // A number, FLOCK, ADVISORY, WRITE, the process, and device:inode.
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
    fn one_at_a_time_and_the_next_waits() {
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
    fn a_file_is_locked_where_the_folder_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (a_file_in_it(folder.path()).unwrap(), a_file_in_it(folder.path()).unwrap());
        let now = Instant::now();
        assert!(wait(&one, now).unwrap());
        assert!(!wait(&other, now).unwrap());
        drop(one);
        assert!(wait(&other, now).unwrap());
    }
}
