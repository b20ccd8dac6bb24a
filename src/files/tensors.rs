//! Files of tensors.

use crate::layers::async_forward::elements;
use crate::node::borrow::{Operand, sizes};
use crate::node::borrowed_word::Word;
use crate::node::buffers::Handle;
use crate::node::external::External;
use crate::node::guard::{Failure, guard, status};
use crate::node::work::{self, Errand, GoOn, Work};
use crate::search::rows::{part, room};
use napi::Env;
use napi_derive::napi;
use std::cell::RefCell;
use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use tokenbed_core::DType;
use tokenbed_core::storage::{Part, Storage};
use tokenbed_io::npy::{self, Array};
use tokenbed_io::recognise::{Wanted, recognise};
use tokenbed_io::safetensors::{self, ToSave};
use tokenbed_io::{atomic, digest};
use tokenbed_memory::{Gather, List, map_of, owned};

/// A tensor that was loaded from a file.
#[napi(object, object_from_js = false)]
pub struct LoadedTensor {
    pub name: String,
    pub dtype: Word<DType>,
    pub shape: Vec<f64>,
    /// Whether the data lies in a mapped file.
    pub mapped: bool,
    pub handle: External<Handle>,
}

/// What the header of a file says about one tensor.
#[napi(object, object_from_js = false)]
pub struct StoredTensor {
    pub name: String,
    /// The element type, in the format's own spelling.
    pub stored: String,
    /// Absent if tensors do not support this element type.
    pub dtype: Option<Word<DType>>,
    pub shape: Vec<f64>,
    pub bytes: f64,
}

/// The tensors of a file.
#[napi(object, object_from_js = false)]
pub struct LoadedFile {
    pub tensors: Vec<LoadedTensor>,
    /// The tensors whose element type is not supported.
    pub skipped: Vec<StoredTensor>,
    /// The file's metadata, as JSON.
    pub metadata: Option<String>,
}

/// What the header of a file says.
#[napi(object, object_from_js = false)]
pub struct InspectedFile {
    pub tensors: Vec<StoredTensor>,
    /// The file's metadata, as JSON.
    pub metadata: Option<String>,
}

/// Loads all tensors of a file, mapped or read. Without `map`, the file's size decides.
#[napi(catch_unwind)]
pub fn load_safetensors(env: Env, path: String, map: Option<bool>) -> Option<LoadedFile> {
    guard(|| {
        let opened = safetensors::open(Path::new(&path), map)?;
        let metadata = opened.all_metadata().map(owned);
        let skipped = opened.entries().filter(|entry| entry.dtype.is_none()).map(stored).into_list();
        let tensors = opened.readable()?.into_iter().map(|tensor| loaded(env, tensor)).into_list();
        Ok(LoadedFile { tensors, skipped, metadata })
    })
}

/// Reads the header of a file, but not its tensors.
#[napi(catch_unwind)]
pub fn inspect_safetensors(path: String) -> Option<InspectedFile> {
    guard(|| {
        let opened = safetensors::open(Path::new(&path), Some(false))?;
        let tensors = opened.entries().map(stored).into_list();
        Ok(InspectedFile { tensors, metadata: opened.all_metadata().map(owned) })
    })
}

pub(crate) fn stored(entry: safetensors::Entry<'_>) -> StoredTensor {
    StoredTensor {
        name: owned(entry.name),
        stored: entry.stored.to_string(),
        dtype: entry.dtype.map(Word),
        shape: entry.shape.iter().map(|&n| n as f64).into_list(),
        bytes: entry.bytes as f64,
    }
}

/// A file, and the entry of its metadata that says what it is.
#[napi(object, object_from_js = false)]
pub struct MarkedFile {
    /// The entry of the metadata, if the file has it.
    pub mark: Option<String>,
    /// The file's tensors; absent if the entry is missing or differs from the wanted one.
    pub tensors: Option<Vec<LoadedTensor>>,
    /// The file's metadata, as JSON.
    pub metadata: Option<String>,
}

