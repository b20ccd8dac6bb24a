//! layer_norm_grad: the way back through a layer normalization, in place of what was normalized.
//!
//! ```text
//! for each row, with high, low, rstd of x as ops/layer_norm.rs has them, and its lanes for every sum over a row:
//!     unit[d] = ((x[d] - high) - low) * rstd
//!     weight_grad[d] = fma(grad[d], unit[d], weight_grad[d])          row after row
//!     bias_grad[d]   = bias_grad[d] + grad[d]
//!     scaled[d] = grad[d] * weight[d]
//!     a = f32(sum(scaled[d]) * share)
//!     b = f32(sum(scaled[d] * unit[d]) * share)                       by fused multiply-add
//!     x[d] = fma(-unit[d], b, scaled[d] - a) * rstd
//! ```
//!
//! `torch.nn.functional.layer_norm`'s backward. Written without vectors: compiled with an instruction set's features it
//! becomes that set's, with the same bits, since lanes are summed as they are written.

use super::layer_norm::{LANES, Moments, Norm, RawNorm, halved};
use crate::table::Kernels;

/// The op as the kernels take it; slices are as long as they must be: [`Kernels::layer_norm_grad`] checks that.
#[derive(Debug)]
pub(crate) struct RawLayerNormGrad<'a> {
    dim: usize,
    weight: &'a [f32],
    norm: RawNorm,
    grad: &'a [f32],
    x: &'a mut [f32],
    weight_grad: &'a mut [f32],
    bias_grad: &'a mut [f32],
}

impl Kernels {
    /// Replaces what was normalized, `x` (rows x dim), by its gradient, given that of the result; adds to the gradients of
    /// the weight and the bias.
    ///
    /// # Panics
    /// If the slices are not of these sizes: the caller's bug, not its user's.
    pub fn layer_norm_grad(
        &self,
        norm: &Norm<'_>,
        grad: &[f32],
        x: &mut [f32],
        weight_grad: &mut [f32],
        bias_grad: &mut [f32],
    ) {
        let dim = norm.weight.len();
        assert!(grad.len() == x.len(), "layer_norm_grad: gradient of another size");
        assert!(dim > 0 && x.len().is_multiple_of(dim), "layer_norm_grad: rows of another length");
        assert!(weight_grad.len() == dim && bias_grad.len() == dim, "layer_norm_grad: parameters of another size");
        let raw =
            RawNorm { weight: norm.weight.as_ptr(), bias: norm.bias.as_ptr(), share: 1.0 / dim as f64, eps: norm.eps };
        let op = RawLayerNormGrad { dim, weight: norm.weight, norm: raw, grad, x, weight_grad, bias_grad };
        // SAFETY: this table is only handed out where its instruction set runs.
        unsafe { (self.layer_norm_grad)(op) }
    }
}

/// [`body`] with the signature of the table's pointer.
pub(crate) unsafe fn reference(op: RawLayerNormGrad<'_>) {
    body(op)
}

/// The sum over a row of `term(lane, element)`, lanes as [`LANES`] of them are summed everywhere.
#[inline(always)]
fn sum(dim: usize, mut add: impl FnMut(&mut f32, usize)) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let whole = dim - dim % LANES;
    let mut at = 0;
    while at < whole {
        for (lane, sum) in lanes.iter_mut().enumerate() {
            add(sum, at + lane);
        }
        at += LANES;
    }
    for (lane, sum) in lanes.iter_mut().enumerate().take(dim - whole) {
        add(sum, whole + lane);
    }
    halved(lanes)
}

/// The definition.
#[inline(always)]
pub(crate) fn body(op: RawLayerNormGrad<'_>) {
    let RawLayerNormGrad { dim, weight, norm, grad, x, weight_grad, bias_grad } = op;
    let (weight, weight_grad, bias_grad) = (&weight[..dim], &mut weight_grad[..dim], &mut bias_grad[..dim]);
    for (x, grad) in x.chunks_exact_mut(dim).zip(grad.chunks_exact(dim)) {
        let high = norm.mean(sum(dim, |sum, d| *sum += x[d]));
        let deviations = sum(dim, |sum, d| *sum += x[d] - high);
        let squares = sum(dim, |sum, d| {
            let deviation = x[d] - high;
            *sum = deviation.mul_add(deviation, *sum);
        });
        let Moments { high, low, rstd } = Moments::new(norm, high, deviations, squares);
        for d in 0..dim {
            let unit = ((x[d] - high) - low) * rstd;
            x[d] = unit;
            weight_grad[d] = grad[d].mul_add(unit, weight_grad[d]);
            bias_grad[d] += grad[d];
        }
        let a = norm.mean(sum(dim, |sum, d| *sum += grad[d] * weight[d]));
        let b = norm.mean(sum(dim, |sum, d| *sum = (grad[d] * weight[d]).mul_add(x[d], *sum)));
        for d in 0..dim {
            x[d] = (-x[d]).mul_add(b, grad[d] * weight[d] - a) * rstd;
        }
    }
}
