//! Stochastic gradient descent: its numbers.

use tokenbed_kernels::ops::learn::optim::{Update, sgd};
use tokenbed_kernels::real::Real;

/// As users write them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    /// The learning rate.
    pub lr: f64,
    /// What is kept of the velocity; 0 for none.
    pub momentum: f64,
    /// Whether steps look ahead.
    pub nesterov: bool,
    /// Times the parameter, added to the gradient.
    pub weight_decay: f64,
}

impl Sgd {
    pub(super) fn update<F: Real>(&self, step: u64) -> Update<F> {
        let sgd = sgd::Sgd { lr: F::round(self.lr), weight_decay: F::round(self.weight_decay) };
        if self.momentum == 0.0 {
            return Update::Sgd(sgd);
        }
        let momentum = F::round(self.momentum);
        Update::Momentum(sgd::Momentum { sgd, momentum, nesterov: self.nesterov, first: step == 1 })
    }
}
