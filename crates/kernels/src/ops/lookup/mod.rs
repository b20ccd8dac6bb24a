//! Rows of tables by their ids: copied, decoded, summed in bags, embedded.

pub mod bag;
pub(crate) mod bag_raw;
pub(crate) mod bag_tiles;
pub mod embed;
pub mod gather;
pub mod gather_rows;
pub mod layer_norm;
pub mod quantize;
