//! Tokenizers, windows, and text that is read piece by piece.

pub mod encode_work;
pub mod stream;
pub mod tokenizer;
pub mod windows;
