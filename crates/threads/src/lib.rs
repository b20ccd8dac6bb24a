//! Work shared among a few threads that stay ready: how many ([`setting`]), and rows divided among them ([`ranges`]).
//!
//! Dividing changes nothing of what is computed: a range is computed the same whoever takes it, so results have the same
//! bits at any number of threads. No thread is started before the first region that is worth it. Threads belong to the
//! process: whichever thread of JavaScript comes first uses them, and one that comes meanwhile works alone.

#![deny(unsafe_code)]

mod pool;
pub mod ranges;
pub mod setting;
mod sync;

pub use ranges::{parallel_ranges, parallel_rows, parallel_shares};
pub use setting::{BadThreads, chosen, num_threads, set_num_threads};

/// Threads that were started so far, for tests: they are never ended.
pub fn started() -> usize {
    sync::POOL.started()
}
