//! f32 and f64: what optimizers compute in.

use super::replay::Replay;
use super::{Slots, Update};
use crate::table::Kernels;
use std::fmt::Debug;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A kernel of [`Kernels::update`].
pub(crate) type Updates<F> = unsafe fn(&Update<F>, Slots<'_, F>);
/// A kernel of [`Kernels::sum_squares`].
pub(crate) type Squares<F> = unsafe fn(&[F]) -> f64;
/// A kernel of [`Kernels::replay`].
pub(crate) type Replays<F> = unsafe fn(Replay<'_, F>);

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// f32 or f64.
pub trait Real:
    sealed::Sealed
    + Copy
    + Debug
    + Default
    + PartialOrd
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + 'static
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// Digits of a magnitude, the hidden one among them.
    const DIGITS: i32;
    /// The exponent of the smallest normal number.
    const LEAST_EXPONENT: i32;

    /// Rounded to nearest even.
    fn from_f64(x: f64) -> Self;
    /// Exact.
    fn to_f64(self) -> f64;
    /// `self * factor + term`, rounded once.
    fn mul_add(self, factor: Self, term: Self) -> Self;
    /// The square root, rounded correctly.
    fn sqrt(self) -> Self;
    /// The magnitude.
    fn abs(self) -> Self;

    #[doc(hidden)]
    #[allow(private_interfaces, reason = "sealed: called in this crate alone")]
    fn updates(kernels: &Kernels) -> Updates<Self>;
    #[doc(hidden)]
    #[allow(private_interfaces, reason = "sealed: called in this crate alone")]
    fn squares(kernels: &Kernels) -> Squares<Self>;
    #[doc(hidden)]
    #[allow(private_interfaces, reason = "sealed: called in this crate alone")]
    fn replays(kernels: &Kernels) -> Replays<Self>;
}

macro_rules! real {
    ($t:ty, $update:ident, $squares:ident, $replay:ident) => {
        impl Real for $t {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const DIGITS: i32 = <$t>::MANTISSA_DIGITS as i32;
            const LEAST_EXPONENT: i32 = <$t>::MIN_EXP - 1;

            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $t
            }

            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }

            #[inline(always)]
            fn mul_add(self, factor: Self, term: Self) -> Self {
                <$t>::mul_add(self, factor, term)
            }

            #[inline(always)]
            fn sqrt(self) -> Self {
                <$t>::sqrt(self)
            }

            #[inline(always)]
            fn abs(self) -> Self {
                <$t>::abs(self)
            }

            fn updates(kernels: &Kernels) -> Updates<Self> {
                kernels.$update
            }

            fn squares(kernels: &Kernels) -> Squares<Self> {
                kernels.$squares
            }

            fn replays(kernels: &Kernels) -> Replays<Self> {
                kernels.$replay
            }
        }
    };
}

#[allow(clippy::cast_lossless, clippy::unnecessary_cast, reason = "one macro for both")]
mod reals {
    use super::*;
    real!(f32, update_f32, squares_f32, replay_f32);
    real!(f64, update_f64, squares_f64, replay_f64);
}
