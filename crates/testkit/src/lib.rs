//! What tests share: references so simple that they are right by looking at them, values that break things, buffers
//! that notice a write too many, and the tolerances by name.

pub mod compare;
pub mod memory;
pub mod naive;
pub mod place;
pub mod property;
pub mod random;
pub mod seeds;
