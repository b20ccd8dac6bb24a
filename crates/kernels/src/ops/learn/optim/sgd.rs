//! Stochastic gradient descent. `torch.optim.SGD`.
//!
//! ```text
//! g = fma(weight_decay, p, g)                   if there is any
//! velocity = g at the first step, else fma(1 - dampening, g, velocity * momentum)
//! g = velocity, or fma(momentum, velocity, g) with Nesterov momentum
//! p = fma(-lr, g, p)
//! ```

use super::slots::Slots;
use crate::real::Real;

/// The numbers of one step without momentum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd<F> {
    /// The learning rate.
    pub lr: F,
    /// The factor of the parameter that is added to the gradient.
    pub weight_decay: F,
}

/// The numbers of one step with momentum. Sutskever, Martens, Dahl, Hinton 2013.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Momentum<F> {
    /// The numbers that both kinds of step have.
    pub sgd: Sgd<F>,
    /// The factor that the velocity keeps.
    pub momentum: F,
    /// The gradient's share of the velocity: 1 - dampening.
    pub share: F,
    /// Whether to use Nesterov momentum.
    pub nesterov: bool,
    /// Whether there is no velocity yet.
    pub first: bool,
}

impl<F: Real> Sgd<F> {
    #[inline(always)]
    fn decayed(self, grad: F, param: F) -> F {
        if self.weight_decay == F::ZERO { grad } else { self.weight_decay.fused(param, grad) }
    }

    #[inline(always)]
    pub(super) fn step(self, slots: Slots<'_, F>) {
        for (p, &g) in slots.param.iter_mut().zip(slots.grad) {
            *p = (-self.lr).fused(self.decayed(g, *p), *p);
        }
    }
}

impl<F: Real> Momentum<F> {
    #[inline(always)]
    pub(super) fn step(self, slots: Slots<'_, F>) {
        let Momentum { sgd, momentum, share, nesterov, first } = self;
        for ((p, &g), velocity) in slots.param.iter_mut().zip(slots.grad).zip(slots.first) {
            let g = sgd.decayed(g, *p);
            *velocity = if first { g } else { share.fused(g, *velocity * momentum) };
            let ahead = if nesterov { momentum.fused(*velocity, g) } else { *velocity };
            *p = (-sgd.lr).fused(ahead, *p);
        }
    }
}