/// Loads all tensors of a file, mapped or read, with one entry of its metadata. If the entry is missing or differs from
/// the wanted one, only the entry is returned. Everything comes from one file, even if another file takes its name
/// meanwhile.
#[napi(catch_unwind)]
pub fn load_marked(
    env: Env,
    path: String,
    key: String,
    wanted: Option<String>,
    map: Option<bool>,
) -> Option<MarkedFile> {
    guard(|| {
        let opened = safetensors::open(Path::new(&path), map)?;
        let mark = opened.metadata(&key);
        let is_meant = mark.is_some() && (wanted.is_none() || wanted == mark);
        let metadata = opened.all_metadata().map(owned);
        let tensors = is_meant.then(|| opened.tensors()).transpose()?;
        let tensors = tensors.map(|all| all.into_iter().map(|one| loaded(env, one)).into_list());
        Ok(MarkedFile { mark, tensors, metadata })
    })
}

pub(crate) fn loaded(env: Env, tensor: safetensors::Loaded) -> LoadedTensor {
    LoadedTensor {
        name: tensor.name,
        dtype: Word(tensor.dtype),
        shape: tensor.shape.iter().map(|&n| n as f64).into_list(),
        mapped: tensor.storage.is_mapped(),
        handle: handle(env, tensor.storage),
    }
}

/// A tensor to be written.
#[napi(object, object_to_js = false)]
pub struct NamedTensor {
    pub name: String,
    pub dtype: Word<DType>,
    pub shape: Vec<f64>,
    pub data: Operand,
}

/// An entry of a file's metadata.
#[napi(object, object_to_js = false)]
pub struct MetadataEntry {
    pub key: String,
    pub text: String,
}

/// The metadata entries of a file, keyed by name.
pub(crate) fn metadata_of(entries: Vec<MetadataEntry>) -> HashMap<String, String> {
    map_of(entries.into_iter().map(|MetadataEntry { key, text }| (key, text)))
}

/// The digest of tensors.
#[napi(catch_unwind)]
pub fn digest_tensors(tensors: Vec<NamedTensor>) -> Option<String> {
    guard(|| Ok(digest::of_tensors(&to_save(&tensors)?)))
}

pub(crate) fn to_save(tensors: &[NamedTensor]) -> Result<Vec<ToSave<'_>>, Failure> {
    let all = tensors.iter().map(|NamedTensor { name, dtype, shape, data }| {
        Ok::<_, Failure>(ToSave { name: owned(name), dtype: dtype.0, shape: sizes(shape)?, bytes: data.shared()? })
    });
    all.try_into_list()
}

/// Writes tensors and metadata.
#[napi(catch_unwind)]
pub fn save_safetensors(path: String, tensors: Vec<NamedTensor>, metadata: Vec<MetadataEntry>) -> bool {
    status(|| Ok(safetensors::save(Path::new(&path), to_save(&tensors)?, metadata_of(metadata))?))
}

/// A tensor that is held for work off the thread.
struct HeldTensor {
    name: String,
    dtype: DType,
    shape: Vec<usize>,
    elements: Part,
}

/// Tensors that are gathered for work off the thread, which takes them.
pub struct HeldTensors(RefCell<Vec<HeldTensor>>);

/// A list for tensors, which is empty.
#[napi(catch_unwind)]
pub fn held_tensors() -> Option<External<HeldTensors>> {
    guard(|| Ok(External::new(HeldTensors(RefCell::new(Vec::new())))))
}

/// Adds a tensor to a list.
#[napi(catch_unwind)]
pub fn hold_tensor(
    list: &External<HeldTensors>,
    name: String,
    dtype: Word<DType>,
    shape: Vec<f64>,
    data: &External<Handle>,
) -> bool {
    status(|| {
        let held = HeldTensor { name, dtype: dtype.0, shape: sizes(&shape)?, elements: data.hold()? };
        list.0.borrow_mut().put(held);
        Ok(())
    })
}

fn held_to_save(tensors: &[HeldTensor]) -> Result<Vec<ToSave<'_>>, Failure> {
    let all = tensors.iter().map(|HeldTensor { name, dtype, shape, elements: part }| {
        let shape = shape.iter().copied().into_list();
        Ok::<_, Failure>(ToSave { name: owned(name), dtype: *dtype, shape, bytes: elements(part)? })
    });
    all.try_into_list()
}

struct HeldDigest(Vec<HeldTensor>);

