//! What the pool is made of. Here it is the system's threads and locks; `crates/threads/loom` has those of a model,
//! which tries the orders in which threads may run.

use crate::pool::Pool;
pub(crate) use std::sync::atomic::AtomicUsize;
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// How long a helper spins for the next region, and a leader for the last helper, before they sleep. In a loop
/// regions follow each other within that time, and waking takes about as long.
pub(crate) const LOOK_OUT: Duration = Duration::from_micros(50);

/// The helpers of the process.
pub(crate) static POOL: Pool = Pool::new();

/// Makes a `const fn`, so that the pool can be a static. The model's locks cannot be made by one.
macro_rules! constant {
    ($visible:vis fn $($rest:tt)*) => { $visible const fn $($rest)* };
}
pub(crate) use constant;

/// Starts a helper, and returns whether the system gave a thread for it.
pub(crate) fn start(help: impl FnOnce() + Send + 'static) -> bool {
    thread::Builder::new().name("tokenbed".into()).spawn(help).is_ok()
}

/// Whether a helper that has seen this many regions waits for another. In the model there is a last one.
pub(crate) fn goes_on(_seen: usize) -> bool {
    true
}

/// The first value that `look` finds within [`LOOK_OUT`], if any.
pub(crate) fn look_out<T>(look: impl Fn() -> Option<T>) -> Option<T> {
    /// Number of looks between two readings of the clock, each of which takes as long as several looks.
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
