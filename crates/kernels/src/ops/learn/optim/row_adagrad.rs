//! Row-wise Adagrad, with one sum of squares for each row. FBGEMM's `EXACT_ROWWISE_ADAGRAD`; Mudigere et al. 2022.
//!
//! ```text
//! lanes of 32: lane[d mod 32] = fma(g[d], g[d], lane[d mod 32]); then halved:
//!     for half in 16, 8, 4, 2, 1: lane[i] += lane[i + half] for i in 0..half
//! h = h + lane[0] / dim
//! p[d] = fma(-(lr / (sqrt(h) + eps)), g[d], p[d])
//! ```
//!
//! With weight decay, g[d] is fma(weight_decay, p[d], g[d]) in both places, or, decoupled, p[d] is p[d] * keep first.

use super::slots::Slots;
use crate::real::Real;
use crate::rows::total::halved;

/// The numbers of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowAdagrad<F> {
    /// The learning rate.
    pub lr: F,
    /// Added to the denominator.
    pub eps: F,
    /// Times the parameter, added to the gradient.
    pub weight_decay: F,
    /// What is kept of the parameter before the step.
    pub keep: F,
}

/// The number of separate sums of squares.
const LANES: usize = 32;

impl<F: Real> RowAdagrad<F> {
    /// Does a step on a whole row.
    #[inline(always)]
    pub(super) fn step(self, mut slots: Slots<'_, F>) {
        if self.weight_decay == F::ZERO {
            let with = |_: F, g: F| g;
            let size = self.size(&mut slots, with);
            // Nothing is decayed without `keep`: the bits of a step without it are those of before.
            if self.keep == F::ONE {
                for (p, &g) in slots.param.iter_mut().zip(slots.grad) {
                    *p = size.fused(g, *p);
                }
            } else {
                for (p, &g) in slots.param.iter_mut().zip(slots.grad) {
                    *p = size.fused(g, self.keep * *p);
                }
            }
        } else {
            let with = |p: F, g: F| self.weight_decay.fused(p, g);
            let size = self.size(&mut slots, with);
            for (p, &g) in slots.param.iter_mut().zip(slots.grad) {
                *p = size.fused(with(*p, g), *p);
            }
        }
    }

    /// Adds the mean square of the row's gradient to its sum, and returns the factor of the gradient. `with` gives the
    /// gradient of an element, given the element and what was computed for it.
    #[inline(always)]
    fn size(self, slots: &mut Slots<'_, F>, with: impl Fn(F, F) -> F) -> F {
        let mut lanes = [F::ZERO; LANES];
        let mut add = |params: &[F], grads: &[F]| {
            for ((lane, &p), &g) in lanes.iter_mut().zip(params).zip(grads) {
                let g = with(p, g);
                *lane = g.fused(g, *lane);
            }
        };
        let (params, grads) = (slots.param.chunks_exact(LANES), slots.grad.chunks_exact(LANES));
        let rest = (params.remainder(), grads.remainder());
        params.zip(grads).for_each(|(params, grads)| add(params, grads));
        add(rest.0, rest.1);
        slots.first[0] = slots.first[0] + halved(lanes) / F::round(slots.grad.len().max(1) as f64);
        -(self.lr / (slots.first[0].sqrt() + self.eps))
    }
}
