//! Rows that are not yet summed: the order of the ids, and the gradient of the output.

use super::{GradRows, Order, round};
use std::ops::Range;
use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::ids::CheckedIds;
use tokenbed_kernels::ops::learn::optim::prefetch;
use tokenbed_kernels::ops::learn::row_sum::RowSum;
use tokenbed_kernels::rows::format::OutFormat;

/// A table's gradient, as places in the gradient of the output.
#[derive(Clone, Copy, Debug)]
pub struct Pending<'a> {
    pub(super) kernels: Kernels,
    pub(super) order: Order<'a>,
    pub(super) sum: RowSum<'a>,
    pub(super) format: OutFormat,
}

impl<'a> Pending<'a> {
    /// The gradient over those rows of `grad`, of `dim` elements, that the order's places name. `coefficients` hold one
    /// factor per place.
    ///
    /// # Errors
    /// [`Error::Shape`] for a place out of range, and for other sizes that do not fit.
    pub fn new(
        kernels: Kernels,
        order: Order<'a>,
        grad: &'a [f32],
        dim: usize,
        coefficients: Option<&'a [f32]>,
    ) -> Result<Self> {
        let places = order.places();
        let rows = grad.len().checked_div(dim).unwrap_or(0);
        if rows * dim != grad.len() {
            return Err(Error::Shape(format!("{} elements are not whole rows of {dim}", grad.len())));
        }
        let Some(places) = CheckedIds::new(kernels, places, rows) else {
            return Err(Error::Shape(format!("the places of ids reach beyond the {rows} rows of the gradient")));
        };
        if coefficients.is_some_and(|coefficients| coefficients.len() != places.ids().len()) {
            return Err(Error::Shape(format!(
                "there must be one coefficient for each of {} places",
                places.ids().len()
            )));
        }
        let sum = RowSum { grad, dim, places, coefficients };
        Ok(Self { kernels, order, sum, format: OutFormat::Float32 })
    }

    /// The same gradient for a table of another type, to which each sum is rounded once.
    pub fn of_type(self, format: OutFormat) -> Self {
        Self { format, ..self }
    }

    /// The order of the ids.
    pub fn order(&self) -> Order<'a> {
        self.order
    }
}

impl GradRows for Pending<'_> {
    fn ids(&self) -> &[u32] {
        self.order.ids()
    }

    fn dim(&self) -> usize {
        self.sum.dim
    }

    fn occurrences(&self, i: usize) -> usize {
        self.order.count(i)
    }

    fn prefetch(&self, i: usize, columns: &Range<usize>) {
        /// Most rows have no more than this; the other places of hot rows are prefetched as they are summed.
        const FIRST: usize = 4;
        let (start, end) = (self.order.starts()[i] as usize, self.order.starts()[i + 1] as usize);
        for &place in &self.order.places()[start..end.min(start + FIRST)] {
            prefetch(&self.sum.grad[place as usize * self.sum.dim..][columns.clone()]);
        }
    }

    fn row<'a>(&'a self, i: usize, columns: Range<usize>, scratch: &'a mut [f32]) -> &'a [f32] {
        let places = self.order.starts()[i] as usize..self.order.starts()[i + 1] as usize;
        self.kernels.row_sum(&self.sum, places, &columns, scratch);
        round(self.format, scratch);
        scratch
    }
}
