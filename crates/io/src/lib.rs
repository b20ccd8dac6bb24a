//! Files of tensors: read by mapping, written whole or not at all. Files of text: read part by part.

#![forbid(unsafe_code)]

pub mod atomic;
mod beside;
mod mapped;
pub mod npy;
pub mod safetensors;
pub mod text;
mod unpack;
pub mod word2vec;
pub mod writer;