impl Errand for HeldDigest {
    fn run(self: Box<Self>, _: &GoOn) -> Result<Vec<Storage>, Failure> {
        let digest = digest::of_tensors(&held_to_save(&self.0)?);
        let mut result = room(digest.len(), 1)?;
        part::<u8>(&mut result)?.copy_from_slice(digest.as_bytes());
        Ok(Vec::from([result]))
    }
}

/// What `digestTensors` computes, as work to be queued; its result is the text of the digest.
#[napi(catch_unwind)]
pub fn digest_work(list: &External<HeldTensors>) -> Option<External<Work>> {
    work::work(|| Ok(HeldDigest(list.0.take())))
}

struct HeldSave {
    path: PathBuf,
    tensors: Vec<HeldTensor>,
    metadata: HashMap<String, String>,
}

impl Errand for HeldSave {
    fn run(self: Box<Self>, _: &GoOn) -> Result<Vec<Storage>, Failure> {
        safetensors::save(&self.path, held_to_save(&self.tensors)?, self.metadata)?;
        Ok(Vec::new())
    }
}

/// What `saveSafetensors` does, as work to be queued, which has no result.
#[napi(catch_unwind)]
pub fn save_safetensors_work(
    path: String,
    list: &External<HeldTensors>,
    metadata: Vec<MetadataEntry>,
) -> Option<External<Work>> {
    work::work(|| Ok(HeldSave { path: path.into(), tensors: list.0.take(), metadata: metadata_of(metadata) }))
}

struct HeldBytes {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Errand for HeldBytes {
    fn run(self: Box<Self>, _: &GoOn) -> Result<Vec<Storage>, Failure> {
        atomic::write(&self.path, |file| file.write_all(&self.bytes))?;
        Ok(Vec::new())
    }
}

/// What `writeWhole` does, as work to be queued, which has no result; the bytes are copied.
#[napi(catch_unwind)]
pub fn write_whole_work(path: String, bytes: Operand) -> Option<External<Work>> {
    work::work(|| Ok(HeldBytes { path: path.into(), bytes: bytes.shared::<u8>()?.iter().copied().into_list() }))
}

/// Makes a handle for loaded data. V8 is told of memory that was copied, but not of mapped files.
pub(crate) fn handle(env: Env, storage: Storage) -> External<Handle> {
    let mapped = storage.is_mapped();
    Handle::new(env, storage, mapped)
}

/// Loads the array of an npy file, mapped or read. The tensor's name is empty.
#[napi(catch_unwind)]
pub fn load_npy(env: Env, path: String, map: Option<bool>) -> Option<LoadedTensor> {
    guard(|| {
        let Array { dtype, shape, storage } = npy::load(Path::new(&path), map)?;
        let shape = shape.iter().map(|&n| n as f64).into_list();
        let mapped = storage.is_mapped();
        Ok(LoadedTensor { name: String::new(), dtype: Word(dtype), shape, mapped, handle: handle(env, storage) })
    })
}

/// Writes one tensor in NumPy's format.
#[napi(catch_unwind)]
pub fn save_npy(path: String, dtype: Word<DType>, shape: Vec<f64>, data: Operand) -> bool {
    status(|| Ok(npy::save(Path::new(&path), dtype.0, &sizes(&shape)?, data.shared()?)?))
}

/// Writes bytes to a file, whole or not at all.
#[napi(catch_unwind)]
pub fn write_whole(path: String, bytes: Operand) -> bool {
    status(|| {
        let bytes = bytes.shared::<u8>()?;
        Ok(atomic::write(Path::new(&path), |file| file.write_all(bytes))?)
    })
}

/// Tells from its first bytes what a file is, if it is not one of a model folder's files.
#[napi(catch_unwind)]
pub fn recognise_file(start: Operand) -> Option<RecognisedFile> {
    guard(|| {
        let found = recognise(start.shared()?, Wanted::Own);
        Ok(RecognisedFile { message: found.map(|found| found.instead_of(Wanted::Own)) })
    })
}

/// What kind of file was found.
#[napi(object, object_from_js = false)]
pub struct RecognisedFile {
    /// Absent if the kind is not known.
    pub message: Option<String>,
}
