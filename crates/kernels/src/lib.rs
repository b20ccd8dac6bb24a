//! Kernels: functions on slices. This is the only crate with SIMD and with unsafe arithmetic.
//!
//! Every op has a contract written as pseudocode, a scalar reference that *defines* the result, and a generic body over
//! [`lanes::Lanes`], which [`dispatch::arms!`] compiles for each instruction set in the op's own file. Callers hold a
//! [`dispatch::Kernels`] and call its safe methods. These check the contract once per batch, so that rows are processed
//! without a branch.
//!
//! The modules that ops build on (`lanes/`, `arch/`, `rows/`, [`real`], [`dispatch`]) name no op. The crate does not
//! allocate (except in probes), starts no threads, and does not know Node.

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
