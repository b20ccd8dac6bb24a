//! Files that are opened by a path from outside: nothing here waits for another process, and what is no file is refused
//! with its name.

use crate::{Error, Result};
use std::fs::{File, FileType, OpenOptions};
use std::io;
use std::path::Path;

/// A regular file that was opened.
#[derive(Debug)]
pub struct Regular {
    /// To be read from its beginning.
    pub file: File,
    /// Its bytes, as the system says; it may be cut short or grow while it is read.
    pub len: u64,
}

/// Opens a regular file. What is none is never opened: opening a pipe would wait for whoever writes to it, and may end
/// that process; a device may do something.
///
/// # Errors
/// [`Error::File`] where it is not there or cannot be opened, and for a folder, a pipe, a socket or a device.
pub fn regular(path: &Path) -> Result<Regular> {
    let fail = |source| Error::File { path: path.to_path_buf(), action: "open", source };
    // Asked by its name first, so that nothing is opened which must not be; then of what was opened, as the name may
    // stand for something else by then.
    check(std::fs::metadata(path).map_err(fail)?.file_type()).map_err(fail)?;
    let mut options = OpenOptions::new();
    options.read(true);
    never_wait(&mut options);
    let file = options.open(path).map_err(fail)?;
    let found = file.metadata().map_err(fail)?;
    check(found.file_type()).map_err(fail)?;
    Ok(Regular { file, len: found.len() })
}

/// What is read from its beginning to its end.
#[derive(Debug)]
pub enum Stream {
    /// A regular file, opened.
    File(File),
    /// A pipe, as shells make them of `<(command)`; not opened, as that waits until somebody writes to it.
    Pipe,
}

/// Opens a regular file, or finds that it is a pipe.
///
/// # Errors
/// As [`regular`], but for pipes.
pub fn stream(path: &Path) -> Result<Stream> {
    if std::fs::metadata(path).is_ok_and(|found| is_pipe(found.file_type())) {
        return Ok(Stream::Pipe);
    }
    Ok(Stream::File(regular(path)?.file))
}

fn check(found: FileType) -> io::Result<()> {
    if found.is_file() {
        return Ok(());
    }
    #[cfg(unix)]
    if found.is_dir() {
        // The system's own error, with its number.
        return Err(io::Error::from_raw_os_error(libc::EISDIR));
    }
    let kind = kind_of(found);
    let message =
        format!("it is {kind}, and not a regular file: name one, or read it yourself and pass on what you read");
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

#[cfg(unix)]
fn is_pipe(found: FileType) -> bool {
    std::os::unix::fs::FileTypeExt::is_fifo(&found)
}

#[cfg(not(unix))]
fn is_pipe(_found: FileType) -> bool {
    false
}

#[cfg(unix)]
fn kind_of(found: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    match found {
        _ if found.is_fifo() => "a pipe",
        _ if found.is_socket() => "a socket",
        _ => "a device",
    }
}

#[cfg(not(unix))]
fn kind_of(found: FileType) -> &'static str {
    if found.is_dir() { "a folder" } else { "a device" }
}

/// Were it a pipe by now, opening it would not wait; nor does a terminal become that of this process.
#[cfg(unix)]
fn never_wait(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
}

#[cfg(not(unix))]
fn never_wait(_options: &mut OpenOptions) {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn why(path: &Path) -> String {
        let messages = [regular(path).map(drop), stream(path).map(drop)].map(|found| match found {
            Err(error @ Error::File { .. }) => error.to_string(),
            other => panic!("{other:?}"),
        });
        assert_eq!(messages[0], messages[1]);
        assert!(messages[0].contains(&path.display().to_string()), "{messages:?}");
        messages[0].clone()
    }

    #[test]
    fn a_regular_file_is_opened_with_its_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"seven..").unwrap();
        let Regular { mut file, len } = regular(&path).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        assert_eq!((len, &bytes[..]), (7, &b"seven.."[..]));
        assert!(matches!(stream(&path).unwrap(), Stream::File(_)));
        #[cfg(unix)]
        {
            let link = folder.path().join("link");
            std::os::unix::fs::symlink(&path, &link).unwrap();
            assert_eq!(regular(&link).unwrap().len, 7);
        }
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        why(&folder.path().join("missing"));
        why(folder.path());
        #[cfg(unix)]
        {
            let link = folder.path().join("link");
            std::os::unix::fs::symlink(folder.path().join("missing"), &link).unwrap();
            why(&link);
            assert!(why(Path::new("/dev/zero")).contains("it is a device"));
            assert!(why(Path::new("/dev/null")).contains("it is a device"));
            let socket = folder.path().join("socket");
            let _held = std::os::unix::net::UnixListener::bind(&socket).unwrap();
            assert!(why(&socket).contains("it is a socket"));
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_a_stream_and_no_regular_file() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let error = regular(&pipe).unwrap_err().to_string();
        assert!(error.contains("it is a pipe"), "{error}");
        assert!(matches!(stream(&pipe).unwrap(), Stream::Pipe));
    }
}
