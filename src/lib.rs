//! The Node addon: glue between Node-API and the crates. No arithmetic here.
//!
//! Every export borrows what JavaScript handed over for the length of the call ([`node::borrow`]), runs inside
//! [`node::guard`], and answers with a status or a value; the details of a failure wait to be fetched by `takeFailure`.
//! Arguments were checked in TypeScript: what reaches here in another form is a bug, and is still answered with an
//! error.

#![deny(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_macros))]
#![cfg_attr(test, allow(dead_code, reason = "napi registers no exports in a test build, which only lints make"))]
#![allow(
    missing_docs,
    reason = "the exports are private; api/native/native.ts and the public TypeScript say what they do"
)]
#![allow(clippy::needless_pass_by_value, reason = "napi hands arguments over by value")]

mod files;
mod layers;
mod node;
mod optim;
mod tensor;
mod text;
mod train;
mod vectors;
