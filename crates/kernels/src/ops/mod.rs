//! One file per op: the contract as pseudocode, the scalar reference that defines the result, the generic body, and the
//! safe method that checks the contract. There is one room for each subject.

pub mod draw;
pub mod elements;
pub mod learn;
pub mod lookup;
pub mod positions;
pub mod products;

use crate::probe::Probe;

/// Every op, from the lists of the rooms.
pub fn all() -> impl Iterator<Item = &'static Probe> {
    [lookup::OPS, learn::OPS, elements::OPS, draw::OPS, positions::OPS, products::OPS].into_iter().flatten()
}
