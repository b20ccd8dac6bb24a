//! Files of tensors: read by mapping, written whole or not at all.

#![forbid(unsafe_code)]

pub mod atomic;
pub mod safetensors;
