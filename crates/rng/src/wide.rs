//! Draws in f64 and of integers, as PyTorch's kernels draw them one after another.

use crate::error::DrawError;
use crate::generator::Generator;

/// Number of values that PyTorch draws together where there are at least as many.
const BLOCK: usize = 16;
/// From ranges of this size on PyTorch draws 64 bits for an integer.
const WIDE_RANGE: u64 = 1 << 28;

/// Fills `out` uniformly from [low, high), as `Tensor.uniform_` does in float64.
///
/// # Errors
/// [`DrawError::Bounds`] if `low` exceeds `high`, or one of them or their distance is not finite.
pub fn uniform64(generator: &mut Generator, out: &mut [f64], low: f64, high: f64) -> Result<(), DrawError> {
    if low > high || !(high - low).is_finite() {
        return Err(DrawError::Bounds { low, high });
    }
    out.iter_mut().for_each(|x| *x = generator.uniform53().mul_add(high - low, low));
    Ok(())
}

/// Fills `out` with N(mean, std), as `Tensor.normal_` does in float64. Logarithms, sines and cosines are the
/// platform's, as in PyTorch; another C library may differ in the last bit.
///
/// # Errors
/// [`DrawError::Std`] if `std` is negative or NaN.
pub fn normal64(generator: &mut Generator, out: &mut [f64], mean: f64, std: f64) -> Result<(), DrawError> {
    if std < 0.0 || std.is_nan() {
        return Err(DrawError::Std { std });
    }
    if out.len() < BLOCK {
        out.iter_mut().for_each(|x| *x = generator.normal64(mean, std));
        return Ok(());
    }
    out.iter_mut().for_each(|x| *x = generator.uniform53());
    let rest = out.len() % BLOCK;
    out.chunks_exact_mut(BLOCK).for_each(|block| pairs(block, mean, std));
    if rest != 0 {
        // The last 16 values are drawn again.
        let from = out.len() - BLOCK;
        let block = &mut out[from..];
        block.iter_mut().for_each(|x| *x = generator.uniform53());
        pairs(block, mean, std);
    }
    Ok(())
}

/// Turns 16 uniform values into normal ones, by Box and Muller.
fn pairs(block: &mut [f64], mean: f64, std: f64) {
    let (first, second) = block.split_at_mut(BLOCK / 2);
    for (a, b) in first.iter_mut().zip(second) {
        let radius = (-2.0 * (1.0 - *a).ln()).sqrt();
        let theta = std::f64::consts::TAU * *b;
        *a = (radius * theta.cos()).mul_add(std, mean);
        *b = (radius * theta.sin()).mul_add(std, mean);
    }
}

/// Fills `out` with integers from `low` to below `high`, as `torch.randint` does.
///
/// # Errors
/// [`DrawError::Bounds`] if there is no integer between them.
pub fn integers(generator: &mut Generator, out: &mut [i64], low: i64, high: i64) -> Result<(), DrawError> {
    if low >= high {
        return Err(DrawError::Bounds { low: low as f64, high: high as f64 });
    }
    let range = high.wrapping_sub(low).cast_unsigned();
    for x in out {
        let drawn =
            if range >= WIDE_RANGE { generator.random64() % range } else { u64::from(generator.random()) % range };
        *x = low.wrapping_add(drawn.cast_signed());
    }
    Ok(())
}
