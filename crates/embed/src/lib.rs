//! Texts to vectors: a text becomes tokens, the tokens name rows of a table, and the mean of the rows is the text's
//! vector.
//!
//! - [`Semantics`] are the libraries whose vectors these are. They differ in which tokens count.
//! - [`Embedder`] is a tokenizer with what belongs to its tokens: weights, and the rows that they name.
//! - [`Form`] says how a vector is written: how many elements, whether of length 1, and of which type.
//!
//! Many texts are divided among threads, each text being computed in the same way by any of them. Sums run in the order
//! of the tokens, so the bits are the same at any batch size, on any number of threads and on any machine.

#![cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_macros))]
#![forbid(unsafe_code)]

mod embedder;
mod error;
mod form;
mod pool;
mod semantics;

pub use embedder::{Embedder, Parts};
pub use error::EmbedError;
pub use form::{Element, Form};
pub use pool::Rows;
pub use semantics::Semantics;
