//! Sums of a row that are kept apart in lanes, and how the lanes become one.

use crate::real::Real;

/// Sums kept apart, so that one addition does not wait for the other.
pub const SUM_LANES: usize = 16;

/// The sum of lanes, a power of two of them, halved until one is left: lane i takes up lane i + half.
#[inline(always)]
pub(crate) fn halved<T: Real, const N: usize>(mut lanes: [T; N]) -> T {
    let mut half = N / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] = lanes[i] + lanes[i + half];
        }
        half /= 2;
    }
    lanes[0]
}
