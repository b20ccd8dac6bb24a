//! Files of tensors whose headers were read, and whose tensors are taken one by one.

use crate::files::archives::stored_in_torch;
use crate::files::tensors::{LoadedTensor, StoredTensor, loaded, stored};
use crate::node::borrow::size;
use crate::node::external::{self, External};
use crate::node::guard::guard;
use napi::Env;
use napi_derive::napi;
use std::path::Path;
use tokenbed_io::{safetensors, torch};
use tokenbed_memory::Gather;

/// An open file as JavaScript holds it.
pub enum TensorFile {
    /// A safetensors file.
    Safetensors(safetensors::Opened),
    /// A file of PyTorch.
    Torch(torch::Opened),
}

/// An open file, and what its header says of each tensor, by the index under which it is taken.
#[napi(object, object_from_js = false)]
pub struct OpenedFile {
    pub tensors: Vec<StoredTensor>,
    pub file: External<TensorFile>,
}

/// Opens a safetensors file and reads its header, but none of its tensors.
#[napi(catch_unwind)]
pub fn open_safetensors(path: String) -> Option<OpenedFile> {
    guard(|| {
        let opened = safetensors::open(Path::new(&path), None)?;
        let tensors = opened.entries().map(stored).into_list();
        external::mapped();
        Ok(OpenedFile { tensors, file: External::new(TensorFile::Safetensors(opened)) })
    })
}

/// Opens a file of PyTorch and reads its pickle, but none of its tensors.
#[napi(catch_unwind)]
pub fn open_torch(path: String) -> Option<OpenedFile> {
    guard(|| {
        let opened = torch::open(Path::new(&path), None)?;
        let tensors = opened.entries().map(stored_in_torch).into_list();
        external::mapped();
        Ok(OpenedFile { tensors, file: External::new(TensorFile::Torch(opened)) })
    })
}

/// One tensor of an open file, mapped or read.
#[napi(catch_unwind)]
pub fn opened_tensor(env: Env, file: &External<TensorFile>, index: f64) -> Option<LoadedTensor> {
    guard(|| {
        let index = size(index)?;
        let tensor = match &**file {
            TensorFile::Safetensors(opened) => opened.tensor(index)?,
            TensorFile::Torch(opened) => opened.tensor(index)?,
        };
        Ok(loaded(env, tensor))
    })
}
