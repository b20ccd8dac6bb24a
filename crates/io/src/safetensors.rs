//! The safetensors format, by its authors' crate. Every field of the header is checked before a tensor is handed out.

mod header;
pub(crate) mod rows;

use crate::atomic;
use crate::mapped::Source;
use crate::recognise::Wanted;
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use tokenbed_core::storage::Storage;
use tokenbed_core::{DType, Error, Result};
use tokenbed_memory::{Gather, List, Slice, owned};

/// A tensor of a file. If the file is mapped, the elements are read when they are first touched.
#[derive(Debug)]
pub struct Loaded {
    /// Name in the file.
    pub name: String,
    /// The element type.
    pub dtype: DType,
    /// The shape.
    pub shape: Vec<usize>,
    /// The elements: a part of the mapping, or a copy if there is no mapping or it does not align them.
    pub storage: Storage,
}

/// Loads the tensors of a file, in the order of their data. The size decides whether the file is mapped or read.
///
/// # Errors
/// [`Error::File`] if it cannot be opened; [`Error::Format`] if its header does not describe its bytes;
/// [`Error::DType`] for an element type that tensors here do not have.
pub fn load(path: &Path) -> Result<Vec<Loaded>> {
    open(path, None)?.tensors()
}

/// An open file whose header was read. All that it gives comes from this one file, even if another takes its name
/// meanwhile.
#[derive(Debug)]
pub struct Opened {
    file: Source,
    header: header::Header,
}

/// Opens a file that will be mapped or read. If `map` is `None`, the size decides.
///
/// # Errors
/// The same as [`load`].
pub fn open(path: &Path, map: Option<bool>) -> Result<Opened> {
    let file = Source::open(path, map)?;
    let header = header::read(&file).map_err(|error| file.named(Wanted::Safetensors, error))?;
    Ok(Opened { file, header })
}

impl Opened {
    /// A value of the metadata.
    pub fn metadata(&self, key: &str) -> Option<String> {
        self.header.metadata(key)
    }

    /// All metadata, as a JSON object of strings; `None` if there is none.
    pub fn all_metadata(&self) -> Option<&str> {
        self.header.all_metadata()
    }

    /// The header's entry for each tensor, in the order of their data, with any element type.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        self.header.tensors.iter().map(|(name, info)| entry(name, info))
    }

    /// The tensor of an index among [`Opened::entries`].
    ///
    /// # Errors
    /// [`Error::DType`] for an element type that tensors here do not have; [`Error::File`] if the file cannot be
    /// read.
    pub fn tensor(&self, index: usize) -> Result<Loaded> {
        let Some((name, info)) = self.header.tensors.get(index) else {
            return Err(Error::Usage(format!("no tensor {index}")));
        };
        let dtype = from_file(info.dtype).ok_or_else(|| no_place(self.file.path(), name, info.dtype))?;
        tensor(&self.file, self.header.data, dtype, owned(name), info.shape.to_list(), info.data_offsets)
    }

    /// The tensors, as [`load`] gives them.
    ///
    /// # Errors
    /// [`Error::DType`] for an element type that tensors here do not have; [`Error::File`] if the file cannot be
    /// read.
    pub fn tensors(self) -> Result<Vec<Loaded>> {
        if let Some(Entry { name, stored, .. }) = self.entries().find(|entry| entry.dtype.is_none()) {
            return Err(no_place(self.file.path(), name, stored));
        }
        self.readable()
    }

    /// The tensors, without those of an element type that tensors here do not have.
    ///
    /// # Errors
    /// [`Error::File`] if the file cannot be read.
    pub fn readable(self) -> Result<Vec<Loaded>> {
        let Self { file, header } = self;
        let known = |(name, info): (String, TensorInfo)| Some((from_file(info.dtype)?, name, info));
        let tensors = header.tensors.into_iter().filter_map(known);
        let data = header.data;
        tensors
            .map(|(dtype, name, info)| tensor(&file, data, dtype, name, info.shape, info.data_offsets))
            .try_into_list()
    }
}

/// The header's entry for a tensor.
#[derive(Debug)]
pub struct Entry<'a> {
    /// Name in the file.
    pub name: &'a str,
    /// The element type as the format calls it: `F32`, `F8_E4M3`.
    pub stored: Dtype,
    /// The element type of a tensor here, if there is one.
    pub dtype: Option<DType>,
    /// The shape.
    pub shape: &'a [usize],
    /// Size of the elements in bytes.
    pub bytes: usize,
}

