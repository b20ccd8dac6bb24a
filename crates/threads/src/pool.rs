//! The helper threads. They are started when they are first needed and then kept; they spin for work for a moment,
//! then sleep.
//!
//! rayon was tried instead: its caller hands work over and sleeps, so that every region costs a switch to another
//! thread and back, and its helpers do not spin for work between regions.

#![allow(unsafe_code, reason = "helpers borrow the leader's work for as long as it waits for them")]

use crate::sync::{self, AtomicUsize, Condvar, Mutex, MutexGuard, look_out};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering;
use std::sync::{PoisonError, TryLockError};

/// The work that all threads of a region run at once; it returns when nothing is left to do.
type Work<'a> = dyn Fn() + Sync + 'a;

pub(crate) struct Pool {
    /// The thread whose region is open holds this lock.
    leader: Mutex<()>,
    state: Mutex<State>,
    /// Sleeping helpers wait here for a region.
    opened: Condvar,
    /// A sleeping leader waits here for the last helper.
    left: Condvar,
    /// Number of regions opened so far. Spinning helpers watch it.
    regions: AtomicUsize,
    /// Number of helpers that are spinning.
    awake: AtomicUsize,
    /// Number of helpers inside the region. A spinning leader watches it; it is changed under the lock.
    inside: AtomicUsize,
}

struct State {
    /// The region's work, as long as helpers may enter.
    work: Option<&'static Work<'static>>,
    /// Number of helpers that may still enter.
    places: usize,
    /// The first panic of a helper in this region.
    panic: Option<Box<dyn Any + Send>>,
    started: usize,
    asleep: usize,
}

impl Pool {
    sync::constant! {
        pub(crate) fn new() -> Self {
            let state = State { work: None, places: 0, panic: None, started: 0, asleep: 0 };
            Self {
                leader: Mutex::new(()),
                state: Mutex::new(state),
                opened: Condvar::new(),
                left: Condvar::new(),
                regions: AtomicUsize::new(0),
                awake: AtomicUsize::new(0),
                inside: AtomicUsize::new(0),
            }
        }
    }

    /// Whether a region would find helpers that are spinning for it.
    pub(crate) fn is_awake(&self) -> bool {
        self.awake.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn started(&self) -> usize {
        self.lock().started
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that panics runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs the work on this thread and on up to `helpers` helpers at once, and returns when it has returned on every
    /// thread that began it. If another thread's region has the helpers, or in a region within a region, this thread
    /// works alone.
    ///
    /// # Panics
    /// If the work panics, on whichever thread.
    pub(crate) fn run(&'static self, helpers: usize, work: &Work<'_>) {
        let _leader = match self.leader.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return work(),
        };
        self.start(helpers);
        // SAFETY: only the lifetime changes. `Region` takes the work away and waits for every helper that has it
        // before this function is left, whether `work` returns or panics.
        let borrowed = unsafe { std::mem::transmute::<&Work<'_>, &'static Work<'static>>(work) };
        let region = Region::open(self, helpers, borrowed);
        work();
        if let Some(panic) = region.close() {
            resume_unwind(panic);
        }
    }

    /// Starts helpers until there are `helpers` of them. If the system refuses a thread, the existing ones do the
    /// work.
    fn start(&'static self, helpers: usize) {
        let mut state = self.lock();
        while state.started < helpers {
            let seen = self.regions.load(Ordering::Relaxed);
            if !sync::start(move || self.help(seen)) {
                return;
            }
            state.started += 1;
        }
    }

    /// The loop of a helper, which only the end of the process ends.
    fn help(&self, mut seen: usize) {
        while sync::goes_on(seen) {
            seen = self.await_region(seen);
            if let Some(work) = self.enter() {
                let panic = catch_unwind(AssertUnwindSafe(work)).err();
                self.leave(panic);
            }
        }
    }

    /// Waits until the number of regions is no longer `seen`, and returns the new number.
    fn await_region(&self, seen: usize) -> usize {
        self.awake.fetch_add(1, Ordering::Relaxed);
        let found = look_out(|| {
            let regions = self.regions.load(Ordering::Acquire);
            (regions != seen).then_some(regions)
        });
        self.awake.fetch_sub(1, Ordering::Relaxed);
        found.unwrap_or_else(|| {
            let mut state = self.lock();
            state.asleep += 1;
            // Regions are opened under the lock, so none can be missed between the check and the sleep.
            while self.regions.load(Ordering::Acquire) == seen {
                state = self.opened.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.asleep -= 1;
            self.regions.load(Ordering::Acquire)
        })
    }

    /// The work of the region, if it is still open and has a place.
    fn enter(&self) -> Option<&'static Work<'static>> {
        let mut state = self.lock();
        let work = state.work.filter(|_| state.places > 0)?;
        state.places -= 1;
        self.inside.fetch_add(1, Ordering::Relaxed);
        Some(work)
    }

    fn leave(&self, panic: Option<Box<dyn Any + Send>>) {
        let mut state = self.lock();
        if state.panic.is_none() {
            state.panic = panic;
        }
        // Release: a leader that sees the last helper leave also sees what all helpers wrote.
        if self.inside.fetch_sub(1, Ordering::Release) == 1 {
            self.left.notify_one();
        }
    }
}

/// An open region. Dropping it closes it, also when the leader's own share panics.
struct Region {
    pool: &'static Pool,
}

impl Region {
    fn open(pool: &'static Pool, places: usize, work: &'static Work<'static>) -> Self {
        let mut state = pool.lock();
        state.work = Some(work);
        state.places = places;
        pool.regions.fetch_add(1, Ordering::Release);
        (0..places.min(state.asleep)).for_each(|_| pool.opened.notify_one());
        Self { pool }
    }

    /// Lets no more helpers in, waits for those inside, and returns the panic of one of them, if any.
    fn close(self) -> Option<Box<dyn Any + Send>> {
        self.shut();
        self.pool.lock().panic.take()
    }

    fn shut(&self) {
        self.pool.lock().work = None;
        let is_empty = || self.pool.inside.load(Ordering::Acquire) == 0;
        if look_out(|| is_empty().then_some(())).is_none() {
            let mut state = self.pool.lock();
            while !is_empty() {
                state = self.pool.left.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // After `close` there is nothing left to wait for.
        self.shut();
        self.pool.lock().panic = None;
    }
}
