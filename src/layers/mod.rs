//! Lookups, positions and their gradients.

pub mod async_forward;
pub mod bag;
pub mod embedding;
pub mod lookup;
pub mod positions;
pub mod quantize;
pub mod row_grad;
pub mod token_position;
