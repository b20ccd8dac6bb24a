//! Operations on elements, whoever owns them: slices in, slices out.
//!
//! Arithmetic runs in three types: f32, f64 and i64. Other element types are converted on the way in and out
//! ([`convert`]). Functions without an IEEE-exact definition (exp, tanh, erf) are computed in f64 and rounded once
//! ([`tokenbed_kernels::real`]), so that they are the same on every platform, and right but for the last
//! rounding.
//!
//! Large operations are divided among threads. Sums are divided by sizes alone, so that the bits are the same at any
//! number of threads.

pub mod along;
pub mod binary;
pub mod choose;
pub mod convert;
pub mod copy;
pub mod entropy;
pub mod matmul;
pub mod norm;
pub mod reduce;
pub mod take;
pub mod top;
pub mod unary;

use crate::{Error, Result};
use std::fmt::Debug;
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::ops::elements::pointwise::{Arithmetic, Binary, Side};
use tokenbed_kernels::ops::elements::total::Total;

/// A type that arithmetic runs in.
pub trait Number: bytemuck::Pod + Default + PartialOrd + Debug + Send + Sync {
    /// The wider type that sums are collected in.
    type Wide: Copy + Default + Send + Sync;
    /// `a op b`. Integers wrap; their quotients are truncated towards zero, and division by 0 gives 0 (callers divide
    /// as floats). Powers with negative exponents are those of 1 and -1, and 0 for all others.
    fn of(op: Arithmetic, a: Self, b: Self) -> Self;
    /// [`Number::of`] for many elements.
    fn arithmetic(kernels: Kernels, op: Arithmetic, a: Side<'_, Self>, b: Side<'_, Self>, out: &mut [Self]);
    /// The sum of contiguous elements.
    fn sum(kernels: Kernels, x: &[Self]) -> Self::Wide;
    /// The sum plus one more element.
    fn collect(sum: Self::Wide, more: Self) -> Self::Wide;
    /// The sum of two sums.
    fn both(a: Self::Wide, b: Self::Wide) -> Self::Wide;
    /// The sum, rounded to the type.
    fn total(sum: Self::Wide) -> Self;
    /// The sum of `n` elements divided by `n`, rounded to the type.
    fn average(sum: Self::Wide, n: usize) -> Self;
}

macro_rules! float {
    ($t:ty, $sum:expr) => {
        impl Number for $t {
            type Wide = f64;
            #[inline(always)]
            fn of(op: Arithmetic, a: Self, b: Self) -> Self {
                op.of(a, b)
            }
            fn arithmetic(kernels: Kernels, op: Arithmetic, a: Side<'_, Self>, b: Side<'_, Self>, out: &mut [Self]) {
                kernels.binary(Binary { op, a, b, out });
            }
            fn sum(kernels: Kernels, x: &[Self]) -> f64 {
                $sum(kernels, x)
            }
            #[inline(always)]
            fn collect(sum: f64, more: Self) -> f64 {
                sum + f64::from(more)
            }
            fn both(a: f64, b: f64) -> f64 {
                a + b
            }
            fn total(sum: f64) -> Self {
                sum as $t
            }
            fn average(sum: f64, n: usize) -> Self {
                (sum / n as f64) as $t
            }
        }
    };
}
float!(f32, |kernels: Kernels, x| {
    let mut sum = 0.0;
    kernels.total(Total { x, out: &mut sum });
    sum
});
float!(f64, |_, x: &[f64]| x.iter().fold(0.0, |sum, x| sum + x));

impl Number for i64 {
    type Wide = i64;
    #[inline(always)]
    fn of(op: Arithmetic, a: i64, b: i64) -> i64 {
        match op {
            Arithmetic::Add => a.wrapping_add(b),
            Arithmetic::Sub => a.wrapping_sub(b),
            Arithmetic::Mul => a.wrapping_mul(b),
            Arithmetic::Div => {
                if b == 0 {
                    0
                } else {
                    a.wrapping_div(b)
                }
            }
            Arithmetic::Max => a.max(b),
            Arithmetic::Min => a.min(b),
            Arithmetic::Pow => whole_power(a, b),
            Arithmetic::Eq => i64::from(a == b),
            Arithmetic::Ne => i64::from(a != b),
            Arithmetic::Lt => i64::from(a < b),
            Arithmetic::Le => i64::from(a <= b),
        }
    }
    fn arithmetic(_: Kernels, op: Arithmetic, a: Side<'_, i64>, b: Side<'_, i64>, out: &mut [i64]) {
        let at = |side: Side<'_, i64>, i: usize| match side {
            Side::Each(all) => all[i],
            Side::One(one) => one,
        };
        out.iter_mut().enumerate().for_each(|(i, out)| *out = Self::of(op, at(a, i), at(b, i)));
    }
    fn sum(_: Kernels, x: &[i64]) -> i64 {
        x.iter().fold(0, |sum, &x| sum.wrapping_add(x))
    }
    fn collect(sum: i64, more: Self) -> i64 {
        sum.wrapping_add(more)
    }
    fn both(a: i64, b: i64) -> i64 {
        a.wrapping_add(b)
    }
    fn total(sum: i64) -> Self {
        sum
    }
    fn average(sum: i64, n: usize) -> Self {
        sum.checked_div(n as i64).unwrap_or(0)
    }
}

/// The power of an integer; it wraps.
fn whole_power(base: i64, exponent: i64) -> i64 {
    if exponent < 0 {
        return match base {
            1 => 1,
            -1 if exponent % 2 == 0 => 1,
            -1 => -1,
            _ => 0,
        };
    }
    let (mut power, mut square, mut left) = (1i64, base, exponent);
    while left > 0 {
        if left % 2 == 1 {
            power = power.wrapping_mul(square);
        }
        square = square.wrapping_mul(square);
        left /= 2;
    }
    power
}

/// A dense block seen around one of its dimensions: `(outer, n, inner)`.
#[derive(Clone, Copy, Debug)]
pub struct Around {
    /// Product of the sizes of the dimensions before it.
    pub outer: usize,
    /// Size of the dimension.
    pub n: usize,
    /// Product of the sizes of the dimensions after it.
    pub inner: usize,
}

impl Around {
    fn check(self, input: usize, output: usize, output_n: usize) -> Result<()> {
        let size = |n: usize| self.outer.checked_mul(n).and_then(|size| size.checked_mul(self.inner));
        if size(self.n) == Some(input) && size(output_n) == Some(output) {
            return Ok(());
        }
        Err(Error::Shape(format!("{self:?} does not match buffers of {input} and {output} elements")))
    }
}
