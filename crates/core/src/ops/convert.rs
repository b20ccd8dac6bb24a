//! Conversions between all element types, as PyTorch's `Tensor.to` casts.

use crate::dtype::{DType, Element};
use crate::{Error, Result, with_element};
use tokenbed_threads::parallel_rows;

/// Converts all elements of `from` into `to`. Floats round to nearest even (to 16 bits through f32). Floats become
/// integers by truncation towards zero, integers wrap, and everything but 0 is true.
///
/// # Errors
/// [`Error::Shape`] if the buffers do not hold the same number of elements.
pub fn convert(from_type: DType, from: &[u8], to_type: DType, to: &mut [u8]) -> Result<()> {
    with_element!(from_type, From => {
        let from: &[From] = elements(from)?;
        with_element!(to_type, To => {
            let to: &mut [To] = elements_mut(to)?;
            if from.len() != to.len() {
                return Err(Error::Shape(format!("{} elements do not fill {} elements", from.len(), to.len())));
            }
            parallel_rows(to, 1, size_of::<From>() + size_of::<To>(), |part, to| cast(&from[part], to));
            Ok(())
        })
    })
}

/// Converts each element. This is a function and not a part of the macro, because on a concrete type `from_f64` would
/// be `half`'s own method, which drops the last bits or rounds twice, depending on the machine.
fn cast<From: Element, To: Element>(from: &[From], to: &mut [To]) {
    let pairs = to.iter_mut().zip(from);
    // An int64 that went through f64 would be rounded twice on its way to a float.
    if From::INTEGER {
        pairs.for_each(|(to, from)| *to = To::from_i64(from.to_i64()));
    } else {
        pairs.for_each(|(to, from)| *to = To::from_f64(from.to_f64()));
    }
}

/// The bytes as elements.
///
/// # Errors
/// [`Error::Shape`] if they are not aligned or not a whole number of elements.
pub fn elements<T: bytemuck::Pod>(bytes: &[u8]) -> Result<&[T]> {
    if bytes.is_empty() {
        // An empty slice may have any address, so its alignment is not checked.
        return Ok(&[]);
    }
    bytemuck::try_cast_slice(bytes)
        .map_err(|error| Error::Shape(format!("the bytes are not whole, aligned elements: {error}")))
}

/// Like [`elements`], but mutable.
///
/// # Errors
/// [`Error::Shape`] if they are not aligned or not a whole number of elements.
pub fn elements_mut<T: bytemuck::Pod>(bytes: &mut [u8]) -> Result<&mut [T]> {
    if bytes.is_empty() {
        return Ok(&mut []);
    }
    bytemuck::try_cast_slice_mut(bytes)
        .map_err(|error| Error::Shape(format!("the bytes are not whole, aligned elements: {error}")))
}
