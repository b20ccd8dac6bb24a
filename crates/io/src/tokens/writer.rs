//! A folder of token ids as it is written.

use super::Width;
use crate::atomic::{Pending, failed};
use crate::digest::hex;
use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::{Path, PathBuf};
use tokenbed_core::{Error, Result};
use tokenbed_memory::{List, with_room};

/// A data file that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenFile {
    /// Its name in the folder.
    pub name: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub digest: String,
}

/// The data files of a folder, for its manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The ids.
    pub ids: WrittenFile,
    /// The index of documents.
    pub documents: WrittenFile,
}

/// Writes ids as they come, in memory that does not grow with them. Neither file has a name before
/// [`TokensWriter::finish`]; dropped before, or after any failure of the system, the writer leaves nothing behind.
#[derive(Debug)]
pub struct TokensWriter {
    folder: PathBuf,
    width: Width,
    vocabulary: u32,
    count: u64,
    documents: u64,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    ids: Hashed,
    index: Hashed,
    /// The bytes of the ids that are being written.
    bytes: Vec<u8>,
}

impl TokensWriter {
    /// Starts both files, in a folder that is there. Ids are below `vocabulary`.
    ///
    /// # Errors
    /// [`Error::Usage`] where two bytes cannot hold every id of the vocabulary; [`Error::File`] where the folder is not
    /// there or takes no new file.
    pub fn create(folder: &Path, width: Width, vocabulary: u32) -> Result<Self> {
        if width == Width::Two && vocabulary > 1 << 16 {
            return Err(Error::Usage(format!(
                "u16 holds ids below 65536, and the vocabulary has {vocabulary}: store them as u32"
            )));
        }
        let mut open = Open {
            ids: Hashed::create(folder, "ids")?,
            index: Hashed::create(folder, "documents")?,
            bytes: Vec::new(),
        };
        open.index.write(&0u64.to_le_bytes())?;
        let folder = folder.to_path_buf();
        Ok(Self { folder, width, vocabulary, count: 0, documents: 0, open: Some(open) })
    }

    /// How many ids were written.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many documents have ended.
    pub fn documents(&self) -> u64 {
        self.documents
    }

    /// Appends ids to the document that is being written.
    ///
    /// # Errors
    /// [`Error::TokenIndex`] for an id that the vocabulary does not have: nothing is appended then, and the writer goes
    /// on. [`Error::File`] where the system fails: the writer has ended then. [`Error::Usage`] where it had ended
    /// before.
    pub fn append(&mut self, ids: &[u32]) -> Result<()> {
        let vocabulary = self.vocabulary;
        if ids.iter().any(|&id| id >= vocabulary) {
            let flat = ids.iter().position(|&id| id >= vocabulary).unwrap_or_default();
            let count = ids.iter().filter(|&&id| id >= vocabulary).count();
            return Err(Error::TokenIndex { flat, value: ids[flat].into(), rows: vocabulary as usize, count });
        }
        let width = self.width;
        self.with(|open| {
            // A part at a time: the bytes of all ids at once would need as much memory as they do.
            for part in ids.chunks(PART) {
                open.bytes.clear();
                match width {
                    Width::Two => part.iter().for_each(|&id| open.bytes.put_slice(&(id as u16).to_le_bytes())),
                    Width::Four => part.iter().for_each(|&id| open.bytes.put_slice(&id.to_le_bytes())),
                }
                open.ids.write(&open.bytes)?;
            }
            Ok(())
        })?;
        self.count += ids.len() as u64;
        Ok(())
    }

    /// Ends a document.
    ///
    /// # Errors
    /// As [`TokensWriter::append`].
    pub fn end_document(&mut self) -> Result<()> {
        let end = self.count.to_le_bytes();
        self.with(|open| open.index.write(&end))?;
        self.documents += 1;
        Ok(())
    }

    /// Completes both files, waits until they are on the disk, and gives them their names: `ids.DIGEST.bin` and
    /// `documents.DIGEST.bin`, with the first 16 digits of their digests. They belong to a folder once its manifest
    /// names them. The writer has ended then, whether that went well or not.
    ///
    /// # Errors
    /// [`Error::File`] where the system fails; [`Error::Usage`] where the writer had ended before.
    pub fn finish(&mut self) -> Result<Written> {
        let Some(Open { ids, index, .. }) = self.open.take() else { return Err(self.ended()) };
        let ids = ids.finish(&self.folder)?;
        let documents = index.finish(&self.folder)?;
        Ok(Written { ids, documents })
    }

    /// Ends the writer and leaves nothing behind.
    pub fn abort(&mut self) {
        self.open = None;
    }

    /// Writes; after a failure what was written before is of no use.
    fn with(&mut self, write: impl FnOnce(&mut Open) -> Result<()>) -> Result<()> {
        let Some(open) = &mut self.open else { return Err(self.ended()) };
        write(open).inspect_err(|_| self.open = None)
    }

    fn ended(&self) -> Error {
        let message = "the writer has ended: it was closed or aborted, or a write failed and what was written is gone";
        Error::Usage(format!("{}: {message}", self.folder.display()))
    }
}

/// Ids that are turned into bytes at a time.
const PART: usize = 1 << 16;

/// Bytes that are gathered before they are hashed and handed to the system.
const GATHERED: usize = 1 << 16;

/// A file and the digest of what was written to it.
#[derive(Debug)]
struct Hashed {
    stem: &'static str,
    path: PathBuf,
    file: Pending,
    hash: Sha256,
    gathered: Vec<u8>,
}

impl Hashed {
    fn create(folder: &Path, stem: &'static str) -> Result<Self> {
        let path = folder.join(format!("{stem}.bin"));
        let file = Pending::create(&path)?;
        Ok(Self { stem, path, file, hash: Sha256::new(), gathered: with_room(GATHERED) })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if self.gathered.len() + bytes.len() > GATHERED {
            self.flush()?;
        }
        if bytes.len() > GATHERED {
            return self.put(bytes);
        }
        self.gathered.put_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let gathered = std::mem::take(&mut self.gathered);
        let written = self.put(&gathered);
        self.gathered = gathered;
        self.gathered.clear();
        written
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.hash.update(bytes);
        self.file.write_all(bytes).map_err(|source| failed(&self.path, source))
    }

    fn finish(mut self, folder: &Path) -> Result<WrittenFile> {
        self.flush()?;
        let digest = hex(&self.hash.finalize());
        let name = format!("{}.{}.bin", self.stem, &digest[..16]);
        self.file.commit_as(folder.join(&name))?;
        Ok(WrittenFile { name, digest })
    }
}
