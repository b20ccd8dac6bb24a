//! Row-wise Adagrad.

use super::{Manner, Rule};
use crate::options::{Kind, NOT_NEGATIVE};
use tokenbed_kernels::ops::learn::optim::{Update, row_adagrad};
use tokenbed_kernels::real::Real;

crate::options! {
    /// Adagrad with one sum of squares for each row, a mean over its columns: `h += mean(g^2)`,
    /// `p -= lr / (sqrt(h) + eps) * g`. FBGEMM's `EXACT_ROWWISE_ADAGRAD`. Its state is a column instead of a table, and
    /// its step the cheapest that adapts. Rows are along dimension 0; in one dimension each element is one.
    ///
    /// Weight decay reaches the rows that a gradient names, as FBGEMM's does: of a table's gradient in rows those of
    /// the batch, of a dense one all.
    pub struct RowWiseAdagrad {
        /// The learning rate.
        pub lr: f64 [NOT_NEGATIVE] = 0.01,
        /// Added to the denominator.
        pub eps: f64 [NOT_NEGATIVE] = 1e-8,
        /// Times the parameter, added to the gradient; FBGEMM's `WeightDecayMode.L2`.
        pub weight_decay: f64 [NOT_NEGATIVE] = 0.0,
        /// Whether weight decay shrinks the row by `lr * weightDecay` instead and is not part of the gradient; FBGEMM's
        /// `WeightDecayMode.DECOUPLE`.
        pub decoupled: bool [Kind::Flag { needs: Some("weightDecay"), forbids: None }] = false,
    }
}

impl Rule for RowWiseAdagrad {
    fn update<F: Real>(&self, _: u64) -> Update<F> {
        let (added, shrunk) = if self.decoupled { (0.0, self.weight_decay) } else { (self.weight_decay, 0.0) };
        let [lr, eps, weight_decay, keep] = [self.lr, self.eps, added, 1.0 - self.lr * shrunk].map(F::round);
        Update::RowAdagrad(row_adagrad::RowAdagrad { lr, eps, weight_decay, keep })
    }

    fn manner(&self) -> Manner {
        Manner { state: &["sum"], by_row: true, ..Manner::PLAIN }
    }
}
