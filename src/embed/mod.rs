//! Texts to vectors.

pub mod embed_work;
pub mod embedder;
