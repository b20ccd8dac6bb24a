//! The Node addon: it connects Node-API to the crates and does no arithmetic itself.
//!
//! Each export borrows its arguments for the length of the call ([`node::borrow`]), runs inside [`node::guard`], and
//! returns a status or a value. The details of a failure are kept until `takeFailure` fetches them. TypeScript has
//! already checked the arguments; an argument of another form is a bug, and still gives an error.

#![deny(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_macros))]
#![cfg_attr(test, allow(dead_code, reason = "napi registers no exports in a test build, which only lints make"))]
#![allow(
    missing_docs,
    reason = "the exports are private; api/native/native.ts and the public TypeScript say what they do"
)]
#![allow(clippy::needless_pass_by_value, reason = "napi hands arguments over by value")]

mod embed;
mod files;
mod layers;
mod node;
mod optim;
mod rows;
mod search;
mod tensor;
mod text;
mod train;
mod vectors;
