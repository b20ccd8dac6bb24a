//! The error type.

use tokenbed_core::Error;
use tokenbed_text::TextError;

/// Why texts have no vectors.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// A text that cannot be encoded, or work that was stopped.
    #[error(transparent)]
    Text(#[from] TextError),
    /// Parts that do not fit together.
    #[error(transparent)]
    Core(#[from] Error),
}
