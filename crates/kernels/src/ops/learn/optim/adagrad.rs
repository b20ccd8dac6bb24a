//! Adagrad. Duchi, Hazan, Singer 2011. `torch.optim.Adagrad` for dense gradients.
//!
//! ```text
//! g = fma(weight_decay, p, g)                   if there is any
//! h = fma(g, g, h)
//! p = p + (-lr * g) / (sqrt(h) + eps)
//! ```
//!
//! Rows are stepped like the whole parameter, so that both give the same bits. PyTorch's sparse path rounds at other
//! places.

use super::slots::Slots;
use crate::real::Real;

/// The numbers of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adagrad<F> {
    /// The learning rate of this step.
    pub lr: F,
    /// Added to the denominator.
    pub eps: F,
    /// The factor of the parameter that is added to the gradient.
    pub weight_decay: F,
}

impl<F: Real> Adagrad<F> {
    #[inline(always)]
    pub(super) fn step(self, slots: Slots<'_, F>) {
        for ((p, &g), h) in slots.param.iter_mut().zip(slots.grad).zip(slots.first) {
            let g = if self.weight_decay == F::ZERO { g } else { self.weight_decay.fused(*p, g) };
            *h = g.fused(g, *h);
            *p = *p + (-self.lr * g) / (h.sqrt() + self.eps);
        }
    }
}
