//! Work on a thread of libuv's pool. It holds everything that it reads, and it writes only memory that Rust owns.
//! JavaScript may therefore continue, dispose of what the work reads, or end its thread meanwhile.

use crate::node::buffers::{Handle, Telling};
use crate::node::external::External;
use crate::node::guard::{Failure, Report, caught, guard, status};
use napi::bindgen_prelude::AsyncTask;
use napi::{Env, Task};
use napi_derive::napi;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokenbed_core::storage::Storage;
use tokenbed_memory::Gather;

/// What is to be done. It ends with [`Failure::aborted`] as soon as it notices that it may not go on.
pub(crate) trait Errand: Send {
    fn run(self: Box<Self>, go_on: &GoOn) -> Result<Vec<Storage>, Failure>;
}

/// Says whether anybody still wants the results of work, and hears how far it is.
#[derive(Clone)]
pub(crate) struct GoOn {
    stopped: Arc<AtomicBool>,
    /// Set when the thread that queued the work is ending; nobody then waits for work still in the queue.
    ending: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
}

impl GoOn {
    /// Keeps how much is done, for [`work_done`].
    pub(crate) fn tell(&self, done: usize) {
        self.done.store(done, Ordering::Relaxed);
    }

    pub(crate) fn is_wanted(&self) -> bool {
        !self.stopped.load(Ordering::Relaxed) && !self.ending.load(Ordering::Relaxed)
    }
}

/// Work that is queued or running, shared by the thread that runs it and the thread that queued it.
struct Shared {
    /// Taken when the work starts, or when it is cancelled before that.
    errand: Mutex<Option<Box<dyn Errand>>>,
    go_on: GoOn,
}

thread_local! {
    /// The [`GoOn::ending`] flag of all work of this thread.
    static ENDING: Arc<AtomicBool> = Arc::default();
}

impl Shared {
    /// The lock cannot be poisoned: nothing panics while it is held.
    fn errand(&self) -> MutexGuard<'_, Option<Box<dyn Errand>>> {
        self.errand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The handle by which JavaScript stops work.
pub struct Work(Arc<Shared>);

/// Work on its way through libuv's queue.
pub struct Queued {
    shared: Arc<Shared>,
    computed: bool,
    settled: bool,
}

impl Drop for Queued {
    fn drop(&mut self) {
        // A computed result that cannot be settled belongs to a thread that is ending; that thread waits for everything
        // that it queued.
        if self.computed && !self.settled {
            self.shared.go_on.ending.store(true, Ordering::Relaxed);
        }
    }
}

/// How work ended: exactly one of the two is set.
#[napi(object, object_from_js = false)]
pub struct Settled {
    pub handles: Option<Vec<External<Handle>>>,
    pub failure: Option<Report>,
}

impl Task for Queued {
    type Output = Result<Vec<Storage>, Failure>;
    type JsValue = Settled;

    fn compute(&mut self) -> napi::Result<Self::Output> {
        Ok(caught(|| {
            self.computed = true;
            let errand = self.shared.errand().take().ok_or_else(Failure::aborted)?;
            errand.run(&self.shared.go_on)
        }))
    }

    fn resolve(&mut self, env: Env, output: Self::Output) -> napi::Result<Settled> {
        let handle = |result| Handle::over(env, Arc::new(result), Telling::Beyond);
        let settled = caught(|| Ok(output?.into_iter().map(handle).into_list()));
        Ok(match settled {
            Ok(handles) => Settled { handles: Some(handles), failure: None },
            Err(failure) => Settled { handles: None, failure: Some(failure.into()) },
        })
    }

    fn finally(mut self, _env: Env) -> napi::Result<()> {
        self.settled = true;
        Ok(())
    }
}

/// Work that is ready to be queued with `workQueue`.
pub(crate) fn work<E: Errand + 'static>(errand: impl FnOnce() -> Result<E, Failure>) -> Option<External<Work>> {
    guard(|| {
        let errand: Box<dyn Errand> = Box::new(errand()?);
        let go_on = GoOn { stopped: Arc::default(), ending: ENDING.with(Arc::clone), done: Arc::default() };
        Ok(External::new(Work(Arc::new(Shared { errand: Mutex::new(Some(errand)), go_on }))))
    })
}

/// Queues work, at most once. The promise says how the work ended.
#[napi(catch_unwind, ts_return_type = "Promise<Settled> | null")]
pub fn work_queue(work: &External<Work>) -> Option<AsyncTask<Queued>> {
    guard(|| {
        let shared = Arc::clone(&work.0);
        // A thread that queues work is not ending.
        shared.go_on.ending.store(false, Ordering::Relaxed);
        Ok(AsyncTask::new(Queued { shared, computed: false, settled: false }))
    })
}

/// How much is done of work that tells it, in the unit of its errand.
#[napi(catch_unwind)]
pub fn work_done(work: &External<Work>) -> Option<f64> {
    guard(|| Ok(work.0.go_on.done.load(Ordering::Relaxed) as f64))
}

/// Stops work. Returns true if it had not started, in which case it never will; work that is running stops as soon as
/// it notices.
#[napi(catch_unwind)]
pub fn work_stop(work: &External<Work>) -> Option<bool> {
    guard(|| {
        work.0.go_on.stopped.store(true, Ordering::Relaxed);
        Ok(work.0.errand().take().is_some())
    })
}

/// Stops all work of this thread, which is about to end. The process waits for the work that the thread queued.
#[napi(catch_unwind)]
pub fn work_end() -> bool {
    status(|| {
        ENDING.with(|ending| ending.store(true, Ordering::Relaxed));
        Ok(())
    })
}

/// Work that panics as a bug would. A test queues it to check that a panic does not end the process.
struct Panicking;

impl Errand for Panicking {
    fn run(self: Box<Self>, _go_on: &GoOn) -> Result<Vec<Storage>, Failure> {
        #[allow(clippy::panic, reason = "its purpose")]
        {
            panic!("on purpose")
        }
    }
}

#[napi(catch_unwind)]
pub fn panicking_work() -> Option<External<Work>> {
    work(|| Ok(Panicking))
}
