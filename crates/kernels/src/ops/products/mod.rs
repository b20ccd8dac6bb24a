//! Products of rows and of matrices.

pub mod exp_rows;
pub mod gemm;
pub mod hamming;
pub mod matmul;
pub mod panel_scores;
pub mod row_dots;
pub mod row_mix;
pub mod scores;

use crate::probe::Probe;

/// The ops of this room, for the tests and the self-test.
pub(crate) const OPS: &[Probe] =
    &[row_dots::PROBE, row_mix::PROBE, exp_rows::PROBE, scores::PROBE, panel_scores::PROBE, hamming::PROBE];
