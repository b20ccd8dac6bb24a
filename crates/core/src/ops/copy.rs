//! Copies between layouts: what transpose, narrow and concat are made of.

use crate::{Error, Result};

/// Where elements lie: the first at `offset`, dimensions apart by `strides`, in elements.
#[derive(Clone, Copy, Debug)]
pub struct Layout<'a> {
    /// The first element.
    pub offset: usize,
    /// One stride a dimension.
    pub strides: &'a [usize],
}

impl Layout<'_> {
    /// Checks that `shape` laid out so stays within `len` elements.
    pub(super) fn check(&self, shape: &[usize], len: usize) -> Result<()> {
        let inside = self.strides.len() == shape.len()
            && (shape.contains(&0)
                || shape
                    .iter()
                    .zip(self.strides)
                    .try_fold(self.offset, |last, (&n, &stride)| last.checked_add((n - 1).checked_mul(stride)?))
                    .is_some_and(|last| last < len));
        if inside {
            Ok(())
        } else {
            Err(Error::Shape(format!("{shape:?} as {self:?} leaves a buffer of {len} elements")))
        }
    }
}

/// Calls `run(offsets)` for every run along the last dimension, in row-major order, with the offset of its first
/// element in each of the layouts.
pub(super) fn for_each_run<const N: usize>(shape: &[usize], layouts: [Layout<'_>; N], mut run: impl FnMut([usize; N])) {
    if shape.contains(&0) {
        return;
    }
    let outer = shape.len().saturating_sub(1);
    let mut index = vec![0usize; outer];
    let mut offsets = layouts.map(|layout| layout.offset);
    loop {
        run(offsets);
        let mut dim = outer;
        loop {
            if dim == 0 {
                return;
            }
            dim -= 1;
            index[dim] += 1;
            for (offset, layout) in offsets.iter_mut().zip(&layouts) {
                // One step past a dimension may leave the numbers (its stride is nobody's where it has one row); the step
                // back returns.
                *offset = offset.wrapping_add(layout.strides[dim]);
            }
            if index[dim] < shape[dim] {
                break;
            }
            for (offset, layout) in offsets.iter_mut().zip(&layouts) {
                *offset = offset.wrapping_sub(layout.strides[dim].wrapping_mul(shape[dim]));
            }
            index[dim] = 0;
        }
    }
}

/// Copies a block of `shape` from one layout to another.
///
/// # Errors
/// [`Error::Shape`] where a layout leaves its buffer.
pub fn copy<T: Copy>(shape: &[usize], from: &[T], from_at: Layout<'_>, to: &mut [T], to_at: Layout<'_>) -> Result<()> {
    from_at.check(shape, from.len())?;
    to_at.check(shape, to.len())?;
    let n = shape.last().copied().unwrap_or(1);
    let step = |layout: Layout<'_>| layout.strides.last().copied().unwrap_or(1);
    let (from_step, to_step) = (step(from_at), step(to_at));
    for_each_run(shape, [from_at, to_at], |[source, target]| {
        if from_step == 1 && to_step == 1 {
            to[target..target + n].copy_from_slice(&from[source..source + n]);
        } else {
            (0..n).for_each(|i| to[target + i * to_step] = from[source + i * from_step]);
        }
    });
    Ok(())
}
