//! Files of llama.cpp.

use crate::files::tensors::{LoadedTensor, StoredTensor, handle};
use crate::node::borrow::size;
use crate::node::borrowed_word::Word;
use crate::node::external::{self, External};
use crate::node::guard::guard;
use napi::Env;
use napi_derive::napi;
use std::path::Path;
use tokenbed_io::gguf::{self, Opened};
use tokenbed_memory::{Gather, owned};

/// An open file, of which metadata and tensors are read when they are asked for.
pub struct GgufFile(Opened);

/// What the header of a file says.
#[napi(object, object_from_js = false)]
pub struct OpenedGguf {
    pub file: External<GgufFile>,
    /// The keys of the metadata.
    pub keys: Vec<String>,
    pub tensors: Vec<StoredTensor>,
}

/// Opens a file, with all its parts if it was split.
#[napi(catch_unwind)]
pub fn open_gguf(path: String) -> Option<OpenedGguf> {
    guard(|| {
        let opened = gguf::open(Path::new(&path))?;
        let keys = opened.keys().map(owned).into_list();
        let tensors = opened.entries().map(|entry| StoredTensor {
            name: owned(entry.name),
            stored: entry.stored,
            dtype: entry.dtype.map(Word),
            shape: entry.shape.iter().map(|&n| n as f64).into_list(),
            bytes: entry.bytes as f64,
        });
        let tensors = tensors.into_list();
        external::mapped();
        Ok(OpenedGguf { file: External::new(GgufFile(opened)), keys, tensors })
    })
}

/// A value of the metadata as JSON, by the place of its key.
#[napi(catch_unwind)]
pub fn gguf_value(file: &External<GgufFile>, place: f64) -> Option<String> {
    guard(|| Ok(file.0.value(size(place)?)?))
}

/// A tensor, by its place in the header. Its shape is one dimension, of elements or of the bytes of blocks.
#[napi(catch_unwind)]
pub fn gguf_tensor(env: Env, file: &External<GgufFile>, place: f64) -> Option<LoadedTensor> {
    guard(|| {
        let gguf::Loaded { name, dtype, storage } = file.0.tensor(size(place)?)?;
        let (mapped, shape) = (storage.is_mapped(), Vec::from([(storage.len() / dtype.size()) as f64]));
        Ok(LoadedTensor { name, dtype: Word(dtype), shape, mapped, handle: handle(env, storage) })
    })
}
