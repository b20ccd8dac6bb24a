//! The header: the metadata's keys and places, and the tensors, all of which are checked.

use super::kinds;
use super::walk::{MOST, Walk};
use crate::mapped::Source;
use crate::recognise::Wanted;
use std::path::Path;
use tokenbed_core::Result;
use tokenbed_memory::{Gather, List};

/// Deepest nesting of arrays.
const DEEPEST: usize = 64;
/// Largest number of dimensions of a tensor.
const DIMENSIONS: u32 = 4;
/// Longest name of a tensor, and longest key.
const NAME: u64 = 65535;
/// Where the data begins is a multiple of this, unless the metadata say otherwise.
const ALIGNMENT: u64 = 32;

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    Text,
    Array,
    U64,
    I64,
    F64,
}

impl Type {
    const ALL: [Type; 13] = [
        Type::U8,
        Type::I8,
        Type::U16,
        Type::I16,
        Type::U32,
        Type::I32,
        Type::F32,
        Type::Bool,
        Type::Text,
        Type::Array,
        Type::U64,
        Type::I64,
        Type::F64,
    ];

    /// Reads the number of a type.
    pub(super) fn read(walk: &mut Walk<'_>) -> Result<Self> {
        let before = walk.at();
        let number = walk.u32("the type of a value")?;
        let known = Self::ALL.get(number as usize).copied();
        known.ok_or_else(|| walk.wrong(before, format!("a value of type {number}, where 0 to 12 are known")))
    }

    /// The bytes of a value that always has the same number of them.
    fn bytes(self) -> Option<u64> {
        match self {
            Type::U8 | Type::I8 | Type::Bool => Some(1),
            Type::U16 | Type::I16 => Some(2),
            Type::U32 | Type::I32 | Type::F32 => Some(4),
            Type::U64 | Type::I64 | Type::F64 => Some(8),
            Type::Text | Type::Array => None,
        }
    }
}

/// A key, and where its value is.
#[derive(Debug)]
pub(super) struct Pair {
    pub key: String,
    pub kind: Type,
    /// Byte offset of the value.
    pub at: usize,
}

/// A tensor.
#[derive(Debug)]
pub(super) struct Tensor {
    pub name: String,
    /// Byte offset of its entry.
    pub at: usize,
    pub kind: u32,
    pub shape: Vec<usize>,
    /// Byte offset of its elements within the data.
    pub start: usize,
    /// Number of bytes of its elements; 0 where the type is not known.
    pub bytes: usize,
}

/// The content of a header. All tensors lie within the file and do not overlap.
#[derive(Debug)]
pub(super) struct Header {
    pub pairs: Vec<Pair>,
    pub tensors: Vec<Tensor>,
    /// Byte offset of the data.
    pub data: usize,
}

impl Header {
    /// The place of a key, and its pair.
    pub(super) fn pair(&self, key: &str) -> Option<&Pair> {
        self.pairs.iter().find(|pair| pair.key == key)
    }
}

/// Opens a file and reads its header.
pub(super) fn open(path: &Path) -> Result<(Source, Header)> {
    let file = Source::open(path, None)?;
    let header = read(&file).map_err(|error| file.named(Wanted::Gguf, error))?;
    // What is read later must not keep a file open until somebody collects it.
    Ok((file.held()?, header))
}

fn read(file: &Source) -> Result<Header> {
    let mut walk = Walk::new(file, 0);
    let (tensors, pairs) = start(&mut walk)?;
    let pairs = read_pairs(&mut walk, pairs)?;
    let tensors = read_tensors(&mut walk, tensors)?;
    let mut header = Header { pairs, tensors, data: 0 };
    let alignment = alignment(file, &header)?;
    let end = walk.at() as u64;
    let data = end.checked_next_multiple_of(alignment).unwrap_or(u64::MAX);
    if header.tensors.is_empty() {
        header.data = file.len();
        return Ok(header);
    }
    if data > file.len() as u64 {
        return Err(walk.wrong(walk.at(), "the file ends before the elements of its tensors: cut short".into()));
    }
    header.data = data as usize;
    check(&walk, &header, alignment)?;
    Ok(header)
}

