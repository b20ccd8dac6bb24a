//! What is done to elements, whoever owns them: slices in, slices out.
//!
//! Arithmetic runs in three types, f32, f64 and i64; other element types are converted on the way in and out
//! ([`convert`]). Functions with no IEEE-exact definition (exp, tanh, erf) are computed in f64 by the `libm` crate and
//! rounded once, so that they are the same on every platform and right but for the last rounding.

pub mod binary;
pub mod convert;
pub mod copy;
pub mod matmul;
pub mod reduce;
pub mod unary;

use crate::{Error, Result};

/// A type that arithmetic runs in.
pub trait Number: bytemuck::Pod + Default + PartialOrd {
    /// The wider type that sums are collected in.
    type Wide: Copy + Default;
    /// Sum; integers wrap.
    fn plus(self, other: Self) -> Self;
    /// Difference; integers wrap.
    fn minus(self, other: Self) -> Self;
    /// Product; integers wrap.
    fn times(self, other: Self) -> Self;
    /// Quotient; integers cut it towards zero and wrap, by 0 theirs is 0 (callers divide as floats).
    fn over(self, other: Self) -> Self;
    /// A sum and one more.
    fn collect(sum: Self::Wide, more: Self) -> Self::Wide;
    /// A sum, rounded to the type.
    fn total(sum: Self::Wide) -> Self;
    /// A sum over `n` elements divided by `n`, rounded to the type.
    fn average(sum: Self::Wide, n: usize) -> Self;
}

macro_rules! float {
    ($($t:ty),*) => {$(
        impl Number for $t {
            type Wide = f64;
            #[inline(always)]
            fn plus(self, other: Self) -> Self { self + other }
            #[inline(always)]
            fn minus(self, other: Self) -> Self { self - other }
            #[inline(always)]
            fn times(self, other: Self) -> Self { self * other }
            #[inline(always)]
            fn over(self, other: Self) -> Self { self / other }
            #[inline(always)]
            fn collect(sum: f64, more: Self) -> f64 { sum + f64::from(more) }
            fn total(sum: f64) -> Self { sum as $t }
            fn average(sum: f64, n: usize) -> Self { (sum / n as f64) as $t }
        }
    )*};
}
float!(f32, f64);

impl Number for i64 {
    type Wide = i64;
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }
    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        self.wrapping_sub(other)
    }
    #[inline(always)]
    fn times(self, other: Self) -> Self {
        self.wrapping_mul(other)
    }
    #[inline(always)]
    fn over(self, other: Self) -> Self {
        if other == 0 { 0 } else { self.wrapping_div(other) }
    }
    #[inline(always)]
    fn collect(sum: i64, more: Self) -> i64 {
        sum.wrapping_add(more)
    }
    fn total(sum: i64) -> Self {
        sum
    }
    fn average(sum: i64, n: usize) -> Self {
        sum.checked_div(n as i64).unwrap_or(0)
    }
}

/// Elements of a dense block around one dimension: `(outer, n, inner)`.
#[derive(Clone, Copy, Debug)]
pub struct Around {
    /// Product of the dimensions before.
    pub outer: usize,
    /// The dimension itself.
    pub n: usize,
    /// Product of the dimensions after.
    pub inner: usize,
}

impl Around {
    fn check(self, input: usize, output: usize, output_n: usize) -> Result<()> {
        let size = |n: usize| self.outer.checked_mul(n).and_then(|size| size.checked_mul(self.inner));
        if size(self.n) == Some(input) && size(output_n) == Some(output) {
            return Ok(());
        }
        Err(Error::Shape(format!("{self:?} does not fit buffers of {input} and {output} elements")))
    }
}
