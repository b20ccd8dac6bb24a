//! Chooses between two operands, element by element.

use crate::{Error, Result};
use tokenbed_threads::parallel_rows;

/// `out[i] = a[i]` where `condition[i]` is not 0, else `b[i]`. `torch.where` for operands of one shape.
///
/// # Errors
/// [`Error::Shape`] if the buffers differ in size.
pub fn choose<T: Copy + Send + Sync>(condition: &[u8], a: &[T], b: &[T], out: &mut [T]) -> Result<()> {
    let sizes = [condition.len(), a.len(), b.len(), out.len()];
    if sizes.iter().any(|&size| size != out.len()) {
        return Err(Error::Shape(format!("buffers of {sizes:?} elements must have equal sizes")));
    }
    parallel_rows(out, 1, 3 * size_of::<T>(), |part, out| {
        let operands = condition[part.clone()].iter().zip(&a[part.clone()]).zip(&b[part]);
        for (out, ((&condition, &a), &b)) in out.iter_mut().zip(operands) {
            *out = if condition == 0 { b } else { a };
        }
    });
    Ok(())
}
