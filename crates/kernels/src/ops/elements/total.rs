//! The sum of elements, in f64.
//!
//! ```text
//! element i belongs to lane i mod 16; a lane sums its elements in order; lanes are then halved
//! ```

use super::pass::pass;
use crate::dispatch::Kernels;
use crate::probe::{DIMS, Probe, ROWS, Results, numbers};
use crate::real::Real;
use crate::rows::total::{SUM_LANES, halved};

/// `out` = the sum of `x`.
#[derive(Debug)]
#[allow(missing_docs, reason = "the names say it all")]
pub struct Total<'a, T> {
    pub x: &'a [T],
    pub out: &'a mut f64,
}

pass!(
    /// Sums elements.
    total: Total, total
);

#[inline(always)]
fn total<T: Real>(op: Total<'_, T>) {
    let mut lanes = [0.0; SUM_LANES];
    let (chunks, rest) = op.x.as_chunks::<SUM_LANES>();
    for chunk in chunks {
        for i in 0..SUM_LANES {
            lanes[i] += chunk[i].wide();
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane += x.wide();
    }
    *op.out = halved(lanes);
}

pub(crate) const PROBE: Probe = Probe { name: "total", line: "passes", sizes: &DIMS, run: probe };

fn probe(kernels: Kernels, dim: usize, results: &mut Results) {
    let mut sum = 0.0;
    kernels.total(Total { x: &numbers(ROWS * dim, 113), out: &mut sum });
    results.put(&[sum]);
}
