//! Lookups on a thread of libuv's pool. The work holds copies of its ids and the storage of its tables, and writes
//! Rust's own memory: JavaScript may go on, dispose of the tables, or end its thread meanwhile.

use crate::node::buffers::{Handle, Telling};
use crate::node::external::External;
use crate::node::guard::{Failure, Report, caught, guard, status};
use bytemuck::Pod;
use napi::bindgen_prelude::AsyncTask;
use napi::{Env, Task};
use napi_derive::napi;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokenbed_core::Error;
use tokenbed_core::storage::{Part, Storage};

/// What is to be looked up, in two steps: how large the result is, and what writes it while it may go on, and says
/// whether it is done. Everything that it reads is held. A layer has its own.
pub(crate) trait Job: Send {
    /// Rows of the result and bytes of a row.
    fn size(&self) -> (usize, usize);

    fn write(&self, go_on: &dyn Fn() -> bool, out: &mut [u8]) -> Result<bool, Failure>;
}

/// The result of a job, unless `go_on` ends it.
fn result(job: &dyn Job, go_on: &dyn Fn() -> bool) -> Result<Storage, Failure> {
    if !go_on() {
        return Err(Failure::aborted());
    }
    let (rows, row) = job.size();
    let bytes = rows.checked_mul(row).ok_or_else(|| Error::Shape(format!("{rows} rows of {row} bytes")))?;
    let mut result = Storage::result(bytes)?;
    let out = result.elements_mut().ok_or_else(|| Error::Shape("a result is not aligned".into()))?;
    if job.write(go_on, out)? { Ok(result) } else { Err(Failure::aborted()) }
}

/// A result as f32.
pub(crate) fn floats(out: &mut [u8]) -> Result<&mut [f32], Failure> {
    bytemuck::try_cast_slice_mut(out).map_err(|_| Error::Shape("a result is not aligned".into()).into())
}

/// Elements that are held.
pub(crate) fn elements<T: Pod>(part: &Part) -> Result<&[T], Failure> {
    Ok(part.elements().ok_or_else(|| Error::Shape("a table is not aligned".into()))?)
}

/// Work in the queue or under way, as the thread that does it and the one that asked for it both see it.
struct Shared {
    /// Taken when the work starts, or when it is taken back before.
    job: Mutex<Option<Box<dyn Job>>>,
    stopped: AtomicBool,
    /// Set when the thread that asked is ending: nobody waits for what is still in its queue.
    ending: Arc<AtomicBool>,
}

thread_local! {
    /// [`Shared::ending`] of all work of this thread.
    static ENDING: Arc<AtomicBool> = Arc::default();
}

impl Shared {
    fn goes_on(&self) -> bool {
        !self.stopped.load(Ordering::Relaxed) && !self.ending.load(Ordering::Relaxed)
    }

    /// Nothing panics while it is locked.
    fn job(&self) -> MutexGuard<'_, Option<Box<dyn Job>>> {
        self.job.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What JavaScript ends work by.
pub struct Work(Arc<Shared>);

/// Work on its way through libuv's queue.
pub struct Queued {
    shared: Arc<Shared>,
    computed: bool,
    settled: bool,
}

impl Drop for Queued {
    fn drop(&mut self) {
        // What is computed and cannot be settled is a thread's that is being ended, which waits for all that it queued.
        if self.computed && !self.settled {
            self.shared.ending.store(true, Ordering::Relaxed);
        }
    }
}

/// How work ended: one of the two.
#[napi(object, object_from_js = false)]
pub struct Settled {
    pub handle: Option<External<Handle>>,
    pub failure: Option<Report>,
}

impl Task for Queued {
    type Output = Result<Storage, Failure>;
    type JsValue = Settled;

    fn compute(&mut self) -> napi::Result<Self::Output> {
        Ok(caught(|| {
            self.computed = true;
            let shared = &self.shared;
            let job = shared.job().take().ok_or_else(Failure::aborted)?;
            result(&*job, &|| shared.goes_on())
        }))
    }

    fn resolve(&mut self, env: Env, output: Self::Output) -> napi::Result<Settled> {
        let settled = caught(|| Ok(Handle::over(env, Arc::new(output?), Telling::Beyond)));
        Ok(match settled {
            Ok(handle) => Settled { handle: Some(handle), failure: None },
            Err(failure) => Settled { handle: None, failure: Some(failure.into()) },
        })
    }

    fn finally(mut self, _env: Env) -> napi::Result<()> {
        self.settled = true;
        Ok(())
    }
}

/// A lookup that is ready to be queued: `workQueue` does.
pub(crate) fn work<J: Job + 'static>(job: impl FnOnce() -> Result<J, Failure>) -> Option<External<Work>> {
    guard(|| {
        let job: Box<dyn Job> = Box::new(job()?);
        let (job, ending) = (Mutex::new(Some(job)), ENDING.with(Arc::clone));
        Ok(External::new(Work(Arc::new(Shared { job, stopped: AtomicBool::new(false), ending }))))
    })
}

/// Queues work, once: how it ends.
#[napi(catch_unwind, ts_return_type = "Promise<Settled> | null")]
pub fn work_queue(work: &External<Work>) -> Option<AsyncTask<Queued>> {
    guard(|| {
        let shared = Arc::clone(&work.0);
        // Who queues work is not ending.
        shared.ending.store(false, Ordering::Relaxed);
        Ok(AsyncTask::new(Queued { shared, computed: false, settled: false }))
    })
}

/// Ends work: whether it had not started, and never will. Else it ends between two blocks.
#[napi(catch_unwind)]
pub fn work_stop(work: &External<Work>) -> Option<bool> {
    guard(|| {
        work.0.stopped.store(true, Ordering::Relaxed);
        Ok(work.0.job().take().is_some())
    })
}

/// Ends all work of this thread, which is about to end itself: the process waits for what it queued.
#[napi(catch_unwind)]
pub fn work_end() -> bool {
    status(|| {
        ENDING.with(|ending| ending.store(true, Ordering::Relaxed));
        Ok(())
    })
}

/// Work that panics, as a bug would: the test that no panic ends the process queues it.
struct Panicking;

impl Job for Panicking {
    fn size(&self) -> (usize, usize) {
        (1, 1)
    }

    fn write(&self, _go_on: &dyn Fn() -> bool, _out: &mut [u8]) -> Result<bool, Failure> {
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
