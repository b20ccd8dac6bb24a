//! Zip archives of tensors: PyTorch's files and NumPy's.

use crate::files::tensors::{LoadedFile, LoadedTensor, NamedTensor, StoredTensor, handle, loaded, to_save};
use crate::node::borrowed_word::Word;
use crate::node::guard::{guard, status};
use crate::text::stream::ratio;
use napi::Env;
use napi_derive::napi;
use std::path::Path;
use tokenbed_io::{npz, torch};
use tokenbed_memory::{Gather, owned};

/// The tensors of a file of PyTorch.
#[napi(object, object_from_js = false)]
pub struct LoadedTorch {
    /// Elements, which several tensors may share. They have no names, and no shapes of their own.
    pub parts: Vec<LoadedTensor>,
    pub tensors: Vec<TorchTensor>,
    /// The tensors whose element type is not supported.
    pub skipped: Vec<StoredTensor>,
}

/// A tensor over elements of a file.
#[napi(object, object_from_js = false)]
pub struct TorchTensor {
    pub name: String,
    pub shape: Vec<f64>,
    /// The index of its elements.
    pub part: u32,
}

pub(crate) fn stored_in_torch(entry: torch::Stored<'_>) -> StoredTensor {
    StoredTensor {
        name: owned(entry.name),
        stored: entry.stored.into(),
        dtype: entry.dtype.map(Word),
        shape: numbers(entry.shape),
        bytes: entry.bytes as f64,
    }
}

fn numbers(shape: &[usize]) -> Vec<f64> {
    shape.iter().map(|&n| n as f64).into_list()
}

/// Loads all tensors of a file of PyTorch, mapped or read. Without `map`, the file's size decides.
#[napi(catch_unwind)]
pub fn load_torch(env: Env, path: String, map: Option<bool>) -> Option<LoadedTorch> {
    guard(|| {
        let opened = torch::open(Path::new(&path), map)?;
        let skipped = opened.entries().filter(|entry| entry.dtype.is_none()).map(stored_in_torch).into_list();
        let torch::Tensors { parts, names } = opened.readable()?;
        let part = |torch::Part { dtype, storage }| LoadedTensor {
            name: String::new(),
            dtype: Word(dtype),
            shape: Vec::new(),
            mapped: storage.is_mapped(),
            handle: handle(env, storage),
        };
        let tensor = |(name, shape, part): (String, Vec<usize>, usize)| TorchTensor {
            name,
            shape: numbers(&shape),
            part: part as u32,
        };
        let parts = parts.into_iter().map(part).into_list();
        Ok(LoadedTorch { parts, tensors: names.into_iter().map(tensor).into_list(), skipped })
    })
}

/// Loads the arrays of an npz file, mapped or read. Without `map`, the file's size decides.
#[napi(catch_unwind)]
pub fn load_npz(env: Env, path: String, map: Option<bool>, max_ratio: Option<f64>) -> Option<LoadedFile> {
    guard(|| {
        let npz::Arrays { tensors, skipped } = npz::load(Path::new(&path), map, ratio(max_ratio)?)?;
        let skipped = skipped.into_iter().map(|npz::Skipped { name, stored, shape, bytes }| StoredTensor {
            name,
            stored,
            dtype: None,
            shape: numbers(&shape),
            bytes: bytes as f64,
        });
        let tensors = tensors.into_iter().map(|tensor| loaded(env, tensor)).into_list();
        Ok(LoadedFile { tensors, skipped: skipped.into_list(), metadata: None })
    })
}

/// Writes tensors in NumPy's archive of arrays.
#[napi(catch_unwind)]
pub fn save_npz(path: String, tensors: Vec<NamedTensor>) -> bool {
    status(|| Ok(npz::save(Path::new(&path), &to_save(&tensors)?)?))
}
