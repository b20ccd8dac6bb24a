//! Checkpoints: all that a run needs to go on, in one safetensors file that is there whole or not at all.
//!
//! `config` (uint8): what the run is, as its maker wrote it; `counters` (int64): version, fingerprint of the corpus, place;
//! and the arrays of the model by name.

use crate::trainer::Trainer;
use bytemuck::Pod;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use tokenbed_core::storage::Part;
use tokenbed_core::{DType, Error, Result};
use tokenbed_io::atomic;
use tokenbed_io::safetensors::{self, Loaded, ToSave};

/// What this version writes.
pub const VERSION: u64 = 1;

/// Says what the file is, for those who look into it.
const FORMAT: (&str, &str) = ("format", "tokenbed checkpoint");

/// Writes a checkpoint, and removes what a run that was killed while it wrote one left beside it.
///
/// # Errors
/// [`Error::File`] where it cannot be written: what was there before stays. [`Error::Usage`] after a loss that was no
/// number, and for tables with such.
pub fn save(trainer: &mut Trainer, path: &Path, config: &str) -> Result<()> {
    let arrays = trainer.arrays()?;
    let model = trainer.model()?;
    let mut counters = vec![VERSION, model.fingerprint()];
    counters.extend(model.counters());
    let mut tensors = vec![
        to_save("config", DType::UInt8, vec![config.len()], config.as_bytes()),
        to_save("counters", DType::Int64, vec![counters.len()], bytemuck::cast_slice(&counters)),
    ];
    for array in &arrays {
        let bytes = bytemuck::cast_slice(&array.values);
        tensors.push(to_save(array.name, DType::Float32, array.shape.to_vec(), bytes));
    }
    atomic::tidy(path);
    safetensors::save(path, tensors, HashMap::from([(FORMAT.0.into(), FORMAT.1.into())]))
}

fn to_save<'a>(name: &str, dtype: DType, shape: Vec<usize>, bytes: &'a [u8]) -> ToSave<'a> {
    ToSave { name: name.into(), dtype, shape, bytes }
}

/// A tensor of a checkpoint.
struct Read {
    shape: Vec<usize>,
    dtype: DType,
    part: Part,
}

impl Read {
    fn elements<T: Pod>(&self, path: &Path) -> Result<Vec<T>> {
        Ok(self.part.elements::<T>().ok_or_else(|| wrong(path, "a tensor is not aligned"))?.to_vec())
    }
}

fn wrong(path: &Path, message: impl std::fmt::Display) -> Error {
    Error::Usage(format!("{}: {message}", path.display()))
}

fn read(path: &Path) -> Result<HashMap<String, Read>> {
    let loaded = safetensors::load(path)?;
    loaded.into_iter().map(|tensor| held(path, tensor)).collect()
}

fn held(path: &Path, Loaded { name, dtype, shape, storage }: Loaded) -> Result<(String, Read)> {
    let part = Part::new(&Arc::new(storage), 0, shape.iter().product::<usize>() * dtype.size());
    let part = part.ok_or_else(|| wrong(path, "a tensor lies outside of it"))?;
    Ok((name, Read { shape, dtype, part }))
}

fn missing(path: &Path, name: &str) -> Error {
    wrong(path, format!("is no checkpoint: it has no tensor \"{name}\""))
}

/// What the run of a checkpoint is, as its maker wrote it.
///
/// # Errors
/// [`Error::File`], [`Error::Format`] where it cannot be read, as one that was cut short; [`Error::Usage`] where it is no
/// checkpoint, or another version's.
pub fn config(path: &Path) -> Result<String> {
    let tensors = read(path)?;
    counters(path, &tensors)?;
    let config = tensors.get("config").filter(|read| read.dtype == DType::UInt8);
    let config = config.ok_or_else(|| missing(path, "config"))?;
    String::from_utf8(config.elements(path)?).map_err(|_| wrong(path, "its config is not text"))
}

/// The counters after the version, which is this one's.
fn counters(path: &Path, tensors: &HashMap<String, Read>) -> Result<Vec<u64>> {
    let read = tensors.get("counters").filter(|read| read.dtype == DType::Int64);
    let read = read.ok_or_else(|| missing(path, "counters"))?;
    let counters: Vec<u64> = read.elements(path)?;
    match counters.first() {
        Some(&VERSION) => Ok(counters[1..].to_vec()),
        version => {
            let version = version.copied().unwrap_or(0);
            Err(wrong(path, format!("is a checkpoint of version {version}; this tokenbed reads version {VERSION}")))
        }
    }
}

/// Goes on where a checkpoint was made. On an error the trainer is as it was.
///
/// # Errors
/// As [`config`], and [`Error::Usage`] where it is of another model or corpus.
pub fn restore(trainer: &mut Trainer, path: &Path) -> Result<()> {
    let tensors = read(path)?;
    let counters = counters(path, &tensors)?;
    let model = trainer.model()?;
    let [fingerprint, place @ ..] = &counters[..] else { return Err(missing(path, "counters")) };
    if place.len() != model.counters().len() {
        return Err(wrong(path, "is a checkpoint of another objective"));
    }
    if *fingerprint != model.fingerprint() {
        return Err(wrong(path, "was made with another corpus: give the one that it was made with"));
    }
    let names = model.tables().into_iter().chain(model.moments()).map(|array| (array.name, array.shape));
    let mut arrays: Vec<Vec<f32>> = Vec::new();
    for (name, shape) in names {
        let read =
            tensors.get(name).ok_or_else(|| wrong(path, format!("is of another model: it has no \"{name}\"")))?;
        if read.dtype != DType::Float32 || read.shape != shape {
            let message = format!("is of another model: \"{name}\" is {:?} there and {shape:?} here", read.shape);
            return Err(wrong(path, message));
        }
        arrays.push(read.elements(path)?);
    }
    model.restore(&arrays.iter().map(Vec::as_slice).collect::<Vec<_>>(), place);
    Ok(())
}
