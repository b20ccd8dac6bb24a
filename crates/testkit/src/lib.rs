//! Helpers for tests: references that are simple enough to be obviously right, awkward values, buffers that notice a
//! write out of bounds, and the tolerances by name.

pub mod compare;
pub mod memory;
pub mod naive;
pub mod place;
pub mod property;
pub mod random;
pub mod seeds;
