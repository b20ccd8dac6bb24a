//! RMSprop.

use super::{Idle, Manner, Rule};
use crate::options::{FLAG, NOT_NEGATIVE};
use tokenbed_kernels::ops::learn::optim::{Update, rmsprop};
use tokenbed_kernels::real::Real;

crate::options! {
    /// RMSprop. Hinton 2012, with the centered variant of Graves 2013; `torch.optim.RMSprop`.
    ///
    /// Every row of a table moves at every step, because its mean of squares fades.
    pub struct RmsProp {
        /// The learning rate.
        pub lr: f64 [NOT_NEGATIVE] = 0.01,
        /// What is kept of the mean of squares.
        pub alpha: f64 [NOT_NEGATIVE] = 0.99,
        /// Added to the root of the mean of squares.
        pub eps: f64 [NOT_NEGATIVE] = 1e-8,
        /// Times the parameter, added to the gradient.
        pub weight_decay: f64 [NOT_NEGATIVE] = 0.0,
        /// What is kept of the velocity; 0 for no velocity.
        pub momentum: f64 [NOT_NEGATIVE] = 0.0,
        /// Whether the square of the mean gradient is subtracted from the mean of squares.
        pub centered: bool [FLAG] = false,
        /// Whether steps climb instead of descend: the gradient is negated first.
        pub maximize: bool [FLAG] = false,
    }
}

impl Rule for RmsProp {
    fn update<F: Real>(&self, _: u64) -> Update<F> {
        let [lr, alpha, share, eps] = [self.lr, self.alpha, 1.0 - self.alpha, self.eps].map(F::round);
        let [weight_decay, momentum] = [self.weight_decay, self.momentum].map(F::round);
        Update::RmsProp(rmsprop::RmsProp { lr, alpha, share, eps, weight_decay, momentum, centered: self.centered })
    }

    fn manner(&self) -> Manner {
        let state: &[&str] = match (self.centered, self.momentum == 0.0) {
            (false, true) => &["squareAvg"],
            (false, false) => &["squareAvg", "momentumBuffer"],
            (true, true) => &["squareAvg", "gradAvg"],
            (true, false) => &["squareAvg", "gradAvg", "momentumBuffer"],
        };
        Manner { state, idle: Idle::Moves, maximize: self.maximize, ..Manner::PLAIN }
    }
}
