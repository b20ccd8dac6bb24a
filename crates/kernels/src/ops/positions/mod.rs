//! What positions add or turn.

pub mod rotate;
pub mod windows;
