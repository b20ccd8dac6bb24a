//! Row-wise Adagrad.

use super::{Manner, Rule};
use crate::options::NOT_NEGATIVE;
use tokenbed_kernels::ops::learn::optim::{Update, row_adagrad};
use tokenbed_kernels::real::Real;

crate::options! {
    /// Adagrad with one sum of squares for each row, a mean over its columns: `h += mean(g^2)`,
    /// `p -= lr / (sqrt(h) + eps) * g`. FBGEMM's `EXACT_ROWWISE_ADAGRAD`. Its state is a column instead of a table, and
    /// its step the cheapest that adapts. Rows are along dimension 0; in one dimension each element is one.
    pub struct RowWiseAdagrad {
        /// The learning rate.
        pub lr: f64 [NOT_NEGATIVE] = 0.01,
        /// Added to the denominator.
        pub eps: f64 [NOT_NEGATIVE] = 1e-8,
    }
}

impl Rule for RowWiseAdagrad {
    fn update<F: Real>(&self, _: u64) -> Update<F> {
        Update::RowAdagrad(row_adagrad::RowAdagrad { lr: F::round(self.lr), eps: F::round(self.eps) })
    }

    fn manner(&self) -> Manner {
        Manner { state: &["sum"], by_row: true, ..Manner::PLAIN }
    }
}
