//! What the pool is made of, in the model.

pub(crate) use loom::sync::atomic::AtomicUsize;
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};

/// Regions that a model opens.
pub(crate) const REGIONS: usize = 2;

/// A function that the other pool, a static, has as a constant one.
macro_rules! constant {
    ($visible:vis fn $($rest:tt)*) => { $visible fn $($rest)* };
}
pub(crate) use constant;

pub(crate) fn start(help: impl FnOnce() + Send + 'static) -> bool {
    loom::thread::spawn(help);
    true
}

/// Every thread of a model must end.
pub(crate) fn goes_on(seen: usize) -> bool {
    seen < REGIONS
}

/// One look: that it is in time and that it is not are both tried.
pub(crate) fn look_out<T>(look: impl Fn() -> Option<T>) -> Option<T> {
    look()
}
