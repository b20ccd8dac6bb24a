//! Sinusoids: absolute positions that are computed, not learned (Vaswani et al. 2017).

use super::check_len;
use tokenbed_core::{Error, Result};
use tokenbed_memory::Gather;
use tokenbed_threads::parallel_rows;

/// The order of sines and cosines in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// The sine and cosine of each frequency are adjacent.
    Interleaved,
    /// All sines come first, then all cosines.
    Half,
}

impl Layout {
    /// All layouts.
    pub const ALL: [Layout; 2] = [Layout::Interleaved, Layout::Half];
}

/// The cost of computing an element, as the number of bytes that could be written in the same time.
const COST: usize = 64;

/// `out` (rows x dim): row i, whose position is `position(i)`, holds the sine and cosine of
/// `position / wavelength^(2p / dim)` for each p below `dim / 2`. They are computed in f64 and rounded once.
///
/// # Errors
/// [`Error::Shape`] for an odd dim, and for an `out` that is not whole rows.
pub fn sinusoids(
    position: impl Fn(usize) -> f64 + Sync,
    dim: usize,
    wavelength: f64,
    layout: Layout,
    out: &mut [f32],
) -> Result<()> {
    if !dim.is_multiple_of(2) {
        return Err(Error::Shape(format!("sines and cosines come in pairs: dim must be even, not {dim}")));
    }
    check_len("the result", out.len(), &[out.len().checked_div(dim).unwrap_or(0), dim])?;
    if out.is_empty() {
        return Ok(());
    }
    let half = dim / 2;
    let divisors: Vec<f64> = (0..half).map(|p| libm::pow(wavelength, 2.0 * p as f64 / dim as f64)).into_list();
    parallel_rows(out, dim, dim * COST, |rows, out| {
        for (i, row) in rows.zip(out.chunks_exact_mut(dim)) {
            let position = position(i);
            for (p, divisor) in divisors.iter().enumerate() {
                let (sine, cosine) = libm::sincos(position / divisor);
                let (at, beside) = match layout {
                    Layout::Interleaved => (2 * p, 2 * p + 1),
                    Layout::Half => (p, half + p),
                };
                (row[at], row[beside]) = (sine as f32, cosine as f32);
            }
        }
    });
    Ok(())
}
