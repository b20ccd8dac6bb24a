//! The layers: what happens to a batch of ids and to the tables, on slices of elements.

#![forbid(unsafe_code)]

pub mod bag;
mod blocks;
pub mod embedding;
pub mod max_norm;
pub mod neighbours;
pub mod quantize;
pub mod token_position;
