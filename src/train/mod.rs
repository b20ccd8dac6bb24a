//! Training, and what it reads.

pub mod corpus;
pub mod trainer;
