//! Passes over the elements and rows of tensors, forward and backward.

pub mod along;
pub mod norm_rows;
pub mod pass;
pub mod pointwise;
pub mod thin;
pub mod total;
