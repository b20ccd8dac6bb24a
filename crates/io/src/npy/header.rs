//! The header of an npy file. As in NumPy's own files, there is room for the first size to grow, so that the header's
//! length does not depend on the number of rows.

use super::literal::{Literal, Reader};
use crate::limits::Shapes;
use tokenbed_core::{DType, Error, Result};
use tokenbed_memory::{Gather, List, Text, with_room};

/// The first bytes of every file.
pub(super) const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// The data starts at a multiple of this.
const ALIGNMENT: usize = 64;
/// Number of digits for which the first size has room.
const ROOM: usize = 21;

/// Length of the longest header that is accepted. NumPy itself trusts none above 10 000 bytes.
const MOST_BYTES: usize = 1 << 20;

/// The shapes that NumPy reads from version 2 on. Version 1 reads 32 dimensions.
pub(super) const SHAPES: Shapes = Shapes { dimensions: 64, without_zeros: true };

/// A byte offset in the file, and what is wrong there.
pub(super) type Wrong = (usize, String);

/// The content of a header.
#[derive(Debug)]
pub(super) struct Header<'a> {
    /// The type of the elements, and its text in the header.
    pub descr: (Literal<'a>, &'a str),
    pub fortran: bool,
    pub shape: Vec<usize>,
    /// Byte offset of the shape.
    pub shape_at: usize,
    /// Byte offset of the elements, within the file or at its end.
    pub data: usize,
}

/// Largest number of bytes before the header.
pub(super) const BEFORE: usize = MAGIC.len() + 2 + 4;

/// Number of bytes of a file that [`read`] needs, from its first ones.
pub(super) fn extent(start: &[u8]) -> usize {
    let after = start.get(MAGIC.len() + 2..).unwrap_or_default();
    let len = match start.get(MAGIC.len()) {
        Some(1) => after.first_chunk().map(|len| u32::from(u16::from_le_bytes(*len))),
        _ => after.first_chunk().map(|len| u32::from_le_bytes(*len)),
    };
    BEFORE + len.map_or(0, |len| (len as usize).min(MOST_BYTES))
}

/// Reads and checks the header of a file of `size` bytes. `file` has as many of them as [`extent`] says.
pub(super) fn read(file: &[u8], size: usize) -> std::result::Result<Header<'_>, Wrong> {
    let Some(rest) = file.strip_prefix(MAGIC) else {
        return Err((0, "not an .npy file, which starts with \\x93NUMPY".into()));
    };
    let cut = || (size, format!("the header is longer than the file's {size} bytes: cut short"));
    let (version, rest) = rest.split_first_chunk::<2>().ok_or_else(cut)?;
    let (len, rest) = match version {
        [1, 0] => rest.split_first_chunk().map(|(len, rest)| (u32::from(u16::from_le_bytes(*len)), rest)),
        [2 | 3, 0] => rest.split_first_chunk().map(|(len, rest)| (u32::from_le_bytes(*len), rest)),
        [major, minor] => {
            return Err((
                MAGIC.len(),
                format!("unknown version {major}.{minor} of the format; the known ones are 1.0, 2.0 and 3.0"),
            ));
        }
    }
    .ok_or_else(cut)?;
    let start = file.len() - rest.len();
    let len = len as usize;
    if len > size - start {
        return Err(cut());
    }
    if len > MOST_BYTES {
        return Err((MAGIC.len() + 2, format!("the header has {len} bytes, more than any array needs")));
    }
    let bytes = rest.get(..len).ok_or_else(cut)?;
    // Headers of older versions are Latin-1. Only names of fields can contain anything but ASCII, and fields are not
    // supported.
    let text =
        std::str::from_utf8(bytes).map_err(|e| (start + e.valid_up_to(), "the header is not UTF-8".to_string()))?;
    fields(text, start)
}

fn fields(text: &str, start: usize) -> std::result::Result<Header<'_>, Wrong> {
    let entries = Reader::new(text).dictionary().map_err(|(at, message)| (start + at, message))?;
    let (mut descr, mut fortran, mut shape) = (None, None, None);
    for (name, value, place) in entries {
        let at = start + place.start;
        let twice = match (name, value) {
            ("descr", value) => descr.replace((value, &text[place])).is_some(),
            ("fortran_order", Literal::Truth(value)) => fortran.replace(value).is_some(),
            ("shape", Literal::Numbers(sizes)) => shape.replace((sizes, at)).is_some(),
            ("fortran_order", _) => return Err((at, "fortran_order is neither True nor False".into())),
            ("shape", _) => return Err((at, "the shape is not a tuple of whole numbers".into())),
            (name, _) => return Err((at, format!("the header has an unknown entry {name:?}"))),
        };
        if twice {
            return Err((at, format!("the header has two entries {name:?}")));
        }
    }
    let (Some(descr), Some(fortran), Some((sizes, shape_at))) = (descr, fortran, shape) else {
        return Err((start, "the header must have descr, fortran_order and shape".into()));
    };
    let shape = sizes.into_iter().map(usize::try_from).try_into_list();
    let shape = shape.map_err(|_| (shape_at, "the shape has a size that is negative or beyond memory".to_string()))?;
    Ok(Header { descr, fortran, shape, shape_at, data: start + text.len() })
}

/// Number of elements in a shape, or a message if memory cannot hold them at `size` bytes each.
pub(super) fn elements(shape: &[usize], size: usize) -> std::result::Result<usize, String> {
    if shape.contains(&0) {
        return Ok(0);
    }
    let bytes = shape.iter().try_fold(size, |bytes, &n| bytes.checked_mul(n));
    match bytes.filter(|&bytes| bytes <= isize::MAX as usize) {
        Some(bytes) => Ok(bytes / size),
        None => Err("the shape has more elements than memory".into()),
    }
}

/// A header for elements of this type and shape.
///
/// # Errors
/// [`Error::DType`] for bfloat16, which NumPy does not have; [`Error::Shape`] for a shape that it does not read.
pub(super) fn write(dtype: DType, shape: &[u64]) -> Result<Vec<u8>> {
    let descr = match dtype {
        DType::Float32 => "<f4",
        DType::Float64 => "<f8",
        DType::Float16 => "<f2",
        DType::Int8 => "|i1",
        DType::UInt8 => "|u1",
        DType::Int32 => "<i4",
        DType::Int64 => "<i8",
        DType::Bool => "|b1",
        DType::BFloat16 => {
            return Err(Error::DType(
                "npy files have no bfloat16: write to('float32'), which holds every value, or a .safetensors file"
                    .into(),
            ));
        }
    };
    SHAPES.check("the array of an .npy file", shape, dtype.size())?;
    let sizes = match shape {
        [one] => format!("{one},"),
        sizes => sizes.iter().map(u64::to_string).into_list().join(", "),
    };
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({sizes}), }}");
    if let Some(first) = shape.first() {
        (first.to_string().len()..ROOM).for_each(|_| text.put_char(' '));
    }
    // The length of the rest takes two bytes, which is enough for all sizes that a shape may have.
    let before = MAGIC.len() + 2 + 2;
    // As in NumPy there is at least one byte of padding, and the last byte is a newline.
    let padding = ALIGNMENT - (before + text.len() + 1) % ALIGNMENT;
    let len = text.len() + padding + 1;
    let mut header = with_room(before + len);
    header.put_slice(MAGIC);
    header.put_slice(&[1, 0]);
    header.put_slice(&(len as u16).to_le_bytes());
    header.put_slice(text.as_bytes());
    header.fill_to(before + len - 1, b' ');
    header.put(b'\n');
    Ok(header)
}
