//! What the pool is made of: the system's threads and locks here, and in `crates/threads/loom` those of a model, which tries
//! the orders in which they may come.

use crate::pool::Pool;
pub(crate) use std::sync::atomic::AtomicUsize;
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// How long a helper looks out for the next region, and a leader for the last helper, before they sleep: regions follow
/// each other within it in a loop, and waking takes about as long.
pub(crate) const LOOK_OUT: Duration = Duration::from_micros(50);

/// The process's helpers.
pub(crate) static POOL: Pool = Pool::new();

/// A function that can make a static; a model's locks cannot be one.
macro_rules! constant {
    ($visible:vis fn $($rest:tt)*) => { $visible const fn $($rest)* };
}
pub(crate) use constant;

/// Starts a helper; whether the system gave a thread for it.
pub(crate) fn start(help: impl FnOnce() + Send + 'static) -> bool {
    thread::Builder::new().name("tokenbed".into()).spawn(help).is_ok()
}

/// Whether a helper that saw so many regions waits for another. In a model there is a last one.
pub(crate) fn goes_on(_seen: usize) -> bool {
    true
}

/// What `look` sees first, within a moment.
pub(crate) fn look_out<T>(look: impl Fn() -> Option<T>) -> Option<T> {
    /// Looks between two of the clock, which takes as long as several.
    const LOOKS: usize = 64;
    let mut start = None;
    loop {
        for _ in 0..LOOKS {
            if let Some(seen) = look() {
                return Some(seen);
            }
            std::hint::spin_loop();
        }
        if start.get_or_insert_with(Instant::now).elapsed() >= LOOK_OUT {
            return None;
        }
    }
}