fn entry<'a>(name: &'a str, info: &'a TensorInfo) -> Entry<'a> {
    let (start, end) = info.data_offsets;
    Entry { name, stored: info.dtype, dtype: from_file(info.dtype), shape: &info.shape, bytes: end - start }
}

/// The error for a tensor whose element type does not exist here.
fn no_place(path: &Path, name: &str, stored: Dtype) -> Error {
    let known = DType::ALL.iter().map(|dtype| dtype.name()).into_list().join(", ");
    Error::DType(format!(
        "{}: tensor \"{name}\" has elements of type {stored}, which is not supported; the supported types are {known}",
        path.display()
    ))
}

fn tensor(
    file: &Source,
    data: usize,
    dtype: DType,
    name: String,
    shape: Vec<usize>,
    (start, end): (usize, usize),
) -> Result<Loaded> {
    let (start, end) = (data + start, data + end);
    let outside = || file.malformed(start, format!("tensor \"{name}\" lies outside the file"));
    let storage = file.part(start, end - start, dtype)?.ok_or_else(outside)?;
    Ok(Loaded { dtype, shape, storage, name })
}

/// A tensor to write.
#[derive(Clone, Debug)]
pub struct ToSave<'a> {
    /// Name in the file.
    pub name: String,
    /// The element type.
    pub dtype: DType,
    /// The shape.
    pub shape: Vec<usize>,
    /// The elements, little endian.
    pub bytes: &'a [u8],
}

/// Writes tensors to a file, whole or not at all ([`atomic::write`]). The bytes of the file depend on the arguments
/// alone. Wide element types come first, so that all are aligned; then names decide the order.
///
/// # Errors
/// [`Error::File`] if it cannot be written; [`Error::Usage`] for a name given twice or one that the format reserves,
/// and for names, shapes and metadata that are longer than readers accept; [`Error::Shape`] if a shape does not fit
/// its bytes.
pub fn save(path: &Path, mut tensors: Vec<ToSave<'_>>, metadata: HashMap<String, String>) -> Result<()> {
    tensors.sort_by(|a, b| b.dtype.size().cmp(&a.dtype.size()).then_with(|| a.name.cmp(&b.name)));
    header::check_names(tensors.iter().map(|tensor| tensor.name.as_str()))?;
    for ToSave { name, dtype, shape, .. } in &tensors {
        let shape: Vec<_> = shape.iter().map(|&n| n as u64).into_list();
        header::SHAPES.check(&format!("tensor \"{name}\""), &shape, dtype.size())?;
    }
    let header = header(&tensors, metadata)?;
    header::check_length(header.len())?;
    atomic::write(path, |file| {
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(&header)?;
        tensors.iter().try_for_each(|tensor| file.write_all(tensor.bytes))
    })
}

#[allow(
    clippy::disallowed_methods,
    reason = "a map as the format's crate takes it: as many entries as tensors were named"
)]
fn header(tensors: &[ToSave<'_>], metadata: HashMap<String, String>) -> Result<Vec<u8>> {
    let mut end = 0;
    let infos = tensors.iter().map(|tensor| {
        let start = end;
        end += tensor.bytes.len();
        let info = TensorInfo { dtype: to_file(tensor.dtype), shape: tensor.shape.clone(), data_offsets: (start, end) };
        (tensor.name.clone(), info)
    });
    let wrong = |error: &dyn std::fmt::Display| Error::Shape(format!("these tensors cannot be written: {error}"));
    let metadata = Metadata::new((!metadata.is_empty()).then_some(metadata), infos.collect()).map_err(|e| wrong(&e))?;
    // Goes through a JSON value, whose keys are sorted: the crate's own maps have a new order in every process.
    let mut header = serde_json::to_value(&metadata).map_err(|e| wrong(&e))?.to_string().into_bytes();
    // The padding makes the data start at a multiple of eight.
    header.fill_to(header.len().next_multiple_of(8), b' ');
    Ok(header)
}

fn from_file(dtype: Dtype) -> Option<DType> {
    DType::ALL.into_iter().find(|&known| to_file(known) == dtype)
}

fn to_file(dtype: DType) -> Dtype {
    match dtype {
        DType::Float32 => Dtype::F32,
        DType::Float64 => Dtype::F64,
        DType::Float16 => Dtype::F16,
        DType::BFloat16 => Dtype::BF16,
        DType::Int8 => Dtype::I8,
        DType::UInt8 => Dtype::U8,
        DType::Int32 => Dtype::I32,
        DType::Int64 => Dtype::I64,
        DType::Bool => Dtype::BOOL,
    }
}
