//! The threads and locks of the pool in the model.

pub(crate) use loom::sync::atomic::AtomicUsize;
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};

/// Number of regions that a model opens.
pub(crate) const REGIONS: usize = 2;

/// Makes a function. The real pool, which is a static, needs a `const fn` in its place.
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

/// Looks once. The model tries both cases, that it succeeds and that it does not.
pub(crate) fn look_out<T>(look: impl Fn() -> Option<T>) -> Option<T> {
    look()
}
