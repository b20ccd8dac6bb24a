//! The float types that ops run in, and the functions that ops need of them.
//!
//! Functions without an exact definition (exp, log, pow, tanh, the normal distribution) are computed in f64 and rounded
//! once. For f32 this uses the polynomials below. They are branch-free, with multiplications and additions fused as
//! written, so that compilers make vectors of them and every instruction set gives the same bits. Their own error is
//! below 2^-40, so an f32 result is correct up to the last rounding (`ROUNDED_ONCE_ULPS`), and is the nearest in all
//! but one of about ten thousand cases. For f64 they come from the `libm` crate, which is the same on every platform.

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
    /// The natural logarithm, with the same accuracy; -infinity at 0 and NaN below.
    fn log(x: f64) -> f64;
    /// `log(1 + x)`, with the same accuracy.
    fn log1p(x: f64) -> f64;
    /// x to the power of y, with the same accuracy and the special cases of C's `pow`.
    fn pow(x: f64, y: f64) -> f64;
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
    fn log(x: f64) -> f64 {
        log(x)
    }
    #[inline(always)]
    fn log1p(x: f64) -> f64 {
        log1p(x)
    }
    #[inline(always)]
    fn pow(x: f64, y: f64) -> f64 {
        pow(x, y)
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
    fn log(x: f64) -> f64 {
        libm::log(x)
    }
    #[inline(always)]
    fn log1p(x: f64) -> f64 {
        libm::log1p(x)
    }
    #[inline(always)]
    fn pow(x: f64, y: f64) -> f64 {
        libm::pow(x, y)
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

/// `atanh(s) / s` as a series in s^2, the highest power first. It is used for s^2 <= 0.0295, where the omitted terms
/// are below 2^-58.
const ATANH_SERIES: [f64; 11] = [
    1.0 / 21.0,
    1.0 / 19.0,
    1.0 / 17.0,
    1.0 / 15.0,
    1.0 / 13.0,
    1.0 / 11.0,
    1.0 / 9.0,
    1.0 / 7.0,
    1.0 / 5.0,
    1.0 / 3.0,
    1.0,
];
/// The bits of 2^52, whose lowest bit is 1: an integer below 2^52 that is put into them is added to the number.
const INTEGERS: u64 = 0x4330_0000_0000_0000;

/// The natural logarithm of a number that f32 has, or of a normal f64, accurate to 2^-48: with x = 2^e m and m between
/// the roots of 1/2 and 2, `e ln(2) + 2 atanh((m - 1) / (m + 1))`. -infinity at 0 and NaN below.
#[inline(always)]
fn log(x: f64) -> f64 {
    let bits = x.to_bits();
    let exponent = f64::from_bits(INTEGERS | bits >> 52) - f64::from_bits(INTEGERS | 1023);
    let m = f64::from_bits(bits & 0x000f_ffff_ffff_ffff | 0x3ff0_0000_0000_0000);
    let large = m > std::f64::consts::SQRT_2;
    let (m, e) = (if large { 0.5 * m } else { m }, if large { exponent + 1.0 } else { exponent });
    let s = (m - 1.0) / (m + 1.0);
    let part = 2.0 * s * polynomial(&ATANH_SERIES, s * s);
    let y = e.mul_add(LN2_HIGH, e.mul_add(LN2_LOW, part));
    let y = if x == f64::INFINITY { x } else { y };
    let below = if x == 0.0 { f64::NEG_INFINITY } else { f64::NAN };
    if x > 0.0 { y } else { below }
}

/// `log(1 + x)`, accurate to 2^-48. From 2^-10 on, 1 + x is exact for every x of f32 that it matters for.
#[inline(always)]
fn log1p(x: f64) -> f64 {
    /// The Taylor series of `log(1 + x) / x`; the omitted terms are below 2^-52.
    const SERIES: [f64; 6] = [-1.0 / 6.0, 1.0 / 5.0, -1.0 / 4.0, 1.0 / 3.0, -1.0 / 2.0, 1.0];
    let small = x * polynomial(&SERIES, x);
    let large = log(1.0 + x);
    // The comparison is this way round so that NaN counts as large.
    if x.abs() < 1.0 / 1024.0 { small } else { large }
}

/// x to the power of y for numbers of f32, accurate to 2^-40 where the result is one of f32: `exp(y log|x|)`. Special
/// cases are those of C's `pow`.
#[inline(always)]
fn pow(x: f64, y: f64) -> f64 {
    let size = x.abs();
    let power = exp(y * log(size));
    // The products 0 * infinity.
    let power = if y == 0.0 || size == 1.0 { 1.0 } else { power };
    let whole = y.floor() == y;
    let odd = whole && (0.5 * y).floor() != 0.5 * y;
    let power = if odd { power.copysign(x) } else { power };
    let nothing = x < 0.0 && size < f64::INFINITY && !whole;
    let power = if nothing { f64::NAN } else { power };
    // 1 to any power, and anything to the power of 0, is 1, even if the other is NaN; any other NaN stays.
    let unknown = (x.is_nan() && y != 0.0) || (y.is_nan() && x != 1.0);
    if unknown { f64::NAN } else { power }
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
    fn worst(low: f64, high: f64, ours: impl Fn(f64) -> f64, wanted: impl Fn(f64) -> f64) -> f64 {
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
        assert!(worst(1e-45, 1e-30, log, libm::log) < below(-48));
        assert!(worst(0.5, 0.9999, log, libm::log) < below(-48));
        assert!(worst(1.0001, 3.0, log, libm::log) < below(-48));
        assert!(worst(3.0, 3e38, log, libm::log) < below(-48));
        // Of numbers that f32 has.
        let single = |of: fn(f64) -> f64| move |x: f64| of(f64::from(x as f32));
        assert!(worst(-0.999, -1e-9, single(log1p), single(libm::log1p)) < below(-48));
        assert!(worst(1e-9, 3.0, single(log1p), single(libm::log1p)) < below(-48));
        for y in [-3.5, -1.0, 0.5, 2.0, 7.0, 20.0] {
            assert!(worst(0.02, 80.0, |x| pow(x, y), |x| libm::pow(x, y)) < below(-40), "{y}");
        }
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
        assert_eq!((log(0.0), log(-0.0), log(f64::INFINITY)), (f64::NEG_INFINITY, f64::NEG_INFINITY, f64::INFINITY));
        assert!(log(-1.0).is_nan() && log(f64::NAN).is_nan() && log(f64::NEG_INFINITY).is_nan());
        assert_eq!((log(1.0), log1p(0.0), log1p(-1.0), log1p(1e-300)), (0.0, 0.0, f64::NEG_INFINITY, 1e-300));
        assert!(log1p(-2.0).is_nan() && log1p(f64::NAN).is_nan());
        assert_eq!((tanh(f64::INFINITY), tanh(f64::NEG_INFINITY)), (1.0, -1.0));
        assert_eq!((phi(f64::INFINITY), phi(f64::NEG_INFINITY)), (1.0, 0.0));
    }

    #[test]
    fn powers_have_the_special_cases_of_c() {
        let inf = f64::INFINITY;
        let values = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0, -3.0, inf, -inf, f64::NAN, 2.5, -2.5, 1e30];
        for x in values {
            for y in values {
                let (ours, wanted) = (pow(x, y) as f32, libm::pow(x, y) as f32);
                let same = ours.to_bits() == wanted.to_bits() || ours.is_nan() && wanted.is_nan();
                assert!(same, "{x} to the power of {y} is {wanted}, not {ours}");
            }
        }
    }
}
