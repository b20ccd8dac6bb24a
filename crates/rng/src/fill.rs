//! Fills f32 as `Tensor.normal_` and `Tensor.uniform_` draw them into contiguous memory.

use crate::engine::Engine;
use crate::error::DrawError;
use crate::generator::Generator;
use crate::parallel;
use tokenbed_kernels::dispatch::{self, Kernels};
use tokenbed_kernels::ops::draw::draw_normal::NORMAL_BLOCK;

/// Number of words that the widest vectors turn into normal values at once: two blocks.
const SPAN: usize = 2 * NORMAL_BLOCK;

/// How a fill runs. It never changes what is drawn.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// The kernels.
    pub kernels: Kernels,
    /// Number of threads to divide a large fill among, counting the caller's; 0 counts as 1.
    pub threads: usize,
}

impl Default for How {
    /// The active kernels, on the caller's thread.
    fn default() -> Self {
        Self { kernels: dispatch::active(), threads: 1 }
    }
}

/// Fills `out` with N(mean, std) (`Tensor.normal_(mean, std)`).
pub fn normal(generator: &mut Generator, out: &mut [f32], mean: f64, std: f64) -> Result<(), DrawError> {
    normal_with(How::default(), generator, out, mean, std)
}

/// [`normal`] with a choice of kernels and threads.
pub fn normal_with(how: How, generator: &mut Generator, out: &mut [f32], mean: f64, std: f64) -> Result<(), DrawError> {
    if std < 0.0 || std.is_nan() {
        return Err(DrawError::Std { std });
    }
    if out.len() < NORMAL_BLOCK {
        for value in out {
            *value = generator.normal64(mean, std) as f32;
        }
        return Ok(());
    }
    let fill = Normal { mean: mean as f32, std: std as f32 };
    let rest = out.len() % NORMAL_BLOCK;
    let whole = out.len() - rest;
    parallel::run(how, &mut generator.engine, &mut out[..whole], fill);
    if rest != 0 {
        // PyTorch has drawn uniforms for the remaining values as well, and then replaces the last 16 values by 16
        // freshly drawn ones.
        generator.engine.skip(how.kernels, rest);
        fill.fill(how.kernels, &mut generator.engine, &mut out[whole + rest - NORMAL_BLOCK..]);
    }
    Ok(())
}

/// Fills `out` uniformly from [low, high) (`Tensor.uniform_(low, high)`).
pub fn uniform(generator: &mut Generator, out: &mut [f32], low: f64, high: f64) -> Result<(), DrawError> {
    uniform_with(How::default(), generator, out, low, high)
}

/// [`uniform`] with a choice of kernels and threads.
pub fn uniform_with(
    how: How,
    generator: &mut Generator,
    out: &mut [f32],
    low: f64,
    high: f64,
) -> Result<(), DrawError> {
    let fill = Uniform { low: low as f32, high: high as f32 };
    // A bound that is NaN or infinite in f32 makes the difference NaN or infinite.
    if low > high || !(fill.high - fill.low).is_finite() {
        return Err(DrawError::Bounds { low, high });
    }
    parallel::run(how, &mut generator.engine, out, fill);
    Ok(())
}

/// A fill in which every [`Fill::BLOCK`] values follow from as many draws, so that any part of it that starts at a
/// block can be filled from the engine's state alone.
pub(crate) trait Fill: Copy + Send + Sync {
    /// Number of values that are drawn together.
    const BLOCK: usize;
    /// Fills whole blocks, one draw a value.
    fn fill(self, kernels: Kernels, engine: &mut Engine, out: &mut [f32]);
}

#[derive(Clone, Copy)]
struct Uniform {
    low: f32,
    high: f32,
}

impl Fill for Uniform {
    const BLOCK: usize = 1;

    fn fill(self, kernels: Kernels, engine: &mut Engine, mut out: &mut [f32]) {
        while !out.is_empty() {
            let words = engine.take(kernels, out.len());
            let (part, rest) = out.split_at_mut(words.len());
            kernels.draw_uniform(words, self.low, self.high, part);
            out = rest;
        }
    }
}

#[derive(Clone, Copy)]
struct Normal {
    mean: f32,
    std: f32,
}

impl Fill for Normal {
    const BLOCK: usize = NORMAL_BLOCK;

    fn fill(self, kernels: Kernels, engine: &mut Engine, mut out: &mut [f32]) {
        // Words of a span that the last twist left incomplete.
        let mut begun = [0; SPAN];
        let mut have = 0;
        while !out.is_empty() {
            let words = engine.take(kernels, out.len() - have);
            let (head, words) = words.split_at(words.len().min((SPAN - have) % SPAN));
            begun[have..have + head.len()].copy_from_slice(head);
            have += head.len();
            if have == SPAN || have == out.len() {
                let (part, rest) = out.split_at_mut(have);
                kernels.draw_normal(&begun[..have], self.mean, self.std, part);
                (out, have) = (rest, 0);
            }
            // The last words make whole blocks, but not always whole spans.
            let whole = if words.len() == out.len() { words.len() } else { words.len() - words.len() % SPAN };
            let (whole, tail) = words.split_at(whole);
            let (part, rest) = out.split_at_mut(whole.len());
            kernels.draw_normal(whole, self.mean, self.std, part);
            out = rest;
            if !tail.is_empty() {
                begun[..tail.len()].copy_from_slice(tail);
                have = tail.len();
            }
        }
    }
}
