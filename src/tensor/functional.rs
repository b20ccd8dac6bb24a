//! The functions that networks need besides arithmetic: cross-entropy, layer normalization and dropout, with their
//! backward passes.

use crate::node::borrow::{Operand, size};
use crate::node::borrowed_word::{Reduction, Word};
use crate::node::external::External;
use crate::node::guard::{Failure, guard, status};
use crate::tensor::elements::with_float;
use crate::tensor::random::Draws;
use napi_derive::napi;
use tokenbed_core::ops::entropy::{RowEntropy, Scale, entropy, entropy_back, resolve_targets};
use tokenbed_core::ops::norm::{norm_back, norm_rows};
use tokenbed_core::ops::unary::{Real, dropout};
use tokenbed_core::{DType, Error};
use tokenbed_kernels::dispatch;
use tokenbed_memory::{Gather, List};

/// The rows of cross-entropy, with two numbers each.
fn rows_mut(rows: &mut [f64]) -> Result<&mut [RowEntropy], Failure> {
    bytemuck::try_cast_slice_mut(rows).map_err(|_| Error::Shape("each row must have two numbers".into()).into())
}

/// Rows of `classes` logits, and their targets. Rows whose target is `ignore` do not count.
#[napi(object, object_to_js = false)]
pub struct EntropyOperand {
    pub classes: f64,
    pub ignore: f64,
    pub logits: Operand,
    pub targets: Operand,
}

/// The output buffers of cross-entropy.
#[napi(object, object_to_js = false)]
pub struct EntropyResults {
    /// The checked targets, as uint32.
    pub kept: Operand,
    /// The two float64 of each row that the backward pass needs.
    pub rows: Operand,
    /// The loss of each row, or a single one.
    pub losses: Operand,
}

/// Computes cross-entropy per row, and the losses or their sum or mean. Returns the number of rows that count.
#[napi(catch_unwind)]
pub fn entropy_elements(
    arithmetic: Word<DType>,
    reduction: Word<Reduction>,
    given: EntropyOperand,
    results: EntropyResults,
) -> Option<f64> {
    guard(|| {
        let EntropyOperand { classes, ignore, logits, targets } = given;
        let classes = size(classes)?;
        let kept = results.kept.exclusive::<u32>(&[&logits, &targets])?;
        let rows = rows_mut(results.rows.exclusive::<f64>(&[&logits, &targets])?)?;
        let count = resolve_targets(targets.ids()?, classes, Some(ignore as i64), kept).map_err(Failure::of_target)?;
        with_float!(arithmetic, T => {
            let out = results.losses.exclusive::<T>(&[&logits, &targets])?;
            entropy(dispatch::active(), classes, logits.shared::<T>()?, kept, rows)?;
            losses(reduction.0, rows, count, out)?;
        });
        Ok(count as f64)
    })
}

/// Writes the losses, or their sum or mean. They are summed in f64, in order, and rounded once.
fn losses<T: Real>(how: Reduction, rows: &[RowEntropy], count: usize, out: &mut [T]) -> Result<(), Failure> {
    let wanted = if how == Reduction::None { rows.len() } else { 1 };
    if out.len() != wanted {
        return Err(Error::Shape(format!("the result has {} elements for {wanted} losses", out.len())).into());
    }
    if how == Reduction::None {
        out.iter_mut().zip(rows).for_each(|(out, &[_, loss])| *out = T::round(loss));
        return Ok(());
    }
    let sum: f64 = rows.iter().fold(0.0, |sum, &[_, loss]| sum + loss);
    // The mean of no rows is NaN.
    out[0] = T::round(if how == Reduction::Mean { sum / count as f64 } else { sum });
    Ok(())
}

/// What the backward pass of cross-entropy reads from the forward pass.
#[napi(object, object_to_js = false)]
pub struct EntropySaved {
    pub classes: f64,
    pub logits: Operand,
    pub kept: Operand,
    pub rows: Operand,
}

