//! Products of batches of matrices, on as many threads as they are worth.

use crate::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::ops::products::matmul::Tiles;
pub use tokenbed_kernels::ops::products::matmul::{Factor, Matrices, Product};
use tokenbed_threads::parallel_ranges;

/// Multiplications and additions that take as long as reading or writing a byte of memory: some 100 GFLOP/s against
/// 10 GB/s.
const WORK_A_BYTE: usize = 10;

/// Product i of `out` = the sum over its `terms` of matrix `a.of[i * terms + t]` of `a` times matrix `b.of[...]` of `b`:
/// broadcast batches name a matrix several times, and what flows back to one is a sum. The same bits at any number of
/// threads.
///
/// # Errors
/// [`Error::Shape`] where a matrix is not there or `out` is of another size.
pub fn matmul<T: Factor>(
    kernels: Kernels,
    sizes: Product,
    terms: usize,
    a: Matrices<'_, T>,
    b: Matrices<'_, T>,
    out: &mut [T],
) -> Result<()> {
    let products = a.of.len();
    let tiles = Tiles::new(kernels, sizes, terms, a, b, out)
        .ok_or_else(|| Error::Shape(format!("{sizes:?} times {products} does not fit its buffers")))?;
    parallel_ranges(tiles.count(), tiles.work() / WORK_A_BYTE, |range| {
        for _ in range {
            tiles.run_next();
        }
    });
    Ok(())
}
