//! Opens files by a path from outside. Nothing here waits for another process, and whatever is not a file is refused
//! with its path.

use crate::{Error, Result};
use std::fs::{File, FileType, OpenOptions};
use std::io;
use std::path::Path;

/// An open regular file.
#[derive(Debug)]
pub struct Regular {
    /// The file, at its beginning.
    pub file: File,
    /// Its size in bytes, as the system reports it. The file may be cut short or grow while it is read.
    pub len: u64,
}

/// Opens a regular file. Anything else is never opened: opening a pipe would wait for its writer, and may end that
/// process; opening a device may have effects.
///
/// # Errors
/// [`Error::File`] if the file is missing or cannot be opened, and for a folder, a pipe, a socket or a device.
pub fn regular(path: &Path) -> Result<Regular> {
    let fail = |source| Error::File { path: path.to_path_buf(), action: "open", source };
    // The kind is checked by path first, so that nothing else is opened. It is checked again on the open file,
    // because by then the path may lead to something else.
    check(std::fs::metadata(path).map_err(fail)?.file_type()).map_err(fail)?;
    let mut options = OpenOptions::new();
    options.read(true);
    never_wait(&mut options);
    let file = options.open(path).map_err(fail)?;
    let found = file.metadata().map_err(fail)?;
    check(found.file_type()).map_err(fail)?;
    Ok(Regular { file, len: found.len() })
}

/// A source that is read from beginning to end.
#[derive(Debug)]
pub enum Stream {
    /// An open regular file.
    File(File),
    /// A pipe, such as a shell makes for `<(command)`. It is not opened yet, because that waits until somebody writes
    /// to it.
    Pipe,
}

/// Opens a regular file, or reports that the path is a pipe.
///
/// # Errors
/// The same as [`regular`], except for pipes.
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
        // This is the system's own error, with its number.
        return Err(io::Error::from_raw_os_error(libc::EISDIR));
    }
    let kind = kind_of(found);
    let message = format!(
        "it is {kind}, and not a regular file: give the path of one, or read it yourself and pass its contents"
    );
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

/// If the path has become a pipe by now, opening it does not wait. A terminal does not become the controlling
/// terminal of this process.
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
    fn everything_but_files_is_refused() {
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
    fn a_pipe_is_a_stream_but_not_a_regular_file() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let error = regular(&pipe).unwrap_err().to_string();
        assert!(error.contains("it is a pipe"), "{error}");
        assert!(matches!(stream(&pipe).unwrap(), Stream::Pipe));
    }
}
