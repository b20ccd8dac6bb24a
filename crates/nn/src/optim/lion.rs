//! Lion.

use super::{Idle, Manner, Rule};
use crate::options::{FLAG, Kind, NOT_NEGATIVE};
use tokenbed_kernels::ops::learn::optim::{Update, lion};
use tokenbed_kernels::real::Real;

crate::options! {
    /// Lion: steps of one size, in the direction of the sign of a moment. Chen et al. 2023, "Symbolic Discovery of
    /// Optimization Algorithms". It keeps one state where Adam keeps two; its rate is a third to a tenth of AdamW's,
    /// and its weight decay larger by as much.
    ///
    /// Every row of a table moves at every step, because the sign of a moment that fades stays.
    pub struct Lion {
        /// The learning rate.
        pub lr: f64 [NOT_NEGATIVE] = 1e-4,
        /// What is kept of the moment: for the direction of a step, and for the next step.
        pub betas: [f64; 2] [Kind::Betas] = [0.9, 0.99],
        /// How much weights decay.
        pub weight_decay: f64 [NOT_NEGATIVE] = 0.0,
        /// Whether steps climb instead of descend: the gradient is negated first.
        pub maximize: bool [FLAG] = false,
    }
}

impl Rule for Lion {
    fn update<F: Real>(&self, _: u64) -> Update<F> {
        let [beta1, beta2] = self.betas;
        Update::Lion(lion::Lion {
            lr: F::round(self.lr),
            decay: F::round(1.0 - self.lr * self.weight_decay),
            beta1: F::round(beta1),
            w1: F::round(1.0 - beta1),
            beta2: F::round(beta2),
            w2: F::round(1.0 - beta2),
        })
    }

    fn manner(&self) -> Manner {
        Manner { state: &["expAvg"], idle: Idle::Moves, maximize: self.maximize, ..Manner::PLAIN }
    }
}
