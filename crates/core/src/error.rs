//! Everything that can go wrong, each with a stable code that the TypeScript side turns into its class.

use std::path::PathBuf;
use tokenbed_memory::OutOfMemory;

/// The result of everything here that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Why something could not be done. Messages say what, where and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An id that the table has no row for.
    #[error("id {value} at {flat} is out of range for a table of {rows} rows ({count} in all)")]
    TokenIndex {
        /// Position of the first bad id, counted over all ids in order.
        flat: usize,
        /// The first bad id.
        value: i128,
        /// Rows of the table.
        rows: usize,
        /// How many ids are bad.
        count: usize,
    },
    /// Sizes that do not go together.
    #[error("{0}")]
    Shape(String),
    /// An element type that cannot be used here.
    #[error("{0}")]
    DType(String),
    /// A call that cannot be carried out as it was made.
    #[error("{0}")]
    Usage(String),
    /// More memory than the system gives.
    #[error("cannot allocate {bytes} bytes: {reason}")]
    Memory {
        /// How many were asked for.
        bytes: usize,
        /// What the system said.
        reason: String,
    },
    /// A file whose bytes are not what its format says.
    #[error("{}: {message} (at byte {offset})", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Where in the file.
        offset: u64,
        /// What is wrong there.
        message: String,
    },
    /// A text file with bytes that are no UTF-8, which can be read if they may be replaced.
    #[error("{}: {message} (at byte {offset})", path.display())]
    InvalidUtf8 {
        /// The file.
        path: PathBuf,
        /// Where in the text.
        offset: u64,
        /// Which byte.
        message: String,
    },
    /// A file that cannot be opened, read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was being done to it: `open`, `read`, `write` ...
        action: &'static str,
        /// The system's error.
        source: std::io::Error,
    },
}

impl From<OutOfMemory> for Error {
    fn from(OutOfMemory { bytes }: OutOfMemory) -> Self {
        Error::Memory { bytes, reason: "the system gives no more memory".into() }
    }
}

impl Error {
    /// The stable code that users can switch on.
    pub fn code(&self) -> &'static str {
        match self {
            Error::TokenIndex { .. } => "TOKEN_INDEX",
            Error::Shape(_) => "SHAPE",
            Error::DType(_) => "DTYPE",
            Error::Usage(_) => "USAGE",
            Error::Memory { .. } => "MEMORY",
            Error::Format { .. } | Error::InvalidUtf8 { .. } => "FORMAT",
            Error::File { .. } => "FILE",
        }
    }
}
