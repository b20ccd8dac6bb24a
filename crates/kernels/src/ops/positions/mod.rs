//! Ops for positions: rotation, and windows for biases by distance.

pub mod rotate;
pub mod windows;

use crate::probe::Probe;

/// The ops of this room, for the tests and the self-test.
pub(crate) const OPS: &[Probe] = &[rotate::PROBE, windows::PROBE];
