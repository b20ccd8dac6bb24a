//! Searches among the rows of a table, groups of near copies, and clusters: now, or on a thread of libuv's pool.

pub mod cluster;
pub mod dedupe;
pub mod rows;
pub mod top_k;
