//! Files of tensors: read by mapping, written whole or not at all.

#![forbid(unsafe_code)]

pub mod atomic;
mod beside;
mod mapped;
pub mod npy;
pub mod safetensors;
pub mod writer;
