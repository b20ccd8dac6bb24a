//! The elements of a file: NumPy's name for their type, and the type here that holds all its values.

use super::literal::Literal;
use tokenbed_core::DType;
use tokenbed_memory::{Gather, owned};

/// The type of elements in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    /// The type that holds them here.
    pub dtype: DType,
    /// Size of an element in the file, in bytes.
    pub size: usize,
    pub signed: bool,
    pub big_endian: bool,
}

impl Stored {
    /// Whether the file's bytes are already those of a tensor.
    pub(super) fn is_ours(self) -> bool {
        self.size == self.dtype.size() && !self.big_endian
    }
}

/// The type that a `descr` names, or the message of an error if no type here can hold such elements.
pub(super) fn stored((descr, text): (Literal<'_>, &str)) -> Result<Stored, String> {
    if let Literal::Text(name) = descr
        && let Some(stored) = simple(name)
    {
        return Ok(stored);
    }
    let advice = match descr {
        Literal::Text(name) if name.ends_with("u8") => {
            "convert it in NumPy with array.astype('int64'), if every value fits"
        }
        Literal::Text(name) if name.ends_with("V2") => {
            "if it was bfloat16, convert it in NumPy with array.astype('float32'), or save it as safetensors"
        }
        Literal::Text(name) if name.ends_with('O') => "objects of Python are not numbers",
        Literal::Text(_) => "convert it in NumPy with array.astype(...)",
        _ => "save each field as an array of its own",
    };
    let known: Vec<_> = DType::ALL.iter().map(|dtype| dtype.name()).into_list();
    Err(format!(
        "elements of type {} are not supported; {advice}; the supported types are {}",
        shown(text),
        known.join(", ")
    ))
}

/// A type as the header writes it. A long structure is cut, to keep messages short.
pub(super) fn shown(text: &str) -> String {
    owned(text.char_indices().nth(100).map_or(text, |(end, _)| &text[..end]))
}

fn simple(name: &str) -> Option<Stored> {
    let (big_endian, rest) = match name.strip_prefix(['<', '>', '=', '|']) {
        Some(rest) => (name.starts_with('>'), rest),
        None => (false, name),
    };
    let (dtype, size) = match rest {
        "f2" => (DType::Float16, 2),
        "f4" => (DType::Float32, 4),
        "f8" => (DType::Float64, 8),
        "i1" => (DType::Int8, 1),
        "u1" => (DType::UInt8, 1),
        "i2" | "u2" => (DType::Int32, 2),
        "i4" => (DType::Int32, 4),
        "u4" => (DType::Int64, 4),
        "i8" => (DType::Int64, 8),
        "b1" => (DType::Bool, 1),
        _ => return None,
    };
    Some(Stored { dtype, size, signed: !rest.starts_with('u'), big_endian: big_endian && size > 1 })
}
