//! Adam and AdamW: their numbers.

use super::power::power;
use tokenbed_kernels::ops::learn::optim::adam;
use tokenbed_kernels::real::Real;

/// Where weight decay goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decay {
    /// Into the gradient, and so into the moments: Adam.
    Gradient,
    /// Into the parameter: AdamW.
    Parameter,
}

/// As users write them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// The learning rate.
    pub lr: f64,
    /// What is kept of the moments.
    pub betas: (f64, f64),
    /// Added to the denominator.
    pub eps: f64,
    /// How much weights decay.
    pub weight_decay: f64,
    /// And where that goes.
    pub decay: Decay,
}

impl Adam {
    /// The numbers of step `step`, computed in f64 as PyTorch computes them in Python.
    pub(super) fn update<F: Real>(&self, step: u64) -> adam::Adam<F> {
        let (beta1, beta2) = self.betas;
        let (decay, l2) = match self.decay {
            Decay::Parameter => (1.0 - self.lr * self.weight_decay, 0.0),
            Decay::Gradient => (1.0, self.weight_decay),
        };
        adam::Adam {
            decay: F::round(decay),
            l2: F::round(l2),
            w1: F::round(1.0 - beta1),
            beta2: F::round(beta2),
            w2: F::round(1.0 - beta2),
            size: F::round(self.lr / (1.0 - power(beta1, step))),
            root: F::round((1.0 - power(beta2, step)).sqrt()),
            eps: F::round(self.eps),
        }
    }
}
