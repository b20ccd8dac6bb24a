//! Sums of a row that are kept in several lanes, and how the lanes become one.

use crate::real::Real;

/// The number of separate sums, so that one addition does not wait for another.
pub const SUM_LANES: usize = 16;

/// The sum of the lanes, whose number is a power of two. They are halved until one is left: lane i + half is added to
/// lane i.
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
