//! Files of tensors.

use crate::borrow::{Operand, size, sizes};
use crate::buffers::Handle;
use crate::guard::{Failure, guard, status};
use napi::Env;
use napi::bindgen_prelude::External;
use napi_derive::napi;
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use tokenbed_core::storage::Storage;
use tokenbed_core::{DType, Error};
use tokenbed_io::atomic;
use tokenbed_io::npy::{self, Array};
use tokenbed_io::safetensors::{self, ToSave};
use tokenbed_io::text::InvalidUtf8;
use tokenbed_io::word2vec;

/// A tensor of a file.
#[napi(object, object_from_js = false)]
pub struct LoadedTensor {
    pub name: String,
    pub dtype: u32,
    pub shape: Vec<f64>,
    pub handle: External<Handle>,
}

/// All tensors of a file, mapped.
#[napi(catch_unwind)]
pub fn load_safetensors(env: Env, path: String) -> Option<Vec<LoadedTensor>> {
    guard(|| {
        let loaded = safetensors::load(Path::new(&path))?.into_iter().map(|tensor| LoadedTensor {
            name: tensor.name,
            dtype: tensor.dtype.code(),
            shape: tensor.shape.iter().map(|&n| n as f64).collect(),
            handle: handle(env, tensor.storage),
        });
        Ok(loaded.collect())
    })
}

/// Writes tensors: names, dtype codes, shapes and elements side by side; metadata as keys and values side by side.
#[napi(catch_unwind)]
pub fn save_safetensors(
    path: String,
    names: Vec<String>,
    dtypes: Vec<u32>,
    shapes: Vec<Vec<f64>>,
    data: Vec<Operand>,
    keys: Vec<String>,
    values: Vec<String>,
) -> bool {
    status(|| {
        let mut tensors = Vec::with_capacity(names.len());
        for (((name, code), shape), data) in names.into_iter().zip(dtypes).zip(&shapes).zip(&data) {
            tensors.push(ToSave { name, dtype: element_type(code)?, shape: sizes(shape)?, bytes: data.shared()? });
        }
        Ok(safetensors::save(Path::new(&path), tensors, keys.into_iter().zip(values).collect::<HashMap<_, _>>())?)
    })
}

/// A handle on what was loaded: of a copy, V8 is told.
fn handle(env: Env, storage: Storage) -> External<Handle> {
    let mapped = storage.is_mapped();
    Handle::new(env, storage, mapped)
}

/// The array of an npy file; its name is empty.
#[napi(catch_unwind)]
pub fn load_npy(env: Env, path: String) -> Option<LoadedTensor> {
    guard(|| {
        let Array { dtype, shape, storage } = npy::load(Path::new(&path))?;
        let shape = shape.iter().map(|&n| n as f64).collect();
        Ok(LoadedTensor { name: String::new(), dtype: dtype.code(), shape, handle: handle(env, storage) })
    })
}

/// Writes one tensor as NumPy does.
#[napi(catch_unwind)]
pub fn save_npy(path: String, dtype: u32, shape: Vec<f64>, data: Operand) -> bool {
    status(|| Ok(npy::save(Path::new(&path), element_type(dtype)?, &sizes(&shape)?, data.shared()?)?))
}

/// Writes bytes to a file, whole or not at all.
#[napi(catch_unwind)]
pub fn write_whole(path: String, bytes: Operand) -> bool {
    status(|| {
        let bytes = bytes.shared::<u8>()?;
        Ok(atomic::write(Path::new(&path), |file| file.write_all(bytes))?)
    })
}

/// The element type of a code.
pub(crate) fn element_type(code: u32) -> Result<DType, Failure> {
    DType::from_code(code).ok_or_else(|| Error::DType(format!("no element type has the code {code}")).into())
}

/// Words and the table of their vectors.
#[napi(object, object_from_js = false)]
pub struct LoadedWords {
    pub words: Vec<String>,
    pub dim: f64,
    pub handle: External<Handle>,
}

/// The words and vectors of a file of word2vec's; a limit of 0 or more rows, none where it is negative.
#[napi(catch_unwind)]
pub fn load_word2vec(
    env: Env,
    path: String,
    binary: Option<bool>,
    limit: f64,
    replace_invalid: bool,
) -> Option<LoadedWords> {
    guard(|| {
        let invalid = if replace_invalid { InvalidUtf8::Replace } else { InvalidUtf8::Refuse };
        let limit = if limit < 0.0 { None } else { Some(size(limit)?) };
        let loaded = word2vec::load(Path::new(&path), word2vec::Options { binary, limit, invalid })?;
        Ok(LoadedWords { words: loaded.words, dim: loaded.dim as f64, handle: handle(env, loaded.storage) })
    })
}

/// Writes words and their vectors, (words, dim), as word2vec does.
#[napi(catch_unwind)]
pub fn save_word2vec(path: String, words: Vec<String>, table: Operand, dim: f64, binary: bool) -> bool {
    status(|| Ok(word2vec::save(Path::new(&path), &words, table.shared()?, size(dim)?, binary)?))
}