/// Reads what comes first: the numbers of tensors and of pairs.
fn start(walk: &mut Walk<'_>) -> Result<(u64, u64)> {
    let magic = walk.u32("the beginning of a GGUF file")?;
    if magic.to_le_bytes() != *b"GGUF" {
        return Err(walk.wrong(0, "it does not begin with GGUF: not a GGUF file".into()));
    }
    let version = walk.u32("the version")?;
    match version {
        2 | 3 => {}
        _ if version & 0xffff == 0 && version != 0 => {
            let message = "a GGUF file in big endian, as for s390x: little endian is read, convert it with \
                           gguf_convert_endian.py of llama.cpp";
            return Err(walk.wrong(4, message.into()));
        }
        _ => {
            let message = format!("version {version} of GGUF, where 2 and 3 are known: convert the model again");
            return Err(walk.wrong(4, message));
        }
    }
    let before = walk.at();
    let (tensors, pairs) = (walk.u64("the number of tensors")?, walk.u64("the number of pairs")?);
    // The shortest entry of a tensor takes 24 bytes, the shortest pair 13.
    let least = tensors.checked_mul(24).and_then(|bytes| bytes.checked_add(pairs.checked_mul(13)?));
    if least.is_none_or(|bytes| bytes > walk.left() as u64) {
        let message = format!("{tensors} tensors and {pairs} pairs, more than the file has room for");
        return Err(walk.wrong(before, message));
    }
    Ok((tensors, pairs))
}

fn read_pairs(walk: &mut Walk<'_>, count: u64) -> Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    for _ in 0..count {
        let key = walk.text(NAME, "a key")?;
        let kind = Type::read(walk)?;
        let at = walk.at();
        pass(walk, kind, 0)?;
        pairs.put(Pair { key, kind, at });
    }
    let mut by_key: Vec<u32> = (0..pairs.len() as u32).into_list();
    by_key.sort_unstable_by_key(|&place| pairs[place as usize].key.as_str());
    let key = |place: u32| pairs[place as usize].key.as_str();
    if let Some(two) = by_key.windows(2).find(|two| key(two[0]) == key(two[1])) {
        let later = &pairs[two[0].max(two[1]) as usize];
        return Err(walk.wrong(later.at, format!("the key \"{}\" is there twice", later.key)));
    }
    Ok(pairs)
}

/// Passes a value.
fn pass(walk: &mut Walk<'_>, kind: Type, depth: usize) -> Result<()> {
    if let Some(bytes) = kind.bytes() {
        return walk.skip(bytes, "a value");
    }
    if kind == Type::Text {
        let length = walk.length(MOST, "a text")?;
        return walk.skip(length as u64, "a text");
    }
    let (kind, count) = array(walk, depth)?;
    if let Some(bytes) = kind.bytes() {
        return walk.skip(bytes * count, "an array");
    }
    for _ in 0..count {
        pass(walk, kind, depth + 1)?;
    }
    Ok(())
}

/// Reads the beginning of an array: the type of its elements, and their number.
pub(super) fn array(walk: &mut Walk<'_>, depth: usize) -> Result<(Type, u64)> {
    let before = walk.at();
    if depth >= DEEPEST {
        return Err(walk.wrong(before, format!("arrays within arrays, more than {DEEPEST} deep")));
    }
    let kind = Type::read(walk)?;
    let count = walk.u64("the length of an array")?;
    if count > MOST {
        let message = format!("an array of {count} elements, and at most {MOST} are read");
        return Err(walk.wrong(before, message));
    }
    Ok((kind, count))
}

