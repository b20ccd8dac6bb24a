//! Rows of tables by their ids: copied, decoded, pooled in bags, or embedded.

pub mod bag;
pub(crate) mod bag_raw;
pub(crate) mod bag_tiles;
pub(crate) mod decoded_bags;
pub mod embed;
pub mod gather;
pub mod gather_rows;
pub mod layer_norm;
pub mod quantize;
pub mod signed_bag;

use crate::probe::Probe;

/// The ops of this room, for the tests and the self-test.
pub(crate) const OPS: &[Probe] =
    &[crate::ids::PROBE, gather::PROBE, gather_rows::PROBE, bag::PROBE, signed_bag::PROBE, embed::PROBE];
