//! Adam on rows alone: its numbers.

use super::power::power;
use tokenbed_kernels::ops::learn::optim::sparse_adam;
use tokenbed_kernels::real::Real;

/// As users write them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SparseAdam {
    /// The learning rate.
    pub lr: f64,
    /// What is kept of the moments.
    pub betas: (f64, f64),
    /// Added to the denominator.
    pub eps: f64,
}

impl SparseAdam {
    pub(super) fn update<F: Real>(&self, step: u64) -> sparse_adam::SparseAdam<F> {
        let (beta1, beta2) = self.betas;
        let corrected = (1.0 - power(beta2, step)).sqrt();
        sparse_adam::SparseAdam {
            w1: F::round(1.0 - beta1),
            w2: F::round(1.0 - beta2),
            size: F::round(self.lr * corrected / (1.0 - power(beta1, step))),
            eps: F::round(self.eps),
        }
    }
}
