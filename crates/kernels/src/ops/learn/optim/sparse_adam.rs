//! Adam for gradients in rows only: a row without a gradient stays as it is, with its moments.
//! `torch.optim.SparseAdam`.
//!
//! ```text
//! m = m + (g - m) * w1
//! v = v + (g * g - v) * w2
//! p = p + -size * (m / (sqrt(v) + eps))         size = lr * sqrt(1 - beta2^t) / (1 - beta1^t)
//! ```
//!
//! Nothing is fused, because PyTorch does these operations one by one.

use super::slots::Slots;
use crate::real::Real;

/// The numbers of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SparseAdam<F> {
    /// The gradient's share of the first moment.
    pub w1: F,
    /// The squared gradient's share of the second.
    pub w2: F,
    /// The learning rate, with both bias corrections.
    pub size: F,
    /// Added to the denominator.
    pub eps: F,
}

impl<F: Real> SparseAdam<F> {
    #[inline(always)]
    pub(super) fn step(self, slots: Slots<'_, F>) {
        let moments = slots.first.iter_mut().zip(slots.second);
        for ((p, &g), (m, v)) in slots.param.iter_mut().zip(slots.grad).zip(moments) {
            *m = *m + (g - *m) * self.w1;
            *v = *v + (g * g - *v) * self.w2;
            *p = *p + -self.size * (*m / (v.sqrt() + self.eps));
        }
    }
}
