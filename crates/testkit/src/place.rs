//! Buffers that start at a chosen offset from a cache line, and notice writes out of bounds.

use std::fmt::Debug;
use std::ops::{Deref, DerefMut, Range};

/// Alignment in bytes: a cache line.
const LINE: usize = 64;
/// Number of elements before and after a guarded buffer: more than any vector holds.
const GUARD: usize = 64;

/// Index of the element that is `offset` elements after a cache line, in a buffer that starts at `base`.
fn start_at<T>(base: *const T, offset: usize) -> usize {
    let per_line = (LINE / size_of::<T>()).max(1);
    (base.align_offset(LINE) + offset) % per_line
}

/// A copy of a slice that starts `offset` elements after a cache line. If possible it ends with its allocation, so
/// that a sanitizer sees a read past it.
#[derive(Clone, Debug)]
pub struct Placed<T> {
    buffer: Vec<T>,
    range: Range<usize>,
}

impl<T: Copy + Default> Placed<T> {
    /// Makes a copy of `values` at this offset.
    pub fn new(values: &[T], offset: usize) -> Self {
        let slack = (LINE / size_of::<T>()).max(1);
        let exact = (0..slack).find_map(|before| {
            let buffer = vec![T::default(); before + values.len()];
            (start_at(buffer.as_ptr(), offset) == before).then_some(buffer)
        });
        let mut buffer = exact.unwrap_or_else(|| vec![T::default(); slack + values.len()]);
        let start = start_at(buffer.as_ptr(), offset);
        let range = start..start + values.len();
        buffer[range.clone()].copy_from_slice(values);
        Self { buffer, range }
    }
}

impl<T> Deref for Placed<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.buffer[self.range.clone()]
    }
}

/// A buffer to write to, `offset` elements after a cache line, filled with and surrounded by a sentry value.
#[derive(Clone, Debug)]
pub struct Guarded<T> {
    buffer: Vec<T>,
    range: Range<usize>,
    sentry: T,
}

impl<T: Copy + PartialEq + Debug> Guarded<T> {
    /// A buffer of `len` sentries. A sentry must equal itself and must not be a value that the test writes.
    pub fn new(len: usize, offset: usize, sentry: T) -> Self {
        let buffer = vec![sentry; GUARD + LINE + len + GUARD];
        let start = GUARD + start_at(buffer[GUARD..].as_ptr(), offset);
        Self { buffer, range: start..start + len, sentry }
    }

    /// Asserts that nothing outside the buffer was written.
    #[track_caller]
    pub fn assert_guards(&self) {
        let (before, rest) = self.buffer.split_at(self.range.start);
        let after = &rest[self.range.len()..];
        let intact = |guard: &[T]| guard.iter().all(|x| *x == self.sentry);
        assert!(intact(before), "written before the buffer: {before:?}");
        assert!(intact(after), "written past the buffer: {after:?}");
    }

    /// Asserts that nothing was written at all.
    #[track_caller]
    pub fn assert_untouched(&self) {
        self.assert_guards();
        let first = self.iter().position(|x| *x != self.sentry);
        assert!(first.is_none(), "written at {first:?}");
    }
}

impl<T> Deref for Guarded<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.buffer[self.range.clone()]
    }
}

impl<T> DerefMut for Guarded<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.buffer[self.range.clone()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_from_a_cache_line() {
        for offset in 0..=16 {
            let placed = Placed::new(&[1.0f32, 2.0, 3.0], offset);
            assert_eq!(&placed[..], [1.0, 2.0, 3.0]);
            assert_eq!(placed.as_ptr() as usize % LINE, offset * 4 % LINE);
            assert_eq!(Guarded::new(5, offset, 0u8).as_ptr() as usize % LINE, offset);
        }
    }

    #[test]
    #[should_panic(expected = "written past the buffer")]
    fn a_write_past_the_end_shows() {
        let mut guarded = Guarded::new(3, 1, 7u8);
        guarded.range.end += 1;
        guarded[3] = 0;
        guarded.range.end -= 1;
        guarded.assert_guards();
    }

    #[test]
    #[should_panic(expected = "written before the buffer")]
    fn a_write_before_the_start_shows() {
        let mut guarded = Guarded::new(3, 1, 7u8);
        guarded.range.start -= 1;
        guarded[0] = 0;
        guarded.range.start += 1;
        guarded.assert_guards();
    }
}
