//! Products of batches of matrices, on as many threads as they are worth.

use crate::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::ops::products::matmul::Tiles;
pub use tokenbed_kernels::ops::products::matmul::{Factor, Matrices, Product};
use tokenbed_threads::parallel_ranges;

/// Number of multiplications with an addition that take as long as reading or writing a byte: some 100 GFLOP/s
/// against 10 GB/s.
const WORK_A_BYTE: usize = 10;

/// Product i of `out` is the sum over its `terms` of matrix `a.of[i * terms + t]` of `a` times matrix `b.of[...]` of
/// `b`. Broadcast batches name a matrix several times, and their gradient is a sum. The bits are the same at any
/// number of threads.
///
/// # Errors
/// [`Error::Shape`] if a matrix does not exist or `out` has another size.
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
        .ok_or_else(|| Error::Shape(format!("{products} products of sizes {sizes:?} do not match their buffers")))?;
    parallel_ranges(tiles.count(), tiles.work() / WORK_A_BYTE, |range| {
        for _ in range {
            tiles.run_next();
        }
    });
    Ok(())
}
