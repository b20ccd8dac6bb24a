//! The backward passes that lead to tables, and the steps of optimizers.

pub mod layer_norm_grad;
pub mod optim;
pub mod row_sum;

use crate::probe::Probe;

/// The ops of this room, for the tests and the self-test.
pub(crate) const OPS: &[Probe] = &[row_sum::PROBE, layer_norm_grad::PROBE, optim::PROBE, optim::replay::PROBE];
