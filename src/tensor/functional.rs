//! What networks need beside arithmetic: cross-entropy, layer normalization, dropout, forward and back.

use crate::node::borrow::{Operand, size};
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

/// What becomes of the losses of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reduction {
    None,
    Sum,
    Mean,
}

fn reduction(code: u32) -> Result<Reduction, Failure> {
    match code {
        0 => Ok(Reduction::None),
        1 => Ok(Reduction::Sum),
        2 => Ok(Reduction::Mean),
        _ => Err(Error::Usage(format!("no reduction has the code {code}")).into()),
    }
}

/// Rows of the entropy, two numbers each.
fn rows_mut(rows: &mut [f64]) -> Result<&mut [RowEntropy], Failure> {
    bytemuck::try_cast_slice_mut(rows).map_err(|_| Error::Shape("rows are two numbers each".into()).into())
}

/// Cross-entropy of rows of `classes` logits. Targets are checked and kept in `kept` (uint32), what the way back needs of
/// each row in `rows` (two float64), the losses or their sum or mean go to `out`. How many rows count.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "flat arguments cross cheaply")]
pub fn entropy_elements(
    arithmetic: u32,
    reduced: u32,
    classes: f64,
    ignore: f64,
    logits: Operand,
    targets: Operand,
    kept: Operand,
    rows: Operand,
    out: Operand,
) -> Option<f64> {
    guard(|| {
        let classes = size(classes)?;
        let how = reduction(reduced)?;
        let kept = kept.exclusive::<u32>(&[&logits, &targets])?;
        let rows = rows_mut(rows.exclusive::<f64>(&[&logits, &targets])?)?;
        let count = resolve_targets(targets.ids()?, classes, Some(ignore as i64), kept).map_err(Failure::of_target)?;
        with_float!(arithmetic, T => {
            let out = out.exclusive::<T>(&[&logits, &targets])?;
            entropy(dispatch::active(), classes, logits.shared::<T>()?, kept, rows)?;
            losses(how, rows, count, out)?;
        });
        Ok(count as f64)
    })
}

/// Writes the losses, or their sum or mean: summed in f64, in order, and rounded once.
fn losses<T: Real>(how: Reduction, rows: &[RowEntropy], count: usize, out: &mut [T]) -> Result<(), Failure> {
    let wanted = if how == Reduction::None { rows.len() } else { 1 };
    if out.len() != wanted {
        return Err(Error::Shape(format!("{} losses do not fill {wanted}", out.len())).into());
    }
    if how == Reduction::None {
        out.iter_mut().zip(rows).for_each(|(out, &[_, loss])| *out = T::round(loss));
        return Ok(());
    }
    let sum: f64 = rows.iter().fold(0.0, |sum, &[_, loss]| sum + loss);
    // The mean over nothing is NaN.
    out[0] = T::round(if how == Reduction::Mean { sum / count as f64 } else { sum });
    Ok(())
}

/// The gradient of the logits; `grad` is that of the result, one number or one for each row, and `share` what each is
/// multiplied by.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "flat arguments cross cheaply")]
pub fn entropy_back_elements(
    arithmetic: u32,
    each: bool,
    classes: f64,
    share: f64,
    logits: Operand,
    kept: Operand,
    rows: Operand,
    grad: Operand,
    out: Operand,
) -> bool {
    status(|| {
        let rows: &[RowEntropy] = bytemuck::try_cast_slice(rows.shared::<f64>()?)
            .map_err(|_| Error::Shape("rows are two numbers each".into()))?;
        with_float!(arithmetic, T => {
            let grad_of = grad.shared::<T>()?;
            let scale = match grad_of {
                _ if each => Scale::Each(grad_of),
                &[grad] => Scale::One(grad.wide() * share),
                _ => return Err(Error::Shape(format!("{} gradients for one loss", grad_of.len())).into()),
            };
            let out = out.exclusive::<T>(&[&logits, &kept, &grad])?;
            Ok(entropy_back(dispatch::active(), size(classes)?, logits.shared::<T>()?, kept.stable()?, rows, scale, out)?)
        })
    })
}

fn optional<T: bytemuck::Pod>(operand: &Option<Operand>) -> Result<Option<&[T]>, Failure> {
    operand.as_ref().map(Operand::shared).transpose()
}

/// Rows of `dim` elements, normalized.
#[napi(catch_unwind)]
pub fn norm_elements(
    arithmetic: u32,
    dim: f64,
    eps: f64,
    x: Operand,
    weight: Option<Operand>,
    bias: Option<Operand>,
    out: Operand,
) -> bool {
    status(|| {
        with_float!(arithmetic, T => {
            let read: Vec<&Operand> = [Some(&x), weight.as_ref(), bias.as_ref()].into_iter().flatten().into_list();
            let out = out.exclusive::<T>(&read)?;
            Ok(norm_rows(dispatch::active(), size(dim)?, eps, optional(&weight)?, optional(&bias)?, x.shared::<T>()?, out)?)
        })
    })
}

/// The gradients of the rows, and of weight and bias where they are asked for.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "flat arguments cross cheaply")]
pub fn norm_back_elements(
    arithmetic: u32,
    dim: f64,
    eps: f64,
    x: Operand,
    weight: Option<Operand>,
    grad: Operand,
    out: Operand,
    weight_out: Option<Operand>,
    bias_out: Option<Operand>,
) -> bool {
    status(|| {
        with_float!(arithmetic, T => {
            let mut apart: Vec<&Operand> = [Some(&x), Some(&grad), weight.as_ref()].into_iter().flatten().into_list();
            let rows = out.exclusive::<T>(&apart)?;
            apart.put(&out);
            let weights = weight_out.as_ref().map(|out| out.exclusive::<T>(&apart)).transpose()?;
            apart.put_all(weight_out.as_ref());
            let biases = bias_out.as_ref().map(|out| out.exclusive::<T>(&apart)).transpose()?;
            let (x, grad) = (x.shared::<T>()?, grad.shared::<T>()?);
            Ok(norm_back(dispatch::active(), size(dim)?, eps, optional(&weight)?, x, grad, rows, weights, biases)?)
        })
    })
}

/// Which elements dropout keeps, each with a probability of `keep`: a bit each, in the order of the elements.
#[napi(catch_unwind)]
pub fn draw_kept(generator: &External<Draws>, keep: f64, elements: f64, bits: Operand) -> bool {
    status(|| {
        let (elements, bits) = (size(elements)?, bits.exclusive::<u8>(&[])?);
        if bits.len() != elements.div_ceil(8) {
            return Err(Error::Shape(format!("{} bytes of bits for {elements} elements", bits.len())).into());
        }
        generator.bernoulli(keep, elements, bits);
        Ok(())
    })
}

/// Elements times `scale` where their bit is set, else times 0.
#[napi(catch_unwind)]
pub fn dropout_elements(arithmetic: u32, scale: f64, bits: Operand, x: Operand, out: Operand) -> bool {
    status(|| {
        with_float!(arithmetic, T => {
            let out = out.exclusive::<T>(&[&bits, &x])?;
            Ok(dropout(dispatch::active(), scale, bits.shared()?, x.shared::<T>()?, out)?)
        })
    })
}
