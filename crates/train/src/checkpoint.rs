//! Checkpoints: everything that a run needs to resume, in one safetensors file that is written whole or not at all.
//!
//! `config` (uint8) describes the run, as its caller wrote it. `counters` (int64) holds the version, the fingerprint of
//! the corpus, and the place. The arrays of the model follow by name.

use crate::trainer::Trainer;
use bytemuck::Pod;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokenbed_core::storage::Part;
use tokenbed_core::{DType, Error, Result};
use tokenbed_io::safetensors::{self, Loaded, ToSave};
use tokenbed_io::{atomic, digest};
use tokenbed_memory::{Gather, List, Map, Slice};

/// The version that is written.
pub const VERSION: u64 = 2;

/// Identifies the file for people who inspect it.
const FORMAT: (&str, &str) = ("format", "tokenbed checkpoint");

/// Writes a checkpoint, and removes the temporary files of a run that was killed while it wrote one.
///
/// # Errors
/// [`Error::File`] if it cannot be written, in which case the previous file stays. [`Error::Usage`] after a loss that
/// is not finite, and for tables with such numbers.
pub fn save(trainer: &mut Trainer, path: &Path, config: &str) -> Result<()> {
    let arrays = trainer.arrays()?;
    let model = trainer.model()?;
    let mut counters = Vec::from([VERSION, model.fingerprint()]);
    counters.put_all(model.counters());
    let mut tensors = Vec::from([
        to_save("config", DType::UInt8, Vec::from([config.len()]), config.as_bytes()),
        to_save("counters", DType::Int64, Vec::from([counters.len()]), bytemuck::cast_slice(&counters)),
    ]);
    for array in &arrays {
        let bytes = bytemuck::cast_slice(&array.values);
        tensors.put(to_save(array.name, DType::Float32, array.shape.to_list(), bytes));
    }
    atomic::tidy(path);
    let metadata = [(FORMAT.0.into(), FORMAT.1.into()), (digest::KEY.into(), digest::of_tensors(&tensors))];
    safetensors::save(path, tensors, HashMap::from(metadata))
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
        Ok(self.part.elements::<T>().ok_or_else(|| wrong(path, "a tensor is not aligned"))?.to_list())
    }

    fn bytes(&self, path: &Path) -> Result<&[u8]> {
        self.part.elements().ok_or_else(|| wrong(path, "a tensor lies outside the file"))
    }
}

fn wrong(path: &Path, message: impl std::fmt::Display) -> Error {
    Error::Usage(format!("{}: {message}", path.display()))
}

/// An opened checkpoint. Its description and what is restored from it come from one file, even if another file takes
/// its name meanwhile.
pub struct Saved {
    path: PathBuf,
    tensors: HashMap<String, Read>,
}

/// Opens a checkpoint and compares all its bytes with their digest.
///
/// # Errors
/// [`Error::File`] if it cannot be opened; [`Error::Format`] if it differs from what was saved, because it is damaged
/// or cut short.
pub fn open(path: &Path) -> Result<Saved> {
    let opened = safetensors::open(path, None)?;
    let is_ours = opened.metadata(FORMAT.0).as_deref() == Some(FORMAT.1);
    let digest = opened.metadata(digest::KEY);
    let mut tensors = HashMap::new();
    for tensor in opened.tensors()? {
        let (name, read) = held(path, tensor)?;
        tensors.put(name, read);
    }
    // Files of other programs have neither; they fail below because of what they lack.
    if (is_ours || digest.is_some()) && !(is_ours && digest == Some(digest_of(path, &tensors)?)) {
        let message = "the digest of its bytes is not the one that was saved: it is damaged".into();
        return Err(Error::Format { path: path.to_path_buf(), offset: 0, message });
    }
    Ok(Saved { path: path.to_path_buf(), tensors })
}

fn digest_of(path: &Path, tensors: &HashMap<String, Read>) -> Result<String> {
    let borrowed = tensors
        .iter()
        .map(|(name, read)| Ok::<_, Error>(to_save(name, read.dtype, read.shape.clone(), read.bytes(path)?)));
    Ok(digest::of_tensors(&borrowed.try_into_list()?))
}

fn held(path: &Path, Loaded { name, dtype, shape, storage }: Loaded) -> Result<(String, Read)> {
    let part = Part::new(&Arc::new(storage), 0, shape.iter().product::<usize>() * dtype.size());
    let part = part.ok_or_else(|| wrong(path, "a tensor lies outside the file"))?;
    Ok((name, Read { shape, dtype, part }))
}

fn missing(path: &Path, name: &str) -> Error {
    wrong(path, format!("it is not a checkpoint: it has no tensor \"{name}\""))
}

impl Saved {
    /// The description of a checkpoint's run, as its caller wrote it.
    ///
    /// # Errors
    /// [`Error::Usage`] if the file is not a checkpoint, or has another version.
    pub fn config(&self) -> Result<String> {
        let Self { path, tensors } = self;
        self.counters()?;
        let config = tensors.get("config").filter(|read| read.dtype == DType::UInt8);
        let config = config.ok_or_else(|| missing(path, "config"))?;
        String::from_utf8(config.elements(path)?).map_err(|_| wrong(path, "its config is not UTF-8"))
    }

    /// The counters after the version, which must be the current one.
    fn counters(&self) -> Result<Vec<u64>> {
        let Self { path, tensors } = self;
        let read = tensors.get("counters").filter(|read| read.dtype == DType::Int64);
        let read = read.ok_or_else(|| missing(path, "counters"))?;
        let counters: Vec<u64> = read.elements(path)?;
        match counters.first() {
            Some(&VERSION) => Ok(counters[1..].to_list()),
            version => {
                let version = version.copied().unwrap_or(0);
                Err(wrong(
                    path,
                    format!("it is a checkpoint of version {version}, but this tokenbed reads version {VERSION}"),
                ))
            }
        }
    }
}

/// Resumes from a checkpoint. After an error the trainer is as it was.
///
/// # Errors
/// [`Error::Usage`] if the file is not a checkpoint, has another version, or belongs to another model or corpus;
/// [`Error::Format`] if its place is out of range.
pub fn restore(trainer: &mut Trainer, saved: &Saved) -> Result<()> {
    let Saved { path, tensors } = saved;
    let counters = saved.counters()?;
    let model = trainer.model()?;
    let [fingerprint, place @ ..] = &counters[..] else { return Err(missing(path, "counters")) };
    if place.len() != model.counters().len() {
        return Err(wrong(path, "it is a checkpoint of another objective"));
    }
    if *fingerprint != model.fingerprint() {
        return Err(wrong(path, "it was made with another corpus: give the one that it was made with"));
    }
    if !model.has_place(place) {
        let message = format!("it is damaged, or its config was changed: {place:?} is not a place in the corpus");
        return Err(Error::Format { path: path.to_path_buf(), offset: 0, message });
    }
    let names = model.tables().into_iter().chain(model.moments()).map(|array| (array.name, array.shape));
    let mut arrays: Vec<Vec<f32>> = Vec::new();
    for (name, shape) in names {
        let read = tensors
            .get(name)
            .ok_or_else(|| wrong(path, format!("it belongs to another model: it has no \"{name}\"")))?;
        if read.dtype != DType::Float32 || read.shape != shape {
            let message = format!(
                "it belongs to another model: \"{name}\" has the shape {:?}, but must have {shape:?}",
                read.shape
            );
            return Err(wrong(path, message));
        }
        arrays.put(read.elements(path)?);
    }
    model.restore(&arrays.iter().map(Vec::as_slice).into_list(), place);
    Ok(())
}
