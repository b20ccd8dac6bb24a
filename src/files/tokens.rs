//! Reads folders of token ids: the files are mapped, and ids are copied out on request.

use crate::node::borrow::{Operand, size};
use crate::node::external::{self, External};
use crate::node::guard::{Failure, guard, status};
use napi_derive::napi;
use std::path::{Path, PathBuf};
use tokenbed_core::Error;
use tokenbed_io::digest;
use tokenbed_io::tokens::{Ids, Stored, Tokens, Width};
use tokenbed_text::{TextError, Windows};

/// What the manifest says about the data files.
#[napi(object, object_to_js = false)]
pub struct StoredTokens {
    pub ids_path: String,
    /// The number of ids.
    pub ids: f64,
    /// Bytes per id.
    pub width: u32,
    pub documents_path: String,
    /// The number of documents.
    pub documents: f64,
}

/// A folder as JavaScript holds it.
pub struct TokenFolder {
    tokens: Tokens,
    ids_path: PathBuf,
    documents_path: PathBuf,
}

impl TokenFolder {
    /// The ids and documents; the result shares the mapping.
    pub(crate) fn share(&self) -> Tokens {
        self.tokens.clone()
    }
}

/// The id width of this many bytes.
pub(crate) fn width(bytes: u32) -> Result<Width, Failure> {
    match bytes {
        2 => Ok(Width::Two),
        4 => Ok(Width::Four),
        _ => Err(Error::Usage(format!("ids must have 2 or 4 bytes, not {bytes}")).into()),
    }
}

/// Maps the data files of a folder.
#[napi(catch_unwind)]
pub fn tokens_open(stored: StoredTokens) -> Option<External<TokenFolder>> {
    guard(|| {
        let (ids_path, documents_path) = (PathBuf::from(stored.ids_path), PathBuf::from(stored.documents_path));
        let ids = Stored { path: &ids_path, count: size(stored.ids)? };
        let documents = Stored { path: &documents_path, count: size(stored.documents)? };
        let tokens = Tokens::open(ids, documents, width(stored.width)?)?;
        external::mapped();
        Ok(External::new(TokenFolder { tokens, ids_path, documents_path }))
    })
}

/// Copies ids (uint32), beginning at `start`, until `out` is full.
#[napi(catch_unwind)]
pub fn tokens_read(folder: &External<TokenFolder>, start: f64, out: Operand) -> bool {
    status(|| Ok(folder.tokens.copy(size(start)?, out.exclusive(&[])?)?))
}

/// The indices where the ids of a document begin and end.
#[napi(catch_unwind)]
pub fn tokens_document(folder: &External<TokenFolder>, document: f64) -> Option<Vec<f64>> {
    guard(|| {
        let found = folder.tokens.document(size(document)?)?;
        let range = found.ok_or_else(|| {
            Error::Shape(format!("document {document} is out of range for {} documents", folder.tokens.documents()))
        })?;
        Ok(Vec::from([range.start as f64, range.end as f64]))
    })
}

/// Copies the windows with these numbers, and their targets, out of the ids.
#[napi(catch_unwind)]
pub fn tokens_fill(
    folder: &External<TokenFolder>,
    windows: &External<Windows>,
    numbers: Operand,
    inputs: Operand,
    targets: Operand,
) -> bool {
    status(|| {
        let inputs = inputs.exclusive(&[&numbers, &targets])?;
        let targets = targets.exclusive(&[&numbers])?;
        let numbers = numbers.stable()?;
        let filled = match folder.tokens.ids() {
            Ids::Two(ids) => windows.fill(numbers, ids, inputs, targets),
            Ids::Four(ids) => windows.fill(numbers, ids, inputs, targets),
        };
        filled.map_err(|error| match error {
            TextError::IdTooLarge { position, value } => folder.not_an_id(position, value),
            other => other.into(),
        })
    })
}

impl TokenFolder {
    #[cold]
    fn not_an_id(&self, position: usize, value: u32) -> Failure {
        let message = format!("{value} at position {position} is not an id of its vocabulary");
        let offset = (position * self.tokens.width().bytes()) as u64;
        Error::Format { path: self.ids_path.clone(), offset, message }.into()
    }
}

/// Reads a whole folder and checks it: both files must have these digests, no document may end before it begins, and
/// every id must be below `vocabulary`.
#[napi(catch_unwind)]
pub fn tokens_verify(
    folder: &External<TokenFolder>,
    ids_digest: String,
    documents_digest: String,
    vocabulary: u32,
) -> bool {
    status(|| {
        same_digest(&folder.ids_path, &ids_digest)?;
        same_digest(&folder.documents_path, &documents_digest)?;
        folder.tokens.check_documents()?;
        match folder.tokens.beyond(vocabulary) {
            Some((position, value)) => Err(folder.not_an_id(position, value)),
            None => Ok(()),
        }
    })
}

fn same_digest(path: &Path, said: &str) -> Result<(), Failure> {
    let found = digest::of_file(path)?;
    if found == said {
        return Ok(());
    }
    let message = format!(
        "its bytes differ from those that were written: their SHA-256 is {found}, but the manifest says {said}"
    );
    Err(Error::Format { path: path.to_path_buf(), offset: 0, message }.into())
}
