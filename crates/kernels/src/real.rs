//! The float types that ops run in, and the functions that ops need of them.
//!
//! Functions without an exact definition (exp, tanh, the normal distribution) are computed in f64 and rounded once. For
//! f32 this uses the polynomials below. They are branch-free, with multiplications and additions fused as written, so
//! that compilers make vectors of them and every instruction set gives the same bits. Their own error is below 2^-40,
//! so an f32 result is correct up to the last rounding (`ROUNDED_ONCE_ULPS`), and is the nearest in all but one of
//! about ten thousand cases. For f64 they come from the `libm` crate, which is the same on every platform.

use std::fmt::Debug;
use std::ops::{Add, Div, Mul, Neg, Sub};

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// A family of types that differ only by the float they are for, such as the functions of an op. [`Real::choose`]
/// selects from it.
pub trait PerReal {
    /// The member for `F`.
    type Of<F: Real>;
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
    /// The binary digits of a number, including the hidden one.
    const DIGITS: i32;
    /// The exponent of the smallest normal number.
    const LEAST_EXPONENT: i32;
    /// The value as f64, which is exact.
    fn wide(self) -> f64;
    /// The nearest value; of two equally near ones, the even one.
    fn round(x: f64) -> Self;
    /// `self * factor + term`, rounded once.
    fn fused(self, factor: Self, term: Self) -> Self;
    /// The square root, rounded correctly.
    fn sqrt(self) -> Self;
    /// The absolute value.
    fn abs(self) -> Self;
    /// e^x, accurate enough to be rounded to this type.
    fn exp(x: f64) -> f64;
    /// The hyperbolic tangent, with the same accuracy.
    fn tanh(x: f64) -> f64;
    /// The normal distribution at x, with the same accuracy.
    fn phi(x: f64) -> f64;
    /// Selects the argument for this type.
    fn choose<P: PerReal>(of_f32: P::Of<f32>, of_f64: P::Of<f64>) -> P::Of<Self>;
}

/// The implementation that f32 and f64 share.
macro_rules! alike {
    ($t:ty) => {
        const ZERO: $t = 0.0;
        const ONE: $t = 1.0;
        const DIGITS: i32 = <$t>::MANTISSA_DIGITS as i32;
        const LEAST_EXPONENT: i32 = <$t>::MIN_EXP - 1;
        #[inline(always)]
        fn fused(self, factor: $t, term: $t) -> $t {
            self.mul_add(factor, term)
        }
        #[inline(always)]
        fn sqrt(self) -> $t {
            <$t>::sqrt(self)
        }
        #[inline(always)]
        fn abs(self) -> $t {
            <$t>::abs(self)
        }
    };
}

impl Real for f32 {
    alike!(f32);
    #[inline(always)]
    fn choose<P: PerReal>(of_f32: P::Of<f32>, _: P::Of<f64>) -> P::Of<f32> {
        of_f32
    }
    #[inline(always)]
    fn wide(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn round(x: f64) -> f32 {
        x as f32
    }
    #[inline(always)]
    fn exp(x: f64) -> f64 {
        exp(x)
    }
    #[inline(always)]
    fn tanh(x: f64) -> f64 {
        tanh(x)
    }
    #[inline(always)]
    fn phi(x: f64) -> f64 {
        phi(x)
    }
}

impl Real for f64 {
    alike!(f64);
    #[inline(always)]
    fn choose<P: PerReal>(_: P::Of<f32>, of_f64: P::Of<f64>) -> P::Of<f64> {
        of_f64
    }
    #[inline(always)]
    fn wide(self) -> f64 {
        self
    }
    #[inline(always)]
    fn round(x: f64) -> f64 {
        x
    }
    #[inline(always)]
    fn exp(x: f64) -> f64 {
        libm::exp(x)
    }
    #[inline(always)]
    fn tanh(x: f64) -> f64 {
        libm::tanh(x)
    }
    #[inline(always)]
    fn phi(x: f64) -> f64 {
        0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
    }
}

/// `1.5 * 2^52`. Adding it leaves the nearest integer in the low bits; subtracting it again gives that integer.
const NEAREST: f64 = 6_755_399_441_055_744.0;
/// ln 2 in two parts. The first has few bits, so that its products with exponents are exact.
const LN2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fefa_3800);
const LN2_LOW: f64 = f64::from_bits(0x3d2e_f357_93c7_6730);
/// e^r for |r| <= ln(2) / 2, as 1 + r q(r) with q interpolated at the Chebyshev nodes; the highest power comes first.
/// The error is below 2^-50, and e^0 is exactly 1.
const EXP_POLYNOMIAL: [f64; 11] = [
    2.7620201591031547e-7,
    2.7632791582662333e-6,
    2.4801521057868204e-5,
    1.9841190330031338e-4,
    1.3888888917367081e-3,
    8.333333367516108e-3,
    4.1666666666623824e-2,
    1.6666666666615237e-1,
    5.000000000000001e-1,
    1.0000000000000013,
    1.0,
];

