//! Row-wise Adagrad, with one sum of squares for each row. FBGEMM's `EXACT_ROWWISE_ADAGRAD`; Mudigere et al. 2022.
//!
//! ```text
//! lanes of 32: lane[d mod 32] = fma(g[d], g[d], lane[d mod 32]); then halved:
//!     for half in 16, 8, 4, 2, 1: lane[i] += lane[i + half] for i in 0..half
//! h = h + lane[0] / dim
//! p[d] = fma(-(lr / (sqrt(h) + eps)), g[d], p[d])
//! ```

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
}

/// The number of separate sums of squares.
const LANES: usize = 32;

impl<F: Real> RowAdagrad<F> {
    /// Does a step on a whole row.
    #[inline(always)]
    pub(super) fn step(self, slots: Slots<'_, F>) {
        let mut lanes = [F::ZERO; LANES];
        let blocks = slots.grad.chunks_exact(LANES);
        let rest = blocks.remainder();
        for block in blocks {
            for (lane, &g) in lanes.iter_mut().zip(block) {
                *lane = g.fused(g, *lane);
            }
        }
        for (lane, &g) in lanes.iter_mut().zip(rest) {
            *lane = g.fused(g, *lane);
        }
        let h = &mut slots.first[0];
        *h = *h + halved(lanes) / F::round(slots.grad.len().max(1) as f64);
        let size = -(self.lr / (h.sqrt() + self.eps));
        for (p, &g) in slots.param.iter_mut().zip(slots.grad) {
            *p = size.fused(g, *p);
        }
    }
}
