//! The Node addon: glue between Node-API and the crates. No arithmetic here.
//!
//! Every export borrows what JavaScript handed over for the length of the call ([`borrow`]), runs inside [`guard`], and
//! answers with a status or a value; the details of a failure wait to be fetched by `takeFailure`. Arguments were
//! checked in TypeScript: what reaches here in another form is a bug, and is still answered with an error.

#![deny(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_macros))]
#![cfg_attr(test, allow(dead_code, reason = "napi registers no exports in a test build, which only lints make"))]
#![allow(missing_docs, reason = "the exports are private; api/native.ts and the public TypeScript say what they do")]
#![allow(clippy::needless_pass_by_value, reason = "napi hands arguments over by value")]

mod async_forward;
mod bag;
mod borrow;
mod borrowed_text;
mod buffers;
mod components;
mod corpus;
mod draws;
mod elements;
mod embedding;
mod external;
#[cfg(feature = "failing-allocator")]
mod failing_allocator;
mod files;
mod folder;
mod guard;
mod leaving;
mod neighbours;
mod network;
mod optim;
mod positions;
mod process;
mod quantize;
mod row_grad;
mod sharing;
mod source;
mod token_position;
mod tokenizer;
mod trainer;
mod windows;
mod writer;
