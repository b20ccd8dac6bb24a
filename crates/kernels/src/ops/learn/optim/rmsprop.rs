//! RMSprop. Hinton 2012; centered as Graves 2013 has it. `torch.optim.RMSprop`.
//!
//! ```text
//! g = fma(weight_decay, p, g)                   if there is any
//! s = fma(share * g, g, s * alpha)              share = 1 - alpha
//! c = lerp(c, g, share)                         centered: its mean, as Adam's first moment
//! root = sqrt(s), or sqrt(fma(-c, c, s)), + eps
//! b = b * momentum + g / root;  p = fma(-lr, b, p)
//! p = p + (-lr * g) / root                      without momentum
//! ```

use super::slots::Slots;
use crate::real::Real;

/// The numbers of one step. Its state is `s`, then `c` if it is centered, then `b` if it has momentum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsProp<F> {
    /// The learning rate.
    pub lr: F,
    /// The factor that the mean of squares keeps.
    pub alpha: F,
    /// The gradient's share of the means.
    pub share: F,
    /// Added to the root.
    pub eps: F,
    /// The factor of the parameter that is added to the gradient.
    pub weight_decay: F,
    /// The factor that the velocity keeps; 0 for none.
    pub momentum: F,
    /// Whether the mean of gradients is subtracted.
    pub centered: bool,
}

impl<F: Real> RmsProp<F> {
    /// The number of states.
    pub fn states(&self) -> usize {
        1 + usize::from(self.centered) + usize::from(self.momentum != F::ZERO)
    }

    #[inline(always)]
    fn lerp(self, mean: F, g: F) -> F {
        if self.share < F::round(0.5) {
            self.share.fused(g - mean, mean)
        } else {
            (self.share - F::ONE).fused(g - mean, g)
        }
    }

    #[inline(always)]
    pub(super) fn step(self, slots: Slots<'_, F>) {
        let Slots { param, grad, first, second, third } = slots;
        let (means, velocities) = if self.centered { (second, third) } else { (third, second) };
        for (i, ((p, &g), s)) in param.iter_mut().zip(grad).zip(first).enumerate() {
            let g = if self.weight_decay == F::ZERO { g } else { self.weight_decay.fused(*p, g) };
            *s = (self.share * g).fused(g, *s * self.alpha);
            let square = if self.centered {
                let mean = &mut means[i];
                *mean = self.lerp(*mean, g);
                (-*mean).fused(*mean, *s)
            } else {
                *s
            };
            let root = square.sqrt() + self.eps;
            *p = if self.momentum == F::ZERO {
                *p + (-self.lr * g) / root
            } else {
                let velocity = &mut velocities[i];
                *velocity = *velocity * self.momentum + g / root;
                (-self.lr).fused(*velocity, *p)
            };
        }
    }
}
