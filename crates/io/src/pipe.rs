//! Pipes that are read without waiting forever: a thread of their own waits while nobody writes.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;
use tokenbed_memory::List;

/// The bytes of a pipe as they come. If none come for a while, reading fails with [`ErrorKind::WouldBlock`], and may
/// be tried again. When this is dropped, its thread ends with the next bytes, with the pipe, or with the process.
#[derive(Debug)]
pub(crate) struct Pipe {
    parts: Receiver<io::Result<Vec<u8>>>,
    part: Vec<u8>,
    /// Number of bytes of the part that were taken.
    taken: usize,
    /// How long to wait for bytes; `None` means forever.
    patience: Option<Duration>,
}

const PATIENCE: Duration = Duration::from_millis(50);
/// Number of bytes that are read at a time: the capacity of pipes in Linux.
const PART: usize = 64 << 10;
/// Number of parts that may wait to be taken.
const AHEAD: usize = 4;

impl Pipe {
    /// Opens a pipe; the thread does it when the pipe's writer is there. A `patient` pipe never fails because of
    /// waiting, for readers that cannot try again.
    pub(crate) fn open(path: &Path, patient: bool) -> io::Result<Self> {
        let (to, parts) = sync_channel(AHEAD);
        let path = path.to_path_buf();
        thread::Builder::new().name("tokenbed pipe".into()).spawn(move || read_all(path, &to))?;
        Ok(Self { parts, part: Vec::new(), taken: 0, patience: (!patient).then_some(PATIENCE) })
    }

    /// The next part; `None` at the end.
    fn next(&self) -> io::Result<Option<Vec<u8>>> {
        let Some(patience) = self.patience else { return self.parts.recv().ok().transpose() };
        match self.parts.recv_timeout(patience) {
            Ok(part) => part.map(Some),
            Err(RecvTimeoutError::Timeout) => Err(ErrorKind::WouldBlock.into()),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
        }
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.part.len() {
            let Some(part) = self.next()? else { return Ok(0) };
            (self.part, self.taken) = (part, 0);
        }
        let read = (&self.part[self.taken..]).read(buffer)?;
        self.taken += read;
        Ok(read)
    }
}

fn read_all(path: PathBuf, to: &SyncSender<io::Result<Vec<u8>>>) {
    let mut file = match File::open(path) {
        Ok(file) => file,
        // The receiver may have been dropped.
        Err(error) => return to.send(Err(error)).unwrap_or_default(),
    };
    let mut buffer = match filled(PART) {
        Ok(buffer) => buffer,
        Err(error) => return to.send(Err(error)).unwrap_or_default(),
    };
    loop {
        let part = match file.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => filled(read).map(|mut part| {
                part.copy_from_slice(&buffer[..read]);
                part
            }),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let failed = part.is_err();
        if to.send(part).is_err() || failed {
            return;
        }
    }
}

/// A vector of `len` zeros. If there is no memory, this is an error for the reader; a thread that simply ended would
/// cut the text in its middle.
fn filled(len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len)?;
    bytes.fill_to(len, 0);
    Ok(bytes)
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use std::io::Write;

    fn pipe(folder: &Path) -> PathBuf {
        let path = folder.join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    }

    #[test]
    fn bytes_come_as_they_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = pipe(folder.path());
        let mut reader = Pipe::open(&path, false).unwrap();
        let mut buffer = [0; 3];
        assert_eq!(reader.read(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
        let mut writer = File::options().write(true).open(&path).unwrap();
        writer.write_all(b"four").unwrap();
        let mut seen = Vec::new();
        while seen.len() < 4 {
            match reader.read(&mut buffer) {
                Ok(read) => seen.extend_from_slice(&buffer[..read]),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        assert_eq!(seen, b"four");
        assert_eq!(reader.read(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
        drop(writer);
        while reader.read(&mut buffer).map_or(true, |read| read > 0) {}
        assert_eq!(reader.read(&mut buffer).unwrap(), 0);
    }

    #[test]
    fn a_patient_pipe_waits() {
        let folder = tempfile::tempdir().unwrap();
        let path = pipe(folder.path());
        let mut reader = Pipe::open(&path, true).unwrap();
        let writer = thread::spawn(move || {
            thread::sleep(3 * PATIENCE);
            std::fs::write(path, vec![7; 3 * PART])
        });
        let mut all = Vec::new();
        reader.read_to_end(&mut all).unwrap();
        writer.join().unwrap().unwrap();
        assert!(all == vec![7; 3 * PART]);
    }
}
