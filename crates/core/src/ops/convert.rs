//! From any element type to any other, as PyTorch's `Tensor.to` casts.

use crate::dtype::{DType, Element};
use crate::{Error, Result, with_element};
use tokenbed_threads::parallel_rows;

/// Converts all elements of `from` into `to`. Floats round to nearest even (to 16 bits through f32), go to integers cut
/// towards zero, integers wrap; anything but 0 is true.
///
/// # Errors
/// [`Error::Shape`] where the buffers do not hold the same number of elements.
pub fn convert(from_type: DType, from: &[u8], to_type: DType, to: &mut [u8]) -> Result<()> {
    with_element!(from_type, From => {
        let from: &[From] = elements(from)?;
        with_element!(to_type, To => {
            let to: &mut [To] = elements_mut(to)?;
            if from.len() != to.len() {
                return Err(Error::Shape(format!("{} elements do not fill {}", from.len(), to.len())));
            }
            parallel_rows(to, 1, size_of::<From>() + size_of::<To>(), |part, to| cast(&from[part], to));
            Ok(())
        })
    })
}

/// A function of its own rather than part of the macro: on a type that is known, `from_f64` would be the method that
/// `half` gives its types, which drops the last bits or rounds twice, as the machine has it.
fn cast<From: Element, To: Element>(from: &[From], to: &mut [To]) {
    let pairs = to.iter_mut().zip(from);
    // Through f64 an int64 would round twice on its way to a float.
    if From::INTEGER {
        pairs.for_each(|(to, from)| *to = To::from_i64(from.to_i64()));
    } else {
        pairs.for_each(|(to, from)| *to = To::from_f64(from.to_f64()));
    }
}

/// Bytes as elements.
///
/// # Errors
/// [`Error::Shape`] where they are not aligned, or not a whole number of elements.
pub fn elements<T: bytemuck::Pod>(bytes: &[u8]) -> Result<&[T]> {
    if bytes.is_empty() {
        // Nothing is aligned, wherever it points.
        return Ok(&[]);
    }
    bytemuck::try_cast_slice(bytes).map_err(|error| Error::Shape(format!("bytes are not whole elements: {error}")))
}

/// [`elements`], to write.
///
/// # Errors
/// [`Error::Shape`] where they are not aligned, or not a whole number of elements.
pub fn elements_mut<T: bytemuck::Pod>(bytes: &mut [u8]) -> Result<&mut [T]> {
    if bytes.is_empty() {
        return Ok(&mut []);
    }
    bytemuck::try_cast_slice_mut(bytes).map_err(|error| Error::Shape(format!("bytes are not whole elements: {error}")))
}
