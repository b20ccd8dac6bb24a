//! Kernels: slices in, slices out. The only crate with SIMD and with unsafe arithmetic.
//!
//! Every op has a contract written as pseudocode, a scalar reference that *defines* the result, and a generic body
//! over [`lanes::Lanes`], which [`dispatch::arms!`] compiles for each instruction set in the op's own file. Callers
//! hold a [`dispatch::Kernels`] and call its safe methods, which check the contract once per batch, so that the rows
//! themselves run without a branch.
//!
//! What ops stand on (`lanes/`, `arch/`, `rows/`, [`real`], [`dispatch`]) knows no op. No allocation but for probes, no
//! threads, no Node.

pub(crate) mod arch;
pub mod dispatch;
pub mod half;
pub mod ids;
pub mod isa;
pub(crate) mod lanes;
pub mod ops;
pub mod probe;
pub mod real;
pub mod rows;
pub mod self_test;
