//! Random numbers: the engine, and the distributions drawn from it.

pub mod draw_normal;
pub mod draw_uniform;
pub mod mt19937;

use crate::probe::Probe;

/// The ops of this room, for the tests and the self-test.
pub(crate) const OPS: &[Probe] = &[mt19937::PROBE, draw_uniform::PROBE, draw_normal::PROBE];
