//! Adagrad: its numbers.

use tokenbed_kernels::ops::learn::optim::adagrad;
use tokenbed_kernels::real::Real;

/// As users write them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adagrad {
    /// The learning rate.
    pub lr: f64,
    /// Added to the denominator.
    pub eps: f64,
    /// Times the parameter, added to the gradient.
    pub weight_decay: f64,
}

impl Adagrad {
    pub(super) fn update<F: Real>(&self) -> adagrad::Adagrad<F> {
        adagrad::Adagrad { lr: F::round(self.lr), eps: F::round(self.eps), weight_decay: F::round(self.weight_decay) }
    }
}
