//! Divides work among a few threads that stay ready: [`setting`] says how many, and [`ranges`] divides rows among
//! them.
//!
//! Dividing does not change what is computed: a range is computed in the same way by any thread, so results have the
//! same bits at any number of threads. No thread is started before the first region that is worth it. The threads
//! belong to the process: the first JavaScript thread to open a region uses them, and one that opens another
//! meanwhile works alone.

#![deny(unsafe_code)]

mod pool;
pub mod ranges;
pub mod setting;
mod sync;

pub use ranges::{parallel_ranges, parallel_rows, parallel_shares};
pub use setting::{BadThreads, chosen, num_threads, set_num_threads};

/// Number of threads that were started so far, for tests. They are never ended.
pub fn started() -> usize {
    sync::POOL.started()
}