/// Computes the gradient of the logits. `grad` is the gradient of the result: one value per row or, with `share`, a
/// single value that is multiplied by `share` for each row.
#[napi(catch_unwind)]
pub fn entropy_back_elements(
    arithmetic: Word<DType>,
    saved: EntropySaved,
    grad: Operand,
    share: Option<f64>,
    out: Operand,
) -> bool {
    status(|| {
        let EntropySaved { classes, logits, kept, rows } = saved;
        let rows: &[RowEntropy] = bytemuck::try_cast_slice(rows.shared::<f64>()?)
            .map_err(|_| Error::Shape("each row must have two numbers".into()))?;
        with_float!(arithmetic, T => {
            let grad_of = grad.shared::<T>()?;
            let scale = match (share, grad_of) {
                (None, _) => Scale::Each(grad_of),
                (Some(share), &[grad]) => Scale::One(grad.wide() * share),
                _ => return Err(Error::Shape(format!("one loss needs one gradient, not {}", grad_of.len())).into()),
            };
            let out = out.exclusive::<T>(&[&logits, &kept, &grad])?;
            Ok(entropy_back(dispatch::active(), size(classes)?, logits.shared::<T>()?, kept.stable()?, rows, scale, out)?)
        })
    })
}

fn optional<T: bytemuck::Pod>(operand: &Option<Operand>) -> Result<Option<&[T]>, Failure> {
    operand.as_ref().map(Operand::shared).transpose()
}

/// The options of a normalization of rows with `dim` elements.
#[napi(object, object_to_js = false)]
pub struct NormOperand {
    pub dim: f64,
    pub eps: f64,
    pub weight: Option<Operand>,
    pub bias: Option<Operand>,
}

/// Normalizes rows.
#[napi(catch_unwind)]
pub fn norm_elements(arithmetic: Word<DType>, norm: NormOperand, x: Operand, out: Operand) -> bool {
    status(|| {
        let NormOperand { dim, eps, weight, bias } = norm;
        with_float!(arithmetic, T => {
            let read: Vec<&Operand> = [Some(&x), weight.as_ref(), bias.as_ref()].into_iter().flatten().into_list();
            let out = out.exclusive::<T>(&read)?;
            Ok(norm_rows(dispatch::active(), size(dim)?, eps, optional(&weight)?, optional(&bias)?, x.shared::<T>()?, out)?)
        })
    })
}

/// The buffers for the gradients of a normalization: of the rows, and of weight and bias if they are requested.
#[napi(object, object_to_js = false)]
pub struct NormGradients {
    pub x: Operand,
    pub weight: Option<Operand>,
    pub bias: Option<Operand>,
}

/// Computes the gradients of a normalization.
#[napi(catch_unwind)]
pub fn norm_back_elements(
    arithmetic: Word<DType>,
    norm: NormOperand,
    x: Operand,
    grad: Operand,
    out: NormGradients,
) -> bool {
    status(|| {
        let NormOperand { dim, eps, weight, .. } = norm;
        with_float!(arithmetic, T => {
            let mut apart: Vec<&Operand> = [Some(&x), Some(&grad), weight.as_ref()].into_iter().flatten().into_list();
            let rows = out.x.exclusive::<T>(&apart)?;
            apart.put(&out.x);
            let weights = out.weight.as_ref().map(|out| out.exclusive::<T>(&apart)).transpose()?;
            apart.put_all(out.weight.as_ref());
            let biases = out.bias.as_ref().map(|out| out.exclusive::<T>(&apart)).transpose()?;
            let (x, grad) = (x.shared::<T>()?, grad.shared::<T>()?);
            Ok(norm_back(dispatch::active(), size(dim)?, eps, optional(&weight)?, x, grad, rows, weights, biases)?)
        })
    })
}

/// Draws which elements dropout keeps, each with probability `keep`: one bit per element, in order.
#[napi(catch_unwind)]
pub fn draw_kept(generator: &External<Draws>, keep: f64, elements: f64, bits: Operand) -> bool {
    status(|| {
        let (elements, bits) = (size(elements)?, bits.exclusive::<u8>(&[])?);
        if bits.len() != elements.div_ceil(8) {
            return Err(
                Error::Shape(format!("{} bytes do not hold the bits of {elements} elements", bits.len())).into()
            );
        }
        generator.bernoulli(keep, elements, bits);
        Ok(())
    })
}

/// Multiplies elements by `scale` if their bit is set, and by 0 otherwise.
#[napi(catch_unwind)]
pub fn dropout_elements(arithmetic: Word<DType>, scale: f64, bits: Operand, x: Operand, out: Operand) -> bool {
    status(|| {
        with_float!(arithmetic, T => {
            let out = out.exclusive::<T>(&[&bits, &x])?;
            Ok(dropout(dispatch::active(), scale, bits.shared()?, x.shared::<T>()?, out)?)
        })
    })
}
