//! Files that appear whole or not at all: written beside, synced, renamed.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use tokenbed_core::{Error, Result};

/// Lets `write` fill a new file that then takes the name `path`, replacing what was there. Whatever fails, `path` is what
/// it was before and nothing else is left behind. Mappings of a file that is replaced so stay whole.
///
/// # Errors
/// [`Error::File`] with the system's error.
pub fn write(path: &Path, write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>) -> Result<()> {
    try_write(path, write).map_err(|source| Error::File { path: path.to_path_buf(), action: "write", source })
}

fn try_write(path: &Path, write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // Opened here: tempfile's own way makes private files, and wraps the system's error so that its number is lost. This
    // one becomes an ordinary file, which the user's umask limits.
    let beside = tempfile::Builder::new()
        .prefix(".tokenbed-")
        .suffix(".part")
        .make_in(folder, |path| File::options().write(true).create_new(true).open(path))?;
    let mut buffered = BufWriter::with_capacity(1 << 20, beside.as_file());
    write(&mut buffered)?;
    buffered.flush()?;
    drop(buffered);
    beside.as_file().sync_all()?;
    beside.persist(path).map_err(|error| error.error)?;
    // The rename itself is durable once the folder is. The file has its name by now: a folder that cannot be opened or
    // synced is no failure any more.
    #[cfg(unix)]
    drop(File::open(folder).and_then(|folder| folder.sync_all()));
    Ok(())
}
