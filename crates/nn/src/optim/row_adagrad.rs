//! Row-wise Adagrad: its numbers.

use tokenbed_kernels::ops::learn::optim::row_adagrad;
use tokenbed_kernels::real::Real;

/// As users write them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowAdagrad {
    /// The learning rate.
    pub lr: f64,
    /// Added to the denominator.
    pub eps: f64,
}

impl RowAdagrad {
    pub(super) fn update<F: Real>(&self) -> row_adagrad::RowAdagrad<F> {
        row_adagrad::RowAdagrad { lr: F::round(self.lr), eps: F::round(self.eps) }
    }
}
