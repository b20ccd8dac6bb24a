//! The inputs with which ops are tested. Every op has a [`Probe`] in its own file, and its room lists it. The tests use
//! these lists to compare every instruction set with the reference; [`crate::self_test`] does the same where no tests
//! are available.
//!
//! Inputs are the same on every machine, so results can be compared between machines: they must agree to the bit.
//! Probes allocate memory; the ops themselves never do.

use crate::dispatch::Kernels;
use std::ops::{Deref, DerefMut};

/// How an op is tested.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// The name of the op.
    pub name: &'static str,
    /// The line of the self-test to which the op belongs. All ops of a line have the same sizes.
    pub line: &'static str,
    /// The sizes for [`Probe::run`], usually lengths of rows.
    pub sizes: &'static [usize],
    /// Runs the op at one of the sizes, and records everything that it wrote.
    pub run: fn(Kernels, usize, &mut Results),
}

/// The number of rows in tables.
pub(crate) const ROWS: usize = 37;
/// Lengths of rows: below, at and above the widths of vectors, and common ones.
pub(crate) const DIMS: [usize; 7] = [1, 7, 16, 33, 64, 85, 256];
/// Lengths of rows for ops that only take whole blocks of 16 elements.
pub(crate) const STRIDES: [usize; 3] = [16, 64, 112];
/// Bags of 64 ids, one of them empty.
pub(crate) const OFFSETS: [usize; 7] = [0, 0, 1, 9, 9, 40, 64];

/// Words from a small generator (xorshift).
pub(crate) fn words(count: usize, seed: u32) -> Vec<u32> {
    std::iter::successors(Some(seed), |&x| {
        let x = x ^ (x << 13);
        let x = x ^ (x >> 17);
        Some(x ^ (x << 5))
    })
    .skip(1)
    .take(count)
    .collect()
}

/// Numbers in [-1, 1), with 24 random bits each.
pub(crate) fn numbers(count: usize, seed: u32) -> Vec<f32> {
    words(count, seed).into_iter().map(|x| (x >> 8) as f32 / 8_388_608.0 - 1.0).collect()
}

/// 64 ids below [`ROWS`]. The last row is among them, and some ids repeat.
pub(crate) fn id_list() -> Vec<u32> {
    words(64, 3)
        .into_iter()
        .enumerate()
        .map(|(i, x)| if i % 9 == 4 { ROWS as u32 - 1 } else { x % ROWS as u32 })
        .collect()
}

/// What ops wrote: the FNV-1a digest of all bytes in order, and their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Results {
    /// FNV-1a of 64 bits.
    pub digest: u64,
    /// The number of bytes.
    pub bytes: usize,
}

impl Default for Results {
    fn default() -> Self {
        Self { digest: 0xcbf2_9ce4_8422_2325, bytes: 0 }
    }
}

impl Results {
    /// Records elements, little endian.
    pub(crate) fn put<T: Element>(&mut self, values: &[T]) {
        for value in values {
            for &byte in value.bytes().as_ref() {
                self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
                self.bytes += 1;
            }
        }
    }

    /// Records what an op wrote. A write outside the result changes the digest.
    pub(crate) fn take<T: Element>(&mut self, written: &Framed<T>) {
        self.take_as(written, |element| element);
    }

    /// Does the same as [`Results::take`], converting each element before it is recorded.
    pub(crate) fn take_as<T: Element, U: Element>(&mut self, written: &Framed<T>, convert: impl Fn(T) -> U) {
        for &element in &written[..] {
            self.put(&[convert(element)]);
        }
        if !written.is_whole() {
            self.put(&written.all);
        }
    }
}

/// An element type that can be recorded.
pub(crate) trait Element: Copy + PartialEq {
    /// The value around the memory that an op may write.
    const SENTRY: Self;
    /// The bytes of the element, little endian.
    fn bytes(self) -> impl AsRef<[u8]>;
}

macro_rules! element {
    ($($type:ty: $sentry:expr),*) => {$(
        impl Element for $type {
            const SENTRY: $type = $sentry;
            fn bytes(self) -> impl AsRef<[u8]> {
                self.to_le_bytes()
            }
        }
    )*};
}
element!(u8: 0xa5, u32: 0xa5a5_a5a5, f32: -12345.5, f64: -12345.5);

/// The number of sentries before a result. It is not a whole vector, so that results begin in the middle of one.
const BEFORE: usize = 4;
/// The number of sentries after a result: a vector and a half.
const BEHIND: usize = 24;

/// Memory for a result, with sentries around it.
pub(crate) struct Framed<T> {
    all: Vec<T>,
}

impl<T: Element> Framed<T> {
    /// Memory with these initial contents.
    pub(crate) fn new(start: &[T]) -> Self {
        Self { all: [&[T::SENTRY; BEFORE], start, &[T::SENTRY; BEHIND]].concat() }
    }

    /// Memory for `len` elements, all of which the op writes.
    pub(crate) fn room(len: usize) -> Self {
        Self { all: vec![T::SENTRY; BEFORE + len + BEHIND] }
    }

    fn is_whole(&self) -> bool {
        let (before, behind) = (&self.all[..BEFORE], &self.all[self.all.len() - BEHIND..]);
        before.iter().chain(behind).all(|element| *element == T::SENTRY)
    }
}

impl<T> Deref for Framed<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.all[BEFORE..self.all.len() - BEHIND]
    }
}

impl<T> DerefMut for Framed<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        let end = self.all.len() - BEHIND;
        &mut self.all[BEFORE..end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(of: &Framed<f32>) -> u64 {
        let mut results = Results::default();
        results.take(of);
        results.digest
    }

    #[test]
    fn a_wrong_bit_or_a_write_outside_the_result_changes_the_digest() {
        let right = Framed::new(&numbers(100, 7));
        let mut wrong = Framed::new(&right);
        assert_eq!(digest(&right), digest(&wrong));
        wrong[99] = f32::from_bits(wrong[99].to_bits() ^ 1);
        assert_ne!(digest(&right), digest(&wrong));
        for at in [BEFORE - 1, BEFORE + 100] {
            let mut beside = Framed::new(&right);
            beside.all[at] = 0.0;
            assert_ne!(digest(&right), digest(&beside));
        }
    }
}
