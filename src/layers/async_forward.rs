//! Lookups on a thread of libuv's pool. The work holds copies of its ids and the storage of its tables, and it writes
//! only memory that Rust owns. JavaScript may therefore continue, dispose of the tables, or end its thread meanwhile.

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

/// A lookup in two steps: the size of its result, and the function that writes it. That function stops early when it
/// may not go on, and returns whether it finished. A job holds everything that it reads. Each layer has its own type of
/// job.
pub(crate) trait Job: Send {
    /// The number of rows of the result, and the bytes per row.
    fn size(&self) -> (usize, usize);

    fn write(&self, go_on: &dyn Fn() -> bool, out: &mut [u8]) -> Result<bool, Failure>;
}

/// Computes the result of a job, unless `go_on` stops it.
fn result(job: &dyn Job, go_on: &dyn Fn() -> bool) -> Result<Storage, Failure> {
    if !go_on() {
        return Err(Failure::aborted());
    }
    let (rows, row) = job.size();
    let bytes =
        rows.checked_mul(row).ok_or_else(|| Error::Shape(format!("{rows} rows of {row} bytes are too many")))?;
    let mut result = Storage::result(bytes)?;
    let out = result.elements_mut().ok_or_else(|| Error::Shape("the result is not aligned".into()))?;
    if job.write(go_on, out)? { Ok(result) } else { Err(Failure::aborted()) }
}

/// The result's bytes as f32.
pub(crate) fn floats(out: &mut [u8]) -> Result<&mut [f32], Failure> {
    bytemuck::try_cast_slice_mut(out).map_err(|_| Error::Shape("the result is not aligned".into()).into())
}

/// The elements of a held part.
pub(crate) fn elements<T: Pod>(part: &Part) -> Result<&[T], Failure> {
    Ok(part.elements().ok_or_else(|| Error::Shape("the table is not aligned".into()))?)
}

/// Work that is queued or running, shared by the thread that runs it and the thread that queued it.
struct Shared {
    /// Taken when the work starts, or when it is cancelled before that.
    job: Mutex<Option<Box<dyn Job>>>,
    stopped: AtomicBool,
    /// Set when the thread that queued the work is ending; nobody then waits for work still in the queue.
    ending: Arc<AtomicBool>,
}

thread_local! {
    /// The [`Shared::ending`] flag of all work of this thread.
    static ENDING: Arc<AtomicBool> = Arc::default();
}

impl Shared {
    fn goes_on(&self) -> bool {
        !self.stopped.load(Ordering::Relaxed) && !self.ending.load(Ordering::Relaxed)
    }

    /// The lock cannot be poisoned: nothing panics while it is held.
    fn job(&self) -> MutexGuard<'_, Option<Box<dyn Job>>> {
        self.job.lock().unwrap_or_else(PoisonError::into_inner)
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
            self.shared.ending.store(true, Ordering::Relaxed);
        }
    }
}

/// How work ended: exactly one of the two is set.
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

/// A lookup that is ready to be queued with `workQueue`.
pub(crate) fn work<J: Job + 'static>(job: impl FnOnce() -> Result<J, Failure>) -> Option<External<Work>> {
    guard(|| {
        let job: Box<dyn Job> = Box::new(job()?);
        let (job, ending) = (Mutex::new(Some(job)), ENDING.with(Arc::clone));
        Ok(External::new(Work(Arc::new(Shared { job, stopped: AtomicBool::new(false), ending }))))
    })
}

/// Queues work, at most once. The promise says how the work ended.
#[napi(catch_unwind, ts_return_type = "Promise<Settled> | null")]
pub fn work_queue(work: &External<Work>) -> Option<AsyncTask<Queued>> {
    guard(|| {
        let shared = Arc::clone(&work.0);
        // A thread that queues work is not ending.
        shared.ending.store(false, Ordering::Relaxed);
        Ok(AsyncTask::new(Queued { shared, computed: false, settled: false }))
    })
}

/// Stops work. Returns true if it had not started, in which case it never will; work that is running stops between two
/// blocks.
#[napi(catch_unwind)]
pub fn work_stop(work: &External<Work>) -> Option<bool> {
    guard(|| {
        work.0.stopped.store(true, Ordering::Relaxed);
        Ok(work.0.job().take().is_some())
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
