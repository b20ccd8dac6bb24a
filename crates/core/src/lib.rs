//! Element types, storage, the arithmetic of tensors, checked ids, and the one error type.
//!
//! Tensors themselves are TypeScript objects. This crate has the bytes that Rust owns ([`storage`]), and the
//! operations on slices of elements, whoever owns them ([`ops`]).

#![cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_macros))]
#![deny(unsafe_code)]

pub mod dtype;
pub mod error;
pub mod ids;
pub mod open;
pub mod ops;
pub mod storage;

pub use dtype::DType;
pub use error::{Error, Result};
