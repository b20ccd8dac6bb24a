//! Kernels: slices in, slices out. The only crate with SIMD and with unsafe arithmetic.
//!
//! Every op has a contract written as pseudocode, a scalar reference that *defines* the result, and a generic body
//! over [`lanes::Lanes`] that each instruction set instantiates in `arch/`. [`dispatch`] holds one struct of function
//! pointers per instruction set; callers take [`dispatch::active`] and call its safe methods, which check the contract
//! once per batch, so that the rows themselves run without a branch.
//!
//! No allocation, no threads, no Node.

pub(crate) mod arch;
pub mod dispatch;
pub mod half;
pub mod ids;
pub mod isa;
pub(crate) mod lanes;
pub mod ops;
pub mod real;
pub mod rows;
