//! Training, and the corpora that it reads.

pub mod corpus;
pub mod trainer;
