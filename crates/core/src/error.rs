//! The error type. Each kind has a stable code, from which the TypeScript side makes an error of the right class.

use std::path::PathBuf;
use tokenbed_memory::OutOfMemory;

/// The result of a function here that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call failed. Messages say what, where and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The table has no row for an id.
    #[error("id {value} at {flat} is out of range for a table of {rows} rows ({count} in all)")]
    TokenIndex {
        /// Index of the first bad id among all ids.
        flat: usize,
        /// Value of the first bad id.
        value: i128,
        /// Number of rows of the table.
        rows: usize,
        /// Number of bad ids.
        count: usize,
    },
    /// Shapes that do not fit together.
    #[error("{0}")]
    Shape(String),
    /// An element type that cannot be used here.
    #[error("{0}")]
    DType(String),
    /// A call that cannot be carried out as it was made.
    #[error("{0}")]
    Usage(String),
    /// The system has no more memory.
    #[error("cannot allocate {bytes} bytes: {reason}")]
    Memory {
        /// Number of bytes that were requested.
        bytes: usize,
        /// The system's reason.
        reason: String,
    },
    /// A file whose bytes do not follow its format.
    #[error("{}: {message} (at byte {offset})", path.display())]
    Format {
        /// Path of the file.
        path: PathBuf,
        /// Byte offset in the file.
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
        /// Path of the file.
        path: PathBuf,
        /// The action that failed: `open`, `read`, `write` ...
        action: &'static str,
        /// The system's error.
        source: std::io::Error,
    },
}

impl From<OutOfMemory> for Error {
    fn from(OutOfMemory { bytes }: OutOfMemory) -> Self {
        Error::Memory { bytes, reason: "the system has no more memory".into() }
    }
}

impl Error {
    /// The stable code that users can compare.
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
