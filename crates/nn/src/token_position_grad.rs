//! The backward pass of the input layer. It computes the gradient of the sum before normalization, which is also the
//! gradient of every table's rows, and the gradients of the normalization's parameters.

use crate::row_grad::OrderOut;
use crate::token_position::{Inputs, Layer, Scratch, Side, checked};
use tokenbed_core::Error;
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::ops::lookup::embed::Embed;
use tokenbed_kernels::rows::store::Store;
use tokenbed_memory::{Gather, zeroed};
use tokenbed_threads::parallel_rows;

/// Rows whose gradients of weight and bias are summed in sequence; the sums of such blocks are then added in order. The
/// size depends on nothing, so neither do the bits.
const BLOCK: usize = 256;
/// Rows that are summed again and normalized while they are in the first-level cache.
const STEP: usize = 4;

/// Given the gradient of the result, writes the gradient of the sum before normalization (ids x dim) to `out`, and
/// those of the normalization's weight and bias. Rows are summed again from the ids, because forward keeps none.
///
/// # Errors
/// As for [`crate::token_position::forward`]; [`Error::Usage`] if the layer does not normalize, and [`Error::Shape`]
/// for other sizes that do not fit.
pub fn backward(
    kernels: Kernels,
    layer: &Layer<'_>,
    inputs: &Inputs<'_>,
    scratch: &mut Scratch,
    grad: &[f32],
    (out, weight_grad, bias_grad): (&mut [f32], &mut [f32], &mut [f32]),
) -> Result<(), (Side, Error)> {
    let wrong = |error| (Side::Token, error);
    let Some(norm) = layer.norm else {
        return Err(wrong(Error::Usage("the layer has no normalization to run backward".into())));
    };
    let op = checked(kernels, layer, inputs, scratch, out.len())?;
    let dim = op.dim;
    if grad.len() != out.len() || weight_grad.len() != dim || bias_grad.len() != dim {
        return Err(wrong(Error::Shape(format!("a gradient of {} elements does not match the result", grad.len()))));
    }
    let sums = Embed { norm: None, ..op };
    let blocks = (out.len() / dim.max(1)).div_ceil(BLOCK);
    let mut partial = zeroed::<f32>(blocks * 2 * dim);
    let mut work: Vec<_> =
        out.chunks_mut(BLOCK * dim).zip(grad.chunks(BLOCK * dim)).zip(partial.chunks_exact_mut(2 * dim)).into_list();
    parallel_rows(&mut work, 1, 2 * BLOCK * dim * size_of::<f32>(), |range, work| {
        for (b, ((out, grad), partial)) in range.zip(work) {
            let (of_weight, of_bias) = partial.split_at_mut(dim);
            let mut first = b * BLOCK;
            for (out, grad) in out.chunks_mut(STEP * dim).zip(grad.chunks(STEP * dim)) {
                let rows = first..first + out.len() / dim;
                first = rows.end;
                kernels.embed_with(Store::Cached, &sums.part(rows), out);
                kernels.layer_norm_grad(&norm, grad, out, of_weight, of_bias);
            }
        }
    });
    weight_grad.fill(0.0);
    bias_grad.fill(0.0);
    for partial in partial.chunks_exact(2 * dim) {
        let (of_weight, of_bias) = partial.split_at(dim);
        weight_grad.iter_mut().zip(of_weight).for_each(|(sum, part)| *sum += part);
        bias_grad.iter_mut().zip(of_bias).for_each(|(sum, part)| *sum += part);
    }
    Ok(())
}

/// The order of positions that count from `offset` along sequences of `length`, for `n` ids; with a length of 1 all are
/// the same row. Returns the number of rows.
///
/// # Errors
/// [`Error::Shape`] if the ids are not whole sequences, or `out` has the wrong size.
pub fn cycle_order(n: usize, offset: usize, length: usize, out: &mut OrderOut<'_>) -> tokenbed_core::Result<usize> {
    let whole = n == 0 || (length > 0 && n.is_multiple_of(length));
    let numbered = u32::try_from(n).is_ok() && u32::try_from(offset.saturating_add(length)).is_ok();
    if !whole || !numbered || out.ids.len() != n || out.places.len() != n || out.starts.len() != n + 1 {
        return Err(Error::Shape(format!("the buffers for the order must have room for {n} positions")));
    }
    let rows = if n == 0 { 0 } else { length };
    let sequences = n.checked_div(length).unwrap_or(0);
    for at in 0..rows {
        out.ids[at] = (offset + at) as u32;
        out.starts[at] = (at * sequences) as u32;
        for (sequence, place) in out.places[at * sequences..(at + 1) * sequences].iter_mut().enumerate() {
            *place = (sequence * length + at) as u32;
        }
    }
    out.starts[rows] = n as u32;
    Ok(rows)
}
