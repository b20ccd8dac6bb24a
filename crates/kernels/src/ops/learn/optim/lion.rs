//! Lion. Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms".
//!
//! ```text
//! c = fma(w1, g, m * beta1)                     w1 = 1 - beta1
//! p = p * decay - lr * sign(c)                  decay = 1 - lr * weight_decay
//! m = fma(w2, g, m * beta2)                     w2 = 1 - beta2
//! ```

use super::slots::Slots;
use crate::real::Real;

/// The numbers of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lion<F> {
    /// The learning rate.
    pub lr: F,
    /// The factor of the parameter.
    pub decay: F,
    /// The moment's share of the direction.
    pub beta1: F,
    /// The gradient's share of the direction.
    pub w1: F,
    /// The factor that the moment keeps.
    pub beta2: F,
    /// The gradient's share of the moment.
    pub w2: F,
}

impl<F: Real> Lion<F> {
    #[inline(always)]
    pub(super) fn step(self, slots: Slots<'_, F>) {
        for ((p, &g), m) in slots.param.iter_mut().zip(slots.grad).zip(slots.first) {
            let direction = self.w1.fused(g, *m * self.beta1);
            let decayed = *p * self.decay;
            // NaN becomes NaN, not a step.
            *p = if direction > F::ZERO {
                decayed - self.lr
            } else if direction < F::ZERO {
                decayed + self.lr
            } else {
                decayed + direction
            };
            *m = self.w2.fused(g, *m * self.beta2);
        }
    }
}
