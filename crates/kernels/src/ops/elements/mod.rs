//! Passes over the elements and rows of tensors, forward and backward.

pub mod along;
pub mod norm_rows;
pub mod pass;
pub mod pointwise;
pub mod thin;
pub mod total;

use crate::probe::Probe;

/// The ops of this room, for the tests and the self-test.
pub(crate) const OPS: &[Probe] = &[
    pointwise::UNARY,
    along::SOFTMAX,
    pointwise::BINARY,
    pointwise::DROPOUT,
    norm_rows::NORM_ROWS,
    total::PROBE,
    thin::PROBE,
    pointwise::UNARY_BACK,
    along::SOFTMAX_BACK,
    along::ENTROPY,
    norm_rows::NORM_BACK,
];
