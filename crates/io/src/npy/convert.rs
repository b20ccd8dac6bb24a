//! Elements brought to what tensors hold: little endian, in row-major order, in a type there is.

use super::descr::Stored;
use std::borrow::Cow;
use tokenbed_core::ops::copy::{Layout, copy};
use tokenbed_core::storage::Storage;
use tokenbed_core::{Error, Result};

/// The elements of a file as a tensor's.
///
/// # Errors
/// [`Error::Memory`] where the system does not give enough.
pub(super) fn convert(bytes: &[u8], stored: Stored, shape: &[usize], fortran: bool) -> Result<Storage> {
    let len = bytes.len() / stored.size * stored.dtype.size();
    if !fortran {
        return Storage::filled(len, |to| {
            each(bytes, stored, to);
            Ok(())
        });
    }
    let ours = if stored.is_ours() { Cow::Borrowed(bytes) } else { Cow::Owned(vec_of(bytes, stored, len)?) };
    Storage::filled(len, |to| match stored.dtype.size() {
        1 => reorder::<1>(&ours, shape, to),
        2 => reorder::<2>(&ours, shape, to),
        4 => reorder::<4>(&ours, shape, to),
        _ => reorder::<8>(&ours, shape, to),
    })
}

fn vec_of(bytes: &[u8], stored: Stored, len: usize) -> Result<Vec<u8>> {
    let mut ours = Vec::new();
    ours.try_reserve_exact(len).map_err(|error| Error::Memory { bytes: len, reason: error.to_string() })?;
    ours.resize(len, 0);
    each(bytes, stored, &mut ours);
    Ok(ours)
}

/// Each element in turn; the order stays.
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

/// From Fortran's order, where the first index runs fastest, to ours.
fn reorder<const SIZE: usize>(from: &[u8], shape: &[usize], to: &mut [u8]) -> Result<()> {
    let steps = |dims: &mut dyn Iterator<Item = &usize>| -> Vec<usize> {
        dims.scan(1usize, |step, &n| Some(std::mem::replace(step, step.wrapping_mul(n)))).collect()
    };
    let (columns, mut rows) = (steps(&mut shape.iter()), steps(&mut shape.iter().rev()));
    rows.reverse();
    let at = |strides| Layout { offset: 0, strides };
    copy(shape, from.as_chunks::<SIZE>().0, at(&columns), to.as_chunks_mut::<SIZE>().0, at(&rows))
}
