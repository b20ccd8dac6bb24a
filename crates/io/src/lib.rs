//! Files of tensors, which are mapped and are written whole or not at all; files of text, which are read part by
//! part.

#![cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_macros))]
#![forbid(unsafe_code)]

mod ahead;
pub mod atomic;
mod beside;
pub mod digest;
pub mod fasttext;
pub mod gguf;
mod limits;
pub mod lock;
mod mapped;
mod names;
pub mod npy;
pub mod npz;
mod pickle;
mod pipe;
pub mod recognise;
pub mod records;
pub mod safetensors;
pub mod shards;
pub mod text;
pub mod tokens;
pub mod torch;
mod unpack;
pub mod word2vec;
pub mod writer;
mod zip;
