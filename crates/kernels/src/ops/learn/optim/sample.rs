//! Numbers of both float types, for probes.

use crate::probe::{Element, Framed, Results, numbers};
use crate::real::Real;

/// Numbers in [-1, 1).
pub(super) fn reals<F: Real>(count: usize, seed: u32) -> Vec<F> {
    numbers(count, seed).into_iter().map(|x| F::round(x.into())).collect()
}

/// Non-negative numbers, which sums of squares and second moments are.
pub(super) fn squares<F: Real>(count: usize, seed: u32) -> Vec<F> {
    numbers(count, seed).into_iter().map(|x| F::round(f64::from(x) * f64::from(x))).collect()
}

/// Records a result as f64, which holds both float types exactly.
pub(super) fn record<F: Real + Element>(results: &mut Results, written: &Framed<F>) {
    results.take_as(written, F::wide);
}
