//! The gradient of a table as rows: those that a batch named, each with one owner, summed in the order of the ids.
//!
//! ```text
//! ids    = the distinct ids of the batch, ascending                     (without the padding row)
//! row(i) = 0.0 + g[p0] + g[p1] ...      over the places p0 < p1 < ... at which the batch has ids[i]
//!          fma(g[p], c[p], sum) instead, if places have coefficients (a scale, a frequency, weights of a bag)
//! ```
//!
//! A row is kept as places in the gradient of the output until it is needed ([`Pending`]), or in memory of its own
//! ([`Rows`], from [`sum_rows`]). Readers ([`GradRows`]) get the same bits from both. Work is divided by the cost of
//! rows ([`shares`]), and a hot row is divided by columns. It is never divided by occurrence, so the sums are the same
//! on any number of threads.

pub mod bags;
mod order;
mod pending;
mod scratch;
pub mod shares;
mod sum;

pub use order::{Factors, Order, OrderOut, OrderScratch, row_order};
pub use pending::Pending;
pub use scratch::ScratchRow;
pub use shares::{Hot, Share, bytes, for_each_share, parts, parts_by_row, shares};
pub use sum::{add_rows, merge_rows, merged_ids, sum_dense, sum_rows};

use std::ops::Range;
use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::half::{bf16_to_f32, f16_to_f32, f32_to_bf16, f32_to_f16};
use tokenbed_kernels::rows::format::OutFormat;

/// Rows of a table's gradient. Their ids ascend, each once; each row is summed in the order of occurrence when it is
/// read.
pub trait GradRows: Sync {
    /// The ids of the rows, ascending, each once.
    fn ids(&self) -> &[u32];
    /// The number of elements in a row.
    fn dim(&self) -> usize;
    /// The number of rows of the output's gradient that are summed into row `i`, which is its cost.
    fn occurrences(&self, i: usize) -> usize;
    /// Row `i` over `columns`: borrowed in place, or summed into `scratch`, which has the same length as `columns`.
    fn row<'a>(&'a self, i: usize, columns: Range<usize>, scratch: &'a mut [f32]) -> &'a [f32];
    /// Prefetches the memory that row `i` begins with, because it is needed soon. This is only advice.
    fn prefetch(&self, _i: usize, _columns: &Range<usize>) {}
}

/// Rows that are already summed, end to end.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    ids: &'a [u32],
    rows: &'a [f32],
    dim: usize,
}

impl<'a> Rows<'a> {
    /// Ids, and a row of `dim` elements for each.
    ///
    /// # Errors
    /// [`Error::Shape`] if the rows have another size, or ids do not ascend.
    pub fn new(ids: &'a [u32], rows: &'a [f32], dim: usize) -> Result<Self> {
        if ids.len().checked_mul(dim) != Some(rows.len()) {
            return Err(Error::Shape(format!("{} elements are not {} rows of {dim}", rows.len(), ids.len())));
        }
        check_ascending(ids)?;
        Ok(Self { ids, rows, dim })
    }

    /// The same rows in the form of rows to be summed, each from one row. `numbers` are 0, 1, 2 ... up to the number of
    /// rows.
    ///
    /// # Errors
    /// [`Error::Shape`] if `numbers` are not.
    pub fn pending(&self, kernels: Kernels, numbers: &'a [u32]) -> Result<Pending<'a>> {
        let places = &numbers[..self.ids.len().min(numbers.len())];
        Pending::new(kernels, Order::new(self.ids, numbers, places)?, self.rows, self.dim, None)
    }

    /// All elements, row by row.
    pub fn elements(&self) -> &'a [f32] {
        self.rows
    }
}

impl GradRows for Rows<'_> {
    fn ids(&self) -> &[u32] {
        self.ids
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn occurrences(&self, _: usize) -> usize {
        1
    }

    fn row<'a>(&'a self, i: usize, columns: Range<usize>, _: &'a mut [f32]) -> &'a [f32] {
        &self.rows[i * self.dim..][..self.dim][columns]
    }
}

/// Rounds values to a type. A zero loses its sign, as zeros of sums have none.
fn round(format: OutFormat, values: &mut [f32]) {
    match format {
        OutFormat::Float32 => {}
        OutFormat::Float16 => values.iter_mut().for_each(|x| *x = f16_to_f32(f32_to_f16(*x)) + 0.0),
        OutFormat::BFloat16 => values.iter_mut().for_each(|x| *x = bf16_to_f32(f32_to_bf16(*x)) + 0.0),
    }
}

fn check_ascending(ids: &[u32]) -> Result<()> {
    match ids.windows(2).position(|pair| pair[0] >= pair[1]) {
        None => Ok(()),
        Some(at) => {
            let (one, next) = (ids[at], ids[at + 1]);
            Err(Error::Shape(format!("the ids of a gradient's rows must ascend, but {next} follows {one}")))
        }
    }
}
