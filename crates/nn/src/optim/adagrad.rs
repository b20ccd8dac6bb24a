//! Adagrad.

use super::{Idle, Manner, Rule};
use crate::options::{FLAG, NOT_NEGATIVE};
use tokenbed_kernels::ops::learn::optim::{Update, adagrad};
use tokenbed_kernels::real::Real;

crate::options! {
    /// Adagrad. Duchi, Hazan, Singer 2011; `torch.optim.Adagrad`.
    ///
    /// Without weight decay, a step touches only the rows of a table that got a gradient, with the bits of a step on
    /// the dense gradient. (PyTorch's sparse path rounds in other places than its dense one, and refuses weight decay.)
    pub struct Adagrad {
        /// The learning rate.
        pub lr: f64 [NOT_NEGATIVE] = 0.01,
        /// Added to the denominator.
        pub eps: f64 [NOT_NEGATIVE] = 1e-10,
        /// Times the parameter, added to the gradient.
        pub weight_decay: f64 [NOT_NEGATIVE] = 0.0,
        /// What the sums of squares begin with.
        pub initial_accumulator_value: f64 [NOT_NEGATIVE] = 0.0,
        /// How the rate falls with the steps: by `1 / (1 + (step - 1) * lrDecay)`.
        pub lr_decay: f64 [NOT_NEGATIVE] = 0.0,
        /// Whether steps climb instead of descend: the gradient is negated first.
        pub maximize: bool [FLAG] = false,
    }
}

impl Rule for Adagrad {
    fn update<F: Real>(&self, step: u64) -> Update<F> {
        let rate = self.lr / (1.0 + step.saturating_sub(1) as f64 * self.lr_decay);
        let [lr, eps, weight_decay] = [rate, self.eps, self.weight_decay].map(F::round);
        Update::Adagrad(adagrad::Adagrad { lr, eps, weight_decay })
    }

    fn manner(&self) -> Manner {
        let idle = if self.weight_decay == 0.0 { Idle::Stays } else { Idle::Moves };
        Manner {
            state: &["sum"],
            initial: self.initial_accumulator_value,
            idle,
            maximize: self.maximize,
            ..Manner::PLAIN
        }
    }
}
