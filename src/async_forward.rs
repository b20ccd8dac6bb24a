//! Lookups on a thread of libuv's pool. The work holds copies of its ids and the storage of its tables, and writes Rust's
//! own memory: JavaScript may go on, dispose of the tables, or end its thread meanwhile.

use crate::borrow::{Operand, size};
use crate::buffers::{Handle, Telling};
use crate::embedding::bad_ids;
use crate::guard::{Failure, Report, caught, guard, status};
use napi::bindgen_prelude::{AsyncTask, External};
use napi::{Env, Task};
use napi_derive::napi;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokenbed_core::Error;
use tokenbed_core::ids::{BadIds, IdBuf};
use tokenbed_core::storage::{Part, Storage};
use tokenbed_kernels::table;
use tokenbed_nn::blocks::{self, Blocks};
use tokenbed_nn::embedding::Table;
use tokenbed_nn::token_position::At;

/// A table that is held.
struct HeldTable {
    part: Part,
    rows: usize,
    dim: usize,
}

impl HeldTable {
    fn new(handle: &Handle, rows: f64, dim: f64) -> Result<Self, Failure> {
        Ok(Self { part: handle.hold()?, rows: size(rows)?, dim: size(dim)? })
    }

    fn table(&self) -> Result<Table<'_>, Failure> {
        let elements = self.part.elements().ok_or_else(|| Error::Shape("a table of f32 is not aligned".into()))?;
        Ok(Table::new(elements, self.rows, self.dim)?)
    }
}

/// What is to be looked up. A layer's own lookup is one more arm, in `look_up` too.
enum Job {
    Gather { table: HeldTable, ids: IdBuf, bad: BadIds },
    TokenPosition { tables: (HeldTable, HeldTable), ids: IdBuf, bad: BadIds, at: Places },
}

/// [`At`], held.
enum Places {
    From { offset: usize, length: usize },
    Each(IdBuf),
}

impl Job {
    /// The result, unless `go_on` ends it.
    fn run(&self, go_on: &dyn Fn() -> bool) -> Result<Storage, Failure> {
        match self {
            Job::Gather { table, ids, bad } => {
                written(&blocks::Gather { table: table.table()?, ids: ids.all(), bad: *bad }, go_on)
            }
            Job::TokenPosition { tables: (token, position), ids, bad, at } => {
                let at = match at {
                    Places::From { offset, length } => At::From { offset: *offset, length: *length },
                    Places::Each(positions) => At::Each(positions.all()),
                };
                let tables = (token.table()?, position.table()?);
                written(&blocks::TokenPosition { tables, ids: ids.all(), bad: *bad, at }, go_on)
            }
        }
    }
}

/// The rows of a lookup, in memory of their own.
fn written(lookup: &dyn Blocks, go_on: &dyn Fn() -> bool) -> Result<Storage, Failure> {
    if !go_on() {
        return Err(Failure::aborted());
    }
    let bytes = lookup.rows().checked_mul(lookup.dim()).and_then(|elements| elements.checked_mul(size_of::<f32>()));
    let bytes = bytes.ok_or_else(|| Error::Shape(format!("{} rows of {}", lookup.rows(), lookup.dim())))?;
    let mut result = Storage::result(bytes)?;
    let out = result.elements_mut().ok_or_else(|| Error::Shape("a result is not aligned".into()))?;
    if blocks::run(table::active(), lookup, go_on, out)? { Ok(result) } else { Err(Failure::aborted()) }
}

/// Work in the queue or under way, as the thread that does it and the one that asked for it both see it.
struct Shared {
    /// Taken when the work starts, or when it is taken back before.
    job: Mutex<Option<Job>>,
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
    fn job(&self) -> MutexGuard<'_, Option<Job>> {
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
        self.computed = true;
        let shared = &self.shared;
        Ok(caught(|| {
            let job = shared.job().take().ok_or_else(Failure::aborted)?;
            job.run(&|| shared.goes_on())
        }))
    }

    fn resolve(&mut self, env: Env, output: Self::Output) -> napi::Result<Settled> {
        let settled = caught(|| Ok(Handle::over(env, Arc::new(output?), Telling::Beyond)));
        Ok(match settled {
            Ok(handle) => Settled { handle: Some(handle), failure: None },
            Err(failure) => Settled { handle: None, failure: Some(failure.into_report()) },
        })
    }

    fn finally(mut self, _env: Env) -> napi::Result<()> {
        self.settled = true;
        Ok(())
    }
}

/// A lookup that is ready to be queued.
fn work(job: impl FnOnce() -> Result<Job, Failure>) -> Option<External<Work>> {
    guard(|| {
        let (job, ending) = (Mutex::new(Some(job()?)), ENDING.with(Arc::clone));
        Ok(External::new(Work(Arc::new(Shared { job, stopped: AtomicBool::new(false), ending }))))
    })
}

/// weight (rows, dim)[ids], to be looked up: `workQueue` does.
#[napi(catch_unwind)]
pub fn embedding_work(
    weight: &External<Handle>,
    rows: f64,
    dim: f64,
    ids: Operand,
    bad: f64,
) -> Option<External<Work>> {
    work(|| {
        let table = HeldTable::new(weight, rows, dim)?;
        Ok(Job::Gather { table, ids: ids.ids()?.into(), bad: bad_ids(bad)? })
    })
}

/// token (vocabulary, dim)[ids] + position (context, dim)[positions], to be looked up; arguments as of
/// `tokenPositionForward`.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "flat arguments cross cheaply")]
pub fn token_position_work(
    token: &External<Handle>,
    vocabulary: f64,
    position: &External<Handle>,
    context: f64,
    dim: f64,
    ids: Operand,
    bad: f64,
    positions: Option<Operand>,
    offset: f64,
    length: f64,
) -> Option<External<Work>> {
    work(|| {
        let at = match &positions {
            Some(positions) => Places::Each(positions.ids()?.into()),
            None => Places::From { offset: size(offset)?, length: size(length)? },
        };
        let tables = (HeldTable::new(token, vocabulary, dim)?, HeldTable::new(position, context, dim)?);
        Ok(Job::TokenPosition { tables, ids: ids.ids()?.into(), bad: bad_ids(bad)?, at })
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
