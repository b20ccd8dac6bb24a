//! Tables that learn from text: the objectives, and the trainer that runs them batch by batch.
//!
//! A [`Model`] holds its corpus, its tables and its place in the corpus. Its result depends only on these: every draw
//! is a function of the seed and of a place ([`draws`]), and batches have the same bounds and sums the same order
//! whatever the number of threads. A run therefore gives the same bits on any number of threads, and a checkpoint needs
//! only tables and counters.

#![cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_macros))]
#![deny(unsafe_code)]

pub mod checkpoint;
pub mod classify;
pub mod corpus;
pub mod draws;
pub mod examples;
pub mod model;
pub mod next_token;
pub mod objective;
pub mod pairs;
mod sigmoid;
mod table;
pub mod trainer;
pub mod unigram;
pub mod words;

pub use corpus::{Corpus, Evaluation, HeldOut, Text};
pub use model::{Array, Model, Progress, Step};
pub use trainer::{Report, Trainer};
