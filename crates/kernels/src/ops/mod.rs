//! One file an op: the contract as pseudocode, the scalar reference that defines the result, the generic body, and
//! the safe method that checks the contract. One room for each subject.

pub mod draw;
pub mod elements;
pub mod learn;
pub mod lookup;
pub mod positions;
pub mod products;
