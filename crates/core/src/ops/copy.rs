//! Copies between layouts. Transpose, narrow and concat are made of these.

use crate::{Error, Result};
use tokenbed_memory::{List, with_room, zeroed};
use tokenbed_threads::parallel_rows;

/// The layout of elements in a buffer: the first is at `offset`, and `strides` are the distances along each
/// dimension, in elements.
#[derive(Clone, Copy, Debug)]
pub struct Layout<'a> {
    /// Index of the first element.
    pub offset: usize,
    /// One stride for each dimension.
    pub strides: &'a [usize],
}

impl Layout<'_> {
    /// Checks that a block of `shape` in this layout stays within `len` elements.
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
            Err(Error::Shape(format!("shape {shape:?} with {self:?} reaches beyond a buffer of {len} elements")))
        }
    }
}

/// The same elements in the same order with fewer dimensions: neighbouring dimensions that are one run in all layouts
/// are joined, and dimensions of size 1 are dropped.
pub(super) fn joined<const N: usize>(shape: &[usize], layouts: [Layout<'_>; N]) -> (Vec<usize>, [Vec<usize>; N]) {
    let mut sizes: Vec<usize> = with_room(shape.len());
    let mut strides = [(); N].map(|()| with_room(shape.len()));
    for (dim, &n) in shape.iter().enumerate() {
        if n == 1 {
            continue;
        }
        let follows = sizes.last().is_some()
            && strides.iter().zip(&layouts).all(|(strides, layout): (&Vec<usize>, _)| {
                strides.last().copied() == layout.strides[dim].checked_mul(n)
            });
        for (strides, layout) in strides.iter_mut().zip(&layouts) {
            if follows {
                strides.pop();
            }
            strides.put(layout.strides[dim]);
        }
        match sizes.last_mut() {
            Some(last) if follows => *last *= n,
            _ => sizes.put(n),
        }
    }
    (sizes, strides)
}

/// Iterates over the runs along the last dimension in row-major order, and gives the offset of each run's first
/// element in each layout.
pub(super) struct Runs<'a, const N: usize> {
    outer: &'a [usize],
    layouts: [Layout<'a>; N],
    index: Vec<usize>,
    offsets: [usize; N],
    done: bool,
}

impl<'a, const N: usize> Runs<'a, N> {
    /// Starts at run `first`. The shape must have no zeros, and the layouts must have been checked.
    pub(super) fn new(shape: &'a [usize], layouts: [Layout<'a>; N], first: usize) -> Self {
        let outer = &shape[..shape.len().saturating_sub(1)];
        let mut index = zeroed(outer.len());
        let mut offsets = layouts.map(|layout| layout.offset);
        let mut left = first;
        for dim in (0..outer.len()).rev() {
            index[dim] = left % outer[dim];
            left /= outer[dim];
            for (offset, layout) in offsets.iter_mut().zip(&layouts) {
                *offset += index[dim] * layout.strides[dim];
            }
        }
        Self { outer, layouts, index, offsets, done: left > 0 }
    }
}

impl<const N: usize> Iterator for Runs<'_, N> {
    type Item = [usize; N];

    fn next(&mut self) -> Option<[usize; N]> {
        if self.done {
            return None;
        }
        let found = self.offsets;
        let mut dim = self.outer.len();
        loop {
            if dim == 0 {
                self.done = true;
                break;
            }
            dim -= 1;
            self.index[dim] += 1;
            for (offset, layout) in self.offsets.iter_mut().zip(&self.layouts) {
                // One step past the end of a dimension may overflow (if its size is 1, its stride may be any number);
                // the step back undoes that.
                *offset = offset.wrapping_add(layout.strides[dim]);
            }
            if self.index[dim] < self.outer[dim] {
                break;
            }
            for (offset, layout) in self.offsets.iter_mut().zip(&self.layouts) {
                *offset = offset.wrapping_sub(layout.strides[dim].wrapping_mul(self.outer[dim]));
            }
            self.index[dim] = 0;
        }
        Some(found)
    }
}

