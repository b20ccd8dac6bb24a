//! The layers: what they compute from a batch of ids, and how they change the tables, on slices of elements.

#![cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_macros))]
#![forbid(unsafe_code)]

pub mod bag;
mod blocks;
pub mod components;
pub mod embedding;
pub mod float_rows;
pub mod health;
mod leading;
pub mod max_norm;
pub mod neighbours;
pub mod optim;
pub mod options;
pub mod positions;
pub mod quantize;
pub mod row_cache;
pub mod row_grad;
pub mod row_sums;
pub mod search;
pub mod token_position;
pub mod token_position_grad;
