//! Layer normalization of rows, and its gradients.

use crate::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::ops::elements::norm_rows::{NormBack, NormRows};
use tokenbed_kernels::real::Real;
use tokenbed_memory::{Gather, zeroed};
use tokenbed_threads::parallel_rows;

/// Cost of an element, as the number of bytes of memory that could be moved in that time.
fn bytes<T>() -> usize {
    3 * size_of::<T>()
}

fn check<T>(dim: usize, elements: &[usize], parameters: &[Option<&[T]>]) -> Result<()> {
    let fits = dim > 0
        && elements.iter().all(|&size| size == elements[0] && size.is_multiple_of(dim))
        && parameters.iter().flatten().all(|parameter| parameter.len() == dim);
    if fits {
        return Ok(());
    }
    Err(Error::Shape(format!("buffers of {elements:?} elements are not equally many whole rows of {dim}")))
}

/// `out` = the rows of `dim` elements normalized, times `weight`, plus `bias`, as `torch.nn.functional.layer_norm`.
///
/// # Errors
/// [`Error::Shape`] if the sizes of the buffers do not match, or `dim` is 0.
pub fn norm_rows<T: Real>(
    kernels: Kernels,
    dim: usize,
    eps: f64,
    weight: Option<&[T]>,
    bias: Option<&[T]>,
    x: &[T],
    out: &mut [T],
) -> Result<()> {
    check(dim, &[x.len(), out.len()], &[weight, bias])?;
    parallel_rows(out, dim, dim * bytes::<T>(), |rows, out| {
        let x = &x[rows.start * dim..rows.end * dim];
        kernels.norm_rows(NormRows { dim, eps, weight, bias, x, out });
    });
    Ok(())
}

/// Number of blocks of rows. Each has its own sums for weight and bias, so that threads can share the work; the
/// blocks depend on the number of rows alone.
const BLOCKS: usize = 64;

/// The gradients: of the rows into `out`, and of weight and bias into `weight_out` and `bias_out`, if given.
///
/// # Errors
/// [`Error::Shape`] if the sizes of the buffers do not match, or `dim` is 0.
#[allow(clippy::too_many_arguments, reason = "each is its own")]
pub fn norm_back<T: Real>(
    kernels: Kernels,
    dim: usize,
    eps: f64,
    weight: Option<&[T]>,
    x: &[T],
    grad: &[T],
    out: &mut [T],
    weight_out: Option<&mut [T]>,
    bias_out: Option<&mut [T]>,
) -> Result<()> {
    check(dim, &[x.len(), grad.len(), out.len()], &[weight, weight_out.as_deref(), bias_out.as_deref()])?;
    let rows = x.len() / dim;
    let block = rows.div_ceil(BLOCKS).max(1) * dim;
    let mut sums = zeroed::<f64>(2 * dim * out.len().div_ceil(block));
    let mut blocks: Vec<(&mut [T], &mut [f64])> = out.chunks_mut(block).zip(sums.chunks_exact_mut(2 * dim)).into_list();
    parallel_rows(&mut blocks, 1, block * 2 * bytes::<T>(), |range, blocks| {
        for (i, (out, sums)) in range.zip(blocks) {
            let from = i * block;
            let (x, grad) = (&x[from..from + out.len()], &grad[from..from + out.len()]);
            kernels.norm_back(NormBack { dim, eps, weight, x, grad, out, sums });
        }
    });
    let total = |d: usize| T::round(sums.iter().skip(d).step_by(2 * dim).fold(0.0, |sum, x| sum + x));
    if let Some(weight) = weight_out {
        weight.iter_mut().enumerate().for_each(|(d, weight)| *weight = total(d));
    }
    if let Some(bias) = bias_out {
        bias.iter_mut().enumerate().for_each(|(d, bias)| *bias = total(dim + d));
    }
    Ok(())
}