fn read_tensors(walk: &mut Walk<'_>, count: u64) -> Result<Vec<Tensor>> {
    let mut tensors = Vec::new();
    for _ in 0..count {
        let at = walk.at();
        let name = walk.text(NAME, "the name of a tensor")?;
        let dimensions = walk.u32("the number of dimensions")?;
        if dimensions > DIMENSIONS {
            let message = format!("tensor \"{name}\" has {dimensions} dimensions; known: up to {DIMENSIONS}");
            return Err(walk.wrong(at, message));
        }
        let mut shape = Vec::new();
        for _ in 0..dimensions {
            let size = walk.u64("a size of a tensor")?;
            let size = usize::try_from(size);
            shape.put(size.map_err(|_| walk.wrong(at, format!("a size of tensor \"{name}\" is beyond any memory")))?);
        }
        // The file begins with the size of a row, everything else here ends with it.
        shape.reverse();
        shape.trim_to(0);
        let kind = walk.u32("the type of a tensor")?;
        let start = walk.u64("the place of a tensor")?;
        let start = usize::try_from(start).map_err(|_| walk.wrong(at, beyond(&name)))?;
        let bytes = bytes_of(&shape, kind).map_err(|why| walk.wrong(at, format!("tensor \"{name}\" {why}")))?;
        tensors.put(Tensor { name, at, kind, shape, start, bytes });
    }
    Ok(tensors)
}

fn beyond(name: &str) -> String {
    format!("tensor \"{name}\" lies beyond the end of the file: cut short")
}

/// The number of bytes of a tensor; 0 if its type is not known.
fn bytes_of(shape: &[usize], kind: u32) -> std::result::Result<usize, String> {
    let too_large = || "has more elements than any memory".to_owned();
    let elements = shape.iter().try_fold(1usize, |all, &size| all.checked_mul(size)).ok_or_else(too_large)?;
    let Some((of_block, bytes)) = kinds::block(kind) else { return Ok(0) };
    let row = shape.last().copied().unwrap_or(1);
    if !row.is_multiple_of(of_block) {
        let name = kinds::name(kind);
        return Err(format!("has rows of {row} elements, which are no whole blocks of {name} ({of_block} each)"));
    }
    (elements / of_block).checked_mul(bytes).filter(|&bytes| bytes <= isize::MAX as usize).ok_or_else(too_large)
}

/// What the metadata say of the alignment.
fn alignment(file: &Source, header: &Header) -> Result<u64> {
    let Some(pair) = header.pair("general.alignment") else { return Ok(ALIGNMENT) };
    let alignment = if pair.kind == Type::U32 { Walk::new(file, pair.at).u32("the alignment")? } else { 0 };
    if alignment.is_power_of_two() {
        return Ok(alignment.into());
    }
    Err(file.malformed(pair.at, "general.alignment is no u32 that is a power of two".into()))
}

/// Checks that the tensors lie within the data and do not overlap.
fn check(walk: &Walk<'_>, header: &Header, alignment: u64) -> Result<()> {
    let (len, tensors) = (walk.at() + walk.left() - header.data, &header.tensors);
    let mut in_order: Vec<u32> = (0..tensors.len() as u32).into_list();
    let tensor = |place: &u32| &tensors[*place as usize];
    // Empty tensors stand at the places of others, and come before them.
    in_order.sort_unstable_by_key(|place| (tensor(place).start, tensor(place).bytes));
    let mut end = 0;
    for tensor in in_order.iter().map(tensor) {
        let Tensor { name, at, start, bytes, .. } = tensor;
        if !(*start as u64).is_multiple_of(alignment) {
            let message = format!("tensor \"{name}\" begins at {start}, which is no multiple of {alignment}");
            return Err(walk.wrong(*at, message));
        }
        let to = start.checked_add(*bytes).filter(|&to| to <= len).ok_or_else(|| walk.wrong(*at, beyond(name)))?;
        if *start < end {
            return Err(walk.wrong(*at, format!("tensor \"{name}\" overlaps the one before it")));
        }
        end = to;
    }
    Ok(())
}