/// Copies a block of `shape` from one layout to another.
///
/// # Errors
/// [`Error::Shape`] if a layout leaves its buffer.
pub fn copy<T: Copy + Send + Sync>(
    shape: &[usize],
    from: &[T],
    from_at: Layout<'_>,
    to: &mut [T],
    to_at: Layout<'_>,
) -> Result<()> {
    from_at.check(shape, from.len())?;
    to_at.check(shape, to.len())?;
    if shape.contains(&0) {
        return Ok(());
    }
    let (shape, [from_strides, to_strides]) = joined(shape, [from_at, to_at]);
    let (from_at, to_at) = (Layout { strides: &from_strides, ..from_at }, Layout { strides: &to_strides, ..to_at });
    let size: usize = shape.iter().product();
    if is_dense(&shape, &to_strides) {
        let to = &mut to[to_at.offset..to_at.offset + size];
        gather(&shape, from, from_at, to);
        return Ok(());
    }
    let n = shape.last().copied().unwrap_or(1);
    let step = |layout: Layout<'_>| layout.strides.last().copied().unwrap_or(1);
    let (from_step, to_step) = (step(from_at), step(to_at));
    for [source, target] in Runs::new(&shape, [from_at, to_at], 0) {
        if from_step == 1 && to_step == 1 {
            to[target..target + n].copy_from_slice(&from[source..source + n]);
        } else {
            (0..n).for_each(|i| to[target + i * to_step] = from[source + i * from_step]);
        }
    }
    Ok(())
}

fn is_dense(shape: &[usize], strides: &[usize]) -> bool {
    let mut step = 1;
    shape.iter().zip(strides).rev().all(|(&n, &stride)| {
        let is = stride == step;
        step *= n;
        is
    })
}

/// Side of the squares in which rows and columns are swapped, in elements. The cache lines of both sides stay in the
/// first-level cache.
const SQUARE: usize = 32;

/// Copies from a layout into dense memory, on as many threads as it is worth.
fn gather<T: Copy + Send + Sync>(shape: &[usize], from: &[T], from_at: Layout<'_>, to: &mut [T]) {
    let n = shape.last().copied().unwrap_or(1);
    let step = from_at.strides.last().copied().unwrap_or(1);
    if shape.len() < 2 {
        // There is one run, and its parts are runs as well.
        return parallel_rows(to, 1, 2 * size_of::<T>(), |part, to| {
            let source = from_at.offset + part.start * step;
            match step {
                0 => to.fill(from[source]),
                1 => to.copy_from_slice(&from[source..source + to.len()]),
                _ => to.iter_mut().enumerate().for_each(|(i, to)| *to = from[source + i * step]),
            }
        });
    }
    // Many rows of a transpose are read at a time, because a cache line of the source has elements of all of them.
    let rows = shape[shape.len() - 2];
    let down = from_at.strides[shape.len() - 2];
    let band = if step != 1 && down == 1 { rows.min(SQUARE) } else { 1 };
    parallel_rows(to, n, 2 * n * size_of::<T>(), |range, to| {
        let mut at = range.start;
        let mut to = to;
        let mut runs = Runs::new(shape, [from_at], at);
        while !to.is_empty() {
            let Some([source]) = runs.next() else { return };
            // The band ends at its own height, or at the end of the matrix or of the share.
            let high = band.min(rows - at % rows).min(to.len() / n);
            let (part, rest) = to.split_at_mut(high * n);
            if step == 1 {
                part.copy_from_slice(&from[source..source + n]);
            } else if step == 0 {
                part.chunks_exact_mut(n).enumerate().for_each(|(row, part)| part.fill(from[source + row * down]));
            } else {
                for column in (0..n).step_by(SQUARE) {
                    let end = n.min(column + SQUARE);
                    for (row, part) in part.chunks_exact_mut(n).enumerate() {
                        let source = source + row * down;
                        for (i, to) in part[column..end].iter_mut().enumerate() {
                            *to = from[source + (column + i) * step];
                        }
                    }
                }
            }
            (1..high).for_each(|_| {
                runs.next();
            });
            at += high;
            to = rest;
        }
    });
}
