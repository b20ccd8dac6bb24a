//! Elementwise work, layers without a table, and random numbers.

pub mod elements;
pub mod functional;
pub mod random;
pub mod select;
