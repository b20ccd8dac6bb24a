//! Stochastic gradient descent.

use super::{Idle, Manner, Rule};
use crate::options::{ANY_NUMBER, FLAG, Kind, NOT_NEGATIVE, Usual};
use tokenbed_kernels::ops::learn::optim::{Update, sgd};
use tokenbed_kernels::real::Real;

crate::options! {
    /// Stochastic gradient descent, with momentum as Sutskever et al. 2013 have it. `torch.optim.SGD`.
    ///
    /// Without momentum and weight decay, a step touches only the rows of a table that got a gradient: they are summed
    /// and stepped in one pass, with the bits of a step on the dense gradient. With either, all rows move, whatever
    /// kind of gradient the table has.
    pub struct Sgd {
        /// The learning rate.
        pub lr: f64 [NOT_NEGATIVE] = Usual::Missing,
        /// What is kept of the velocity; 0 for no velocity.
        pub momentum: f64 [NOT_NEGATIVE] = 0.0,
        /// Whether steps look ahead, as Nesterov's.
        pub nesterov: bool [Kind::Flag { needs: Some("momentum"), forbids: Some("dampening") }] = false,
        /// Times the parameter, added to the gradient.
        pub weight_decay: f64 [NOT_NEGATIVE] = 0.0,
        /// What is kept off the velocity, of every gradient but the first.
        pub dampening: f64 [ANY_NUMBER] = 0.0,
        /// Whether steps climb instead of descend: the gradient is negated first.
        pub maximize: bool [FLAG] = false,
    }
}

impl Rule for Sgd {
    fn update<F: Real>(&self, step: u64) -> Update<F> {
        let sgd = sgd::Sgd { lr: F::round(self.lr), weight_decay: F::round(self.weight_decay) };
        if self.momentum == 0.0 {
            return Update::Sgd(sgd);
        }
        let momentum = F::round(self.momentum);
        let share = F::round(1.0 - self.dampening);
        Update::Momentum(sgd::Momentum { sgd, momentum, share, nesterov: self.nesterov, first: step == 1 })
    }

    fn manner(&self) -> Manner {
        let state: &[&str] = if self.momentum == 0.0 { &[] } else { &["momentumBuffer"] };
        let idle = if self.momentum == 0.0 && self.weight_decay == 0.0 { Idle::Stays } else { Idle::Moves };
        Manner { state, idle, maximize: self.maximize, ..Manner::PLAIN }
    }
}