/// e^x, accurate to 2^-48. Results beyond f64 stop at its limits, which f32 rounds to 0 and infinity. NaN stays.
#[inline(always)]
fn exp(x: f64) -> f64 {
    let x = if x < -708.0 { -708.0 } else { x };
    let x = if x > 709.0 { 709.0 } else { x };
    let moved = x.mul_add(std::f64::consts::LOG2_E, NEAREST);
    let n = moved - NEAREST;
    let r = n.mul_add(-LN2_LOW, n.mul_add(-LN2_HIGH, x));
    let y = polynomial(&EXP_POLYNOMIAL, r);
    // 2^n: the low bits of `moved` are n, and the exponent field is 52 bits higher.
    y * f64::from_bits((moved.to_bits() << 52).wrapping_add(0x3ff0_0000_0000_0000))
}

/// Evaluates a polynomial; the highest power comes first.
#[inline(always)]
fn polynomial<const N: usize>(coefficients: &[f64; N], x: f64) -> f64 {
    let mut y = coefficients[0];
    let mut i = 1;
    while i < N {
        y = y.mul_add(x, coefficients[i]);
        i += 1;
    }
    y
}

/// The Taylor series, for |x| < 1/50; the omitted terms are below 2^-60.
const TANH_POLYNOMIAL: [f64; 5] = [62.0 / 2835.0, -17.0 / 315.0, 2.0 / 15.0, -1.0 / 3.0, 1.0];

/// tanh(x), accurate to 2^-40.
#[inline(always)]
fn tanh(x: f64) -> f64 {
    let small = x * polynomial(&TANH_POLYNOMIAL, x * x);
    let size = x.abs();
    let size = if size > 20.0 { 20.0 } else { size };
    let large = (1.0 - 2.0 / (exp(2.0 * size) + 1.0)).copysign(x);
    // The comparison is this way round so that NaN counts as large.
    if size < 0.02 { small } else { large }
}

/// From here on, the tail of the normal distribution, times x, is below the range of f32.
const TAIL_ENDS: f64 = 15.0;
/// `(1 + z) Phi(-z) e^(z^2 / 2)` for z in [0, 15], as a polynomial in (z - 4) / (z + 4), interpolated at the Chebyshev
/// nodes; the highest power comes first. Its relative error is below 2^-43.
const TAIL_POLYNOMIAL: [f64; 17] = [
    1.1755885688399537e-7,
    -9.084511053742153e-8,
    -2.4273520482488006e-6,
    -2.862671870590524e-6,
    1.3740764263729596e-5,
    2.0992779824421778e-5,
    -8.795978972459787e-5,
    -9.437283990738368e-5,
    6.949291624168743e-4,
    -2.856296776711314e-4,
    -5.002383128721237e-3,
    1.79360978495732e-2,
    -3.2197837129191574e-2,
    2.8600364044378192e-2,
    1.3999634717071475e-2,
    -9.670347732644519e-2,
    4.7205320650987415e-1,
];

/// The normal distribution, accurate to 2^-40 even in its tail; 0 below -15.
#[inline(always)]
fn phi(x: f64) -> f64 {
    let z = x.abs();
    let scaled = polynomial(&TAIL_POLYNOMIAL, (z - 4.0) / (z + 4.0)) / (1.0 + z);
    // The square of an f32 is exact.
    let tail = scaled * exp(-0.5 * z * z);
    let tail = if z > TAIL_ENDS { 0.0 } else { tail };
    if x < 0.0 { tail } else { 1.0 - tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest relative error over many points from `low` to `high`.
    fn worst(low: f64, high: f64, ours: fn(f64) -> f64, wanted: fn(f64) -> f64) -> f64 {
        const POINTS: u32 = 100_000;
        let at = |i: u32| low + (high - low) * f64::from(i) / f64::from(POINTS);
        (0..=POINTS).map(at).map(|x| ((ours(x) - wanted(x)) / wanted(x)).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn errors_are_within_the_documented_bounds() {
        let below = |power: i32| 2f64.powi(power);
        assert!(worst(-707.0, 708.0, exp, libm::exp) < below(-48));
        assert!(worst(-0.4, 0.4, exp, libm::exp) < below(-48));
        assert!(worst(1e-9, 0.1, tanh, libm::tanh) < below(-40));
        assert!(worst(0.1, 25.0, tanh, libm::tanh) < below(-40));
        assert!(worst(-25.0, -0.01, tanh, libm::tanh) < below(-40));
        let normal = |x: f64| 0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2);
        assert!(worst(-14.9, 0.0, phi, normal) < below(-40));
        assert!(worst(0.0, 20.0, phi, normal) < below(-40));
    }

    #[test]
    fn functions_at_the_ends_of_their_ranges() {
        assert_eq!((exp(0.0), exp(-0.0)), (1.0, 1.0));
        assert_eq!((exp(f64::NEG_INFINITY) as f32, exp(-1e300) as f32), (0.0, 0.0));
        assert_eq!((exp(f64::INFINITY) as f32, exp(1e300) as f32), (f32::INFINITY, f32::INFINITY));
        assert!(exp(f64::NAN).is_nan() && tanh(f64::NAN).is_nan() && phi(f64::NAN).is_nan());
        assert_eq!((tanh(f64::INFINITY), tanh(f64::NEG_INFINITY)), (1.0, -1.0));
        assert_eq!((phi(f64::INFINITY), phi(f64::NEG_INFINITY)), (1.0, 0.0));
    }
}
