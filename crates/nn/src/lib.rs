//! The layers: what happens to a batch of ids and to the tables, on slices of elements.

#![cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_macros))]
#![forbid(unsafe_code)]

pub mod bag;
mod blocks;
pub mod components;
pub mod embedding;
pub mod max_norm;
pub mod neighbours;
pub mod optim;
pub mod options;
pub mod positions;
pub mod quantize;
pub mod row_grad;
pub mod self_test;
pub mod token_position;
pub mod token_position_grad;
