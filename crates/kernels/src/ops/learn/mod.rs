//! The way back to tables, and the steps of optimizers.

pub mod layer_norm_grad;
pub mod optim;
pub mod row_sum;
