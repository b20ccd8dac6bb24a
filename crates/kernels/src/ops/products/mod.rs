//! Products of rows and of matrices.

pub mod exp_rows;
pub mod gemm;
pub mod matmul;
pub mod row_dots;
pub mod row_mix;
pub mod scores;
