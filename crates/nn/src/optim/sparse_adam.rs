//! Adam for gradients in rows only.

use super::power::power;
use super::{MOMENTS, Manner, Rule};
use crate::options::{FLAG, Kind, NOT_NEGATIVE};
use tokenbed_kernels::ops::learn::optim::{Update, sparse_adam};
use tokenbed_kernels::real::Real;

crate::options! {
    /// Adam that leaves rows without a gradient as they are, their moments too. `torch.optim.SparseAdam`: for tables of
    /// layers made with `sparse: true`; a dense gradient is a UsageError. It is not what Adam computes: a rare row
    /// keeps the moments of its last visit. AdamW on such tables is exact.
    pub struct SparseAdam {
        /// The learning rate.
        pub lr: f64 [NOT_NEGATIVE] = 0.001,
        /// What is kept of the moments.
        pub betas: [f64; 2] [Kind::Betas] = [0.9, 0.999],
        /// Added to the denominator.
        pub eps: f64 [NOT_NEGATIVE] = 1e-8,
        /// Whether steps climb instead of descend: the gradient is negated first.
        pub maximize: bool [FLAG] = false,
    }
}

impl Rule for SparseAdam {
    fn update<F: Real>(&self, step: u64) -> Update<F> {
        let [beta1, beta2] = self.betas;
        let corrected = (1.0 - power(beta2, step)).sqrt();
        Update::SparseAdam(sparse_adam::SparseAdam {
            w1: F::round(1.0 - beta1),
            w2: F::round(1.0 - beta2),
            size: F::round(self.lr * corrected / (1.0 - power(beta1, step))),
            eps: F::round(self.eps),
        })
    }

    fn manner(&self) -> Manner {
        Manner { state: MOMENTS, rows_alone: true, maximize: self.maximize, ..Manner::PLAIN }
    }
}
