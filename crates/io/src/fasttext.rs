//! Models of fastText, `.bin` and `.ftz`: a header, a dictionary, and two matrices, dense or quantized.
//!
//! This is our own code, after fastText 0.9.2: no crate maps such a file. A file is opened by its header, and by what
//! stands at the places that follow from the header's counts and the file's length; the dictionary between them is
//! walked through when a word is first asked for.

mod dictionary;
mod header;
mod matrix;
mod places;

pub use dictionary::Dictionary;
pub use header::{Header, Kind, Loss};
pub use matrix::Matrix;

use crate::mapped::Source;
use crate::recognise::Wanted;
use places::Places;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tokenbed_core::storage::Part;
use tokenbed_core::{Error, Result};

/// What is wrong with a file, and at which byte.
type Wrong = (usize, String);

/// An open model.
#[derive(Debug)]
pub struct Opened {
    path: PathBuf,
    header: Header,
    places: Places,
    bytes: Part,
    dictionary: OnceLock<Dictionary>,
}

/// Opens a model.
///
/// # Errors
/// [`Error::File`] if it cannot be opened or mapped; [`Error::Format`], with the byte, if it does not match its header,
/// and for a file of another kind, which it names.
pub fn open(path: &Path) -> Result<Opened> {
    let file = Source::open(path, None)?;
    let bytes = file.bytes()?;
    let all = bytes.elements::<u8>().unwrap_or_default();
    let found = header::read(all).and_then(|header| {
        let places = places::find(all, &header)?;
        Ok((header, places))
    });
    match found {
        Ok((header, places)) => {
            Ok(Opened { path: path.to_path_buf(), header, places, bytes, dictionary: OnceLock::new() })
        }
        Err((at, message)) => Err(file.named(Wanted::FastText, file.malformed(at, message))),
    }
}

impl Opened {
    /// What the header says.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The rows of words and of sub-words.
    pub fn input(&self) -> &Matrix {
        &self.places.input
    }

    /// The rows of classes, or of words where there are no classes.
    pub fn output(&self) -> &Matrix {
        &self.places.output
    }

    /// The bytes of the file, as a call reads them that knows its sizes: others may write them meanwhile.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.elements().unwrap_or_default()
    }

    /// The words, which are indexed at the first call.
    ///
    /// # Errors
    /// [`Error::Format`], with the byte, if the dictionary does not match the header.
    pub fn dictionary(&self) -> Result<&Dictionary> {
        if let Some(known) = self.dictionary.get() {
            return Ok(known);
        }
        let made = Dictionary::read(self.bytes(), &self.header, &self.places);
        let made = made.map_err(|(at, message)| self.malformed(at, message))?;
        Ok(self.dictionary.get_or_init(|| made))
    }

    /// The error for what is wrong at a byte.
    #[cold]
    pub fn malformed(&self, at: usize, message: String) -> Error {
        Error::Format { path: self.path.clone(), offset: at as u64, message }
    }
}
