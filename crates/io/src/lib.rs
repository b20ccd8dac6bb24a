//! Files of tensors: read by mapping, written whole or not at all. Files of text: read part by part.

#![forbid(unsafe_code)]

pub mod atomic;
mod beside;
mod mapped;
pub mod npy;
pub mod safetensors;
<<<<<<< HEAD
pub mod writer;
=======
pub mod text;
mod unpack;
>>>>>>> stream
