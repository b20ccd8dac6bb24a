//! Converts the elements of a file to those of a tensor: little endian, in row-major order, in a type that exists
//! here.

use super::descr::Stored;
use tokenbed_core::Result;
use tokenbed_core::ops::copy::{Layout, copy};
use tokenbed_core::storage::Storage;
use tokenbed_memory::{Gather, zeroed};

/// Fills a buffer with bytes of the array, from the given one on.
pub(super) type Read<'a> = &'a dyn Fn(usize, &mut [u8]) -> Result<()>;

/// Number of bytes that are read at a time: a multiple of every element's size.
const PART: usize = 1 << 18;

/// The elements of a file, which are `len` bytes there, as those of a tensor.
///
/// # Errors
/// [`Error::Memory`] if the system has no memory for them, and the errors of `read`.
pub(super) fn convert(read: Read<'_>, len: usize, stored: Stored, shape: &[usize], fortran: bool) -> Result<Storage> {
    let ours = len / stored.size * stored.dtype.size();
    if !fortran {
        return Storage::filled(ours, |to| widened(read, len, stored, to));
    }
    let mut columns: Vec<u8> = zeroed(ours);
    if stored.is_ours() {
        read(0, &mut columns)?;
    } else {
        widened(read, len, stored, &mut columns)?;
    }
    Storage::filled(ours, |to| match stored.dtype.size() {
        1 => reorder::<1>(&columns, shape, to),
        2 => reorder::<2>(&columns, shape, to),
        4 => reorder::<4>(&columns, shape, to),
        _ => reorder::<8>(&columns, shape, to),
    })
}

/// Converts all elements part by part, in the same order.
fn widened(read: Read<'_>, len: usize, stored: Stored, to: &mut [u8]) -> Result<()> {
    let mut part: Vec<u8> = zeroed(len.min(PART));
    for (number, to) in to.chunks_mut(PART / stored.size * stored.dtype.size()).enumerate() {
        let from = &mut part[..to.len() / stored.dtype.size() * stored.size];
        read(number * PART, from)?;
        each(from, stored, to);
    }
    Ok(())
}

/// Converts each element, in the same order.
fn each(from: &[u8], stored: Stored, to: &mut [u8]) {
    match (stored.size, stored.dtype.size(), stored.signed) {
        (2, 4, true) => map(from, stored, to, |bytes| i32::from(i16::from_le_bytes(bytes)).to_le_bytes()),
        (2, 4, false) => map(from, stored, to, |bytes| i32::from(u16::from_le_bytes(bytes)).to_le_bytes()),
        (4, 8, _) => map(from, stored, to, |bytes| i64::from(u32::from_le_bytes(bytes)).to_le_bytes()),
        (2, ..) => map::<2, 2>(from, stored, to, |bytes| bytes),
        (4, ..) => map::<4, 4>(from, stored, to, |bytes| bytes),
        (8, ..) => map::<8, 8>(from, stored, to, |bytes| bytes),
        _ => to.copy_from_slice(from),
    }
}

fn map<const FROM: usize, const TO: usize>(
    from: &[u8],
    stored: Stored,
    to: &mut [u8],
    widen: impl Fn([u8; FROM]) -> [u8; TO],
) {
    let pairs = to.as_chunks_mut::<TO>().0.iter_mut().zip(from.as_chunks::<FROM>().0);
    if stored.big_endian {
        pairs.for_each(|(to, &(mut bytes))| {
            bytes.reverse();
            *to = widen(bytes);
        });
    } else {
        pairs.for_each(|(to, &bytes)| *to = widen(bytes));
    }
}

/// Reorders from Fortran order, where the first index runs fastest, to row-major order.
fn reorder<const SIZE: usize>(from: &[u8], shape: &[usize], to: &mut [u8]) -> Result<()> {
    let steps = |dims: &mut dyn Iterator<Item = &usize>| -> Vec<usize> {
        dims.scan(1usize, |step, &n| Some(std::mem::replace(step, step.wrapping_mul(n)))).into_list()
    };
    let (columns, mut rows) = (steps(&mut shape.iter()), steps(&mut shape.iter().rev()));
    rows.reverse();
    let at = |strides| Layout { offset: 0, strides };
    copy(shape, from.as_chunks::<SIZE>().0, at(&columns), to.as_chunks_mut::<SIZE>().0, at(&rows))
}
