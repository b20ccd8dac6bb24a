//! A folder of token ids as it is read.

use super::{ENTRY, Width};
use crate::mapped::Source;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokenbed_core::storage::Part;
use tokenbed_core::{DType, Error, Result};

/// What the manifest says of a data file.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'a> {
    /// Where it is.
    pub path: &'a Path,
    /// How many elements it has: ids, or documents.
    pub count: usize,
}

/// The ids of a folder, as they are stored.
#[derive(Clone, Copy, Debug)]
pub enum Ids<'a> {
    /// In two bytes each.
    Two(&'a [u16]),
    /// In four bytes each.
    Four(&'a [u32]),
}

/// The ids of a folder and its documents, mapped: what is read of them is read from the file, when it is asked for.
#[derive(Clone, Debug)]
pub struct Tokens {
    width: Width,
    count: usize,
    documents: usize,
    ids: Part,
    index: Part,
    index_path: PathBuf,
}

impl Tokens {
    /// Maps the data files, whose sizes must be those that the manifest says, and looks at the first and the last
    /// number of the index. Takes the same time and memory for a folder of any size.
    ///
    /// # Errors
    /// [`Error::File`] where a file cannot be opened or mapped; [`Error::Format`] for one that is longer or shorter
    /// than it should be, and for an index of other ids.
    pub fn open(ids: Stored<'_>, documents: Stored<'_>, width: Width) -> Result<Self> {
        let entries = documents.count.saturating_add(1);
        let tokens = Self {
            width,
            count: ids.count,
            documents: documents.count,
            ids: map(ids.path, ids.count, width.bytes())?,
            index: map(documents.path, entries, ENTRY)?,
            index_path: documents.path.to_path_buf(),
        };
        let (first, last) = (tokens.entry(0), tokens.entry(documents.count));
        if first != Some(0) {
            return Err(tokens.malformed(0, format!("the first document begins at {}, not at 0", shown(first))));
        }
        if last != Some(ids.count as u64) {
            let message = format!("the last document ends at {}, and there are {} ids", shown(last), ids.count);
            return Err(tokens.malformed(documents.count, message));
        }
        Ok(tokens)
    }

    /// How an id is stored.
    pub fn width(&self) -> Width {
        self.width
    }

    /// How many ids.
    pub fn count(&self) -> usize {
        self.count
    }

    /// How many documents.
    pub fn documents(&self) -> usize {
        self.documents
    }

    /// All ids, as they lie in the file. What is read of them may change while somebody writes the file: an element is
    /// to be read once, and copied before it is checked.
    pub fn ids(&self) -> Ids<'_> {
        match self.width {
            Width::Two => Ids::Two(self.ids.elements().unwrap_or_default()),
            Width::Four => Ids::Four(self.ids.elements().unwrap_or_default()),
        }
    }

    /// Copies as many ids from `start` on as there is room for.
    ///
    /// # Errors
    /// [`Error::Shape`] where there are not so many.
    pub fn copy(&self, start: usize, out: &mut [u32]) -> Result<()> {
        let Some(end) = start.checked_add(out.len()).filter(|&end| end <= self.count) else {
            return Err(Error::Shape(format!("{} ids from {start} on, of {}", out.len(), self.count)));
        };
        match self.ids() {
            Ids::Two(ids) => out.iter_mut().zip(&ids[start..end]).for_each(|(to, &id)| *to = id.into()),
            Ids::Four(ids) => out.copy_from_slice(&ids[start..end]),
        }
        Ok(())
    }

    /// The first id that is not below `vocabulary`, and its place; nothing where all are.
    pub fn beyond(&self, vocabulary: u32) -> Option<(usize, u32)> {
        fn first(mut ids: impl Iterator<Item = (usize, u32)>, vocabulary: u32) -> Option<(usize, u32)> {
            ids.find(|&(_, id)| id >= vocabulary)
        }
        match self.ids() {
            Ids::Two(ids) => first((0..).zip(ids.iter().map(|&id| id.into())), vocabulary),
            Ids::Four(ids) => first((0..).zip(ids.iter().copied()), vocabulary),
        }
    }

    /// Where the ids of a document begin and end; nothing where there is no such document.
    ///
    /// # Errors
    /// [`Error::Format`] where the index says what cannot be.
    pub fn document(&self, document: usize) -> Result<Option<Range<usize>>> {
        if document >= self.documents {
            return Ok(None);
        }
        let (Some(from), Some(to)) = (self.entry(document), self.entry(document + 1)) else { return Ok(None) };
        if from > to || to > self.count as u64 {
            let message = format!("document {document} is said to be the ids from {from} to {to}, of {}", self.count);
            return Err(self.malformed(document, message));
        }
        Ok(Some(from as usize..to as usize))
    }

    /// Looks at the whole index.
    ///
    /// # Errors
    /// [`Error::Format`] for the first document that cannot be.
    pub fn check_documents(&self) -> Result<()> {
        (0..self.documents).try_for_each(|document| self.document(document).map(drop))
    }

    fn entry(&self, at: usize) -> Option<u64> {
        self.index.elements::<u64>()?.get(at).copied()
    }

    #[cold]
    fn malformed(&self, entry: usize, message: String) -> Error {
        Error::Format { path: self.index_path.clone(), offset: (entry * ENTRY) as u64, message }
    }
}

fn shown(entry: Option<u64>) -> String {
    entry.map_or_else(|| "no place".into(), |entry| entry.to_string())
}

/// A file of so many elements, mapped whole.
fn map(path: &Path, count: usize, size: usize) -> Result<Part> {
    let source = Source::open(path, Some(true))?;
    let (found, wanted) = (source.len(), count.checked_mul(size));
    if wanted != Some(found) {
        let wanted = count as u128 * size as u128;
        let why = if (found as u128) < wanted { "it was cut short" } else { "it is longer than it was" };
        return Err(source.malformed(
            wanted.min(found as u128) as usize,
            format!("{why}: {found} bytes, and the manifest says {wanted}: {count} elements of {size} bytes"),
        ));
    }
    // Files are mapped from their beginning, which is aligned for any element.
    let mapped = source.part(0, found, DType::Int64)?.map(Arc::new);
    let part = mapped.and_then(|storage| Part::new(&storage, 0, found));
    part.ok_or_else(|| source.malformed(0, "it cannot be mapped".into()))
}
