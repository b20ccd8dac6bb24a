//! dtypes, shapes, storage, the arithmetic of tensors, checked ids, and the one error type.
//!
//! Tensors themselves are TypeScript objects; here are the bytes that Rust owns ([`storage`]) and what is done to
//! slices of elements, whoever owns them ([`ops`]).

#![deny(unsafe_code)]

pub mod dtype;
pub mod error;
pub mod ids;
pub mod ops;
pub mod storage;

pub use dtype::DType;
pub use error::{Error, Result};
