//! Rows that are not summed yet: the order of the ids, and the gradient of the output.

use super::{GradRows, Order};
use std::ops::Range;
use tokenbed_core::{Error, Result};

/// A gradient as places in that of the output.
#[derive(Clone, Copy, Debug)]
pub struct Pending<'a> {
    order: Order<'a>,
    grad: &'a [f32],
    dim: usize,
    /// What the row at each of the order's places is multiplied by.
    coefficients: Option<&'a [f32]>,
}

impl<'a> Pending<'a> {
    /// Over the rows of `grad`, of `dim` elements, that the order's places name. `coefficients` stand beside the places.
    ///
    /// # Errors
    /// [`Error::Shape`] for a place that is none, and for other sizes that do not fit.
    pub fn new(order: Order<'a>, grad: &'a [f32], dim: usize, coefficients: Option<&'a [f32]>) -> Result<Self> {
        let places = order.places();
        let rows = grad.len().checked_div(dim).unwrap_or(0);
        if rows * dim != grad.len() || places.iter().any(|&place| place as usize >= rows) {
            return Err(Error::Shape(format!("{} elements are no gradient for the places of ids", grad.len())));
        }
        if coefficients.is_some_and(|coefficients| coefficients.len() != places.len()) {
            return Err(Error::Shape(format!("coefficients of another number than {} places", places.len())));
        }
        Ok(Self { order, grad, dim, coefficients })
    }

    /// Where ids occur.
    pub fn order(&self) -> Order<'a> {
        self.order
    }
}

impl GradRows for Pending<'_> {
    fn ids(&self) -> &[u32] {
        self.order.ids()
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn occurrences(&self, i: usize) -> usize {
        self.order.count(i)
    }

    fn row<'a>(&'a self, i: usize, columns: Range<usize>, scratch: &'a mut [f32]) -> &'a [f32] {
        let places = self.order.starts()[i] as usize..self.order.starts()[i + 1] as usize;
        scratch.fill(0.0);
        for at in places {
            let row = &self.grad[self.order.places()[at] as usize * self.dim..][..self.dim][columns.clone()];
            match self.coefficients {
                None => scratch.iter_mut().zip(row).for_each(|(sum, g)| *sum += g),
                Some(c) => scratch.iter_mut().zip(row).for_each(|(sum, g)| *sum = g.mul_add(c[at], *sum)),
            }
        }
        scratch
    }
}
