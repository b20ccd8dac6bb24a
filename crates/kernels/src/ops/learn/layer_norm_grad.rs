//! layer_norm_grad: the backward pass of a layer normalization, in place of what was normalized.
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
//! `torch.nn.functional.layer_norm`'s backward. Lanes are summed as written, so the bits are the same on every
//! instruction set.

use crate::dispatch::{Kernels, arms};
use crate::lanes::math::MathLanes;
use crate::ops::lookup::layer_norm::{LANES, Moments, Norm, RawNorm, VECTORS, moments, sum as sum_of_lanes};
use crate::probe::{self, DIMS, Framed, Probe, ROWS, Results};
use crate::rows::total::halved;
use crate::rows::write::Plain;

/// The raw arguments of the op; [`Kernels::layer_norm_grad`] checks the lengths of the slices.
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

arms!(LAYER_NORM_GRAD: fn(op: RawLayerNormGrad<'_>), body<L>, reference);

impl Kernels {
    /// Given the gradient of the result, replaces what was normalized, `x` (rows x dim), by its gradient, and adds to
    /// the gradients of the weight and the bias.
    ///
    /// # Panics
    /// If the slices have other sizes, which is a bug in the caller.
    pub fn layer_norm_grad(
        self,
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
        // SAFETY: `self` proves that the instruction set runs here.
        unsafe { LAYER_NORM_GRAD.on(self)(op) }
    }
}

/// The sum over a row; `add` adds an element to its lane.
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

/// The reference, which defines the result.
unsafe fn reference(op: RawLayerNormGrad<'_>) {
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

/// The lanes as an array.
///
/// # Safety
/// The machine has `L`'s instruction set.
#[inline(always)]
unsafe fn numbers<L: MathLanes>(vectors: [L; VECTORS]) -> [f32; LANES] {
    let mut lanes = [0.0; LANES];
    let mut v = 0;
    while v * L::WIDTH < LANES {
        // SAFETY: as the caller promises; as many lanes as vectors have.
        unsafe { vectors[v].store(lanes.as_mut_ptr().add(v * L::WIDTH)) };
        v += 1;
    }
    lanes
}

/// # Safety
/// The slices have the lengths that [`Kernels::layer_norm_grad`] checks, on a machine that has `L`'s instruction set.
#[inline(always)]
unsafe fn body<L: MathLanes>(op: RawLayerNormGrad<'_>) {
    let RawLayerNormGrad { dim, weight, norm, grad, x, weight_grad, bias_grad } = op;
    let (weight, by_weight, by_bias) = (weight.as_ptr(), weight_grad.as_mut_ptr(), bias_grad.as_mut_ptr());
    let whole = dim - dim % LANES;
    let mut row = 0;
    while row < x.len() {
        // SAFETY: the caller promises that every index stays below `dim`, of a row that is there.
        unsafe {
            let (x, grad) = (x.as_mut_ptr().add(row), grad.as_ptr().add(row));
            let Moments { high, low, rstd } = moments::<L, Plain>(norm, Plain(x), dim);
            let (h, l, r) = (L::splat(high), L::splat(low), L::splat(rstd));
            let (mut scaled_sums, mut products) = ([L::splat(0.0); VECTORS], [L::splat(0.0); VECTORS]);
            let mut at = 0;
            while at < whole {
                let mut v = 0;
                while v * L::WIDTH < LANES {
                    let d = at + v * L::WIDTH;
                    let unit = L::load(x.add(d)).sub(h).sub(l).mul(r);
                    let g = L::load(grad.add(d));
                    let scaled = g.mul(L::load(weight.add(d)));
                    unit.store(x.add(d));
                    g.mul_add(unit, L::load(by_weight.add(d))).store(by_weight.add(d));
                    L::load(by_bias.add(d)).add(g).store(by_bias.add(d));
                    scaled_sums[v] = scaled_sums[v].add(scaled);
                    products[v] = scaled.mul_add(unit, products[v]);
                    v += 1;
                }
                at += LANES;
            }
            let (a, b) = if whole == dim {
                (sum_of_lanes(scaled_sums), sum_of_lanes(products))
            } else {
                let (mut scaled_lanes, mut product_lanes) = (numbers(scaled_sums), numbers(products));
                let mut d = whole;
                while d < dim {
                    let unit = ((*x.add(d) - high) - low) * rstd;
                    let g = *grad.add(d);
                    let scaled = g * *weight.add(d);
                    *x.add(d) = unit;
                    *by_weight.add(d) = g.mul_add(unit, *by_weight.add(d));
                    *by_bias.add(d) += g;
                    scaled_lanes[d - whole] += scaled;
                    product_lanes[d - whole] = scaled.mul_add(unit, product_lanes[d - whole]);
                    d += 1;
                }
                (halved(scaled_lanes), halved(product_lanes))
            };
            let (a, b) = (norm.mean(a), norm.mean(b));
            let (a_lanes, minus_b) = (L::splat(a), L::splat(-b));
            let mut at = 0;
            while at + L::WIDTH <= dim {
                let scaled = L::load(grad.add(at)).mul(L::load(weight.add(at)));
                L::load(x.add(at)).mul_add(minus_b, scaled.sub(a_lanes)).mul(r).store(x.add(at));
                at += L::WIDTH;
            }
            while at < dim {
                let scaled = *grad.add(at) * *weight.add(at);
                *x.add(at) = (*x.add(at)).mul_add(-b, scaled - a) * rstd;
                at += 1;
            }
        }
        row += dim;
    }
}

pub(crate) const PROBE: Probe = Probe { name: "layer_norm_grad", line: "norm gradient", sizes: &DIMS, run: probe };

fn probe(kernels: Kernels, dim: usize, results: &mut Results) {
    let [weight, bias] = [61, 67].map(|seed| probe::numbers(dim, seed));
    let grad = probe::numbers(ROWS * dim, 71);
    let mut x = Framed::new(&probe::numbers(ROWS * dim, 73));
    let [mut weight_grad, mut bias_grad] = [0, 1].map(|_| Framed::new(&vec![0.0; dim]));
    let norm = Norm { weight: &weight, bias: &bias, eps: 1e-5 };
    kernels.layer_norm_grad(&norm, &grad, &mut x, &mut weight_grad, &mut bias_grad);
    [x, weight_grad, bias_grad].iter().for_each(|written| results.take(written));
}
