//! Work that an exiting process does not wait for. Node joins the threads of libuv's pool when it exits, so
//! `process.exit` would take as long as the work on them. Such work runs on threads of its own, and a pool thread
//! waits for it only until the process exits.
//!
//! These threads are used again, because what a thread has seen of a tokenizer's texts makes the next ones faster.

use crate::node::guard::{Failure, caught, status};
use napi_derive::napi;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SendError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use tokenbed_core::Error;

static LEAVING: Mutex<bool> = Mutex::new(false);
static CHANGED: Condvar = Condvar::new();

fn leaving() -> MutexGuard<'static, bool> {
    LEAVING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the result of `run`. If the process exits first, it returns an error that nobody sees, while `run`
/// continues: `run` must therefore touch nothing of JavaScript's and nothing on disk.
pub fn apart<T: Send + 'static>(run: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    let result = Arc::new(Mutex::new(None));
    let theirs = Arc::clone(&result);
    let task = move || {
        let made = caught(run);
        *theirs.lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
    };
    if let Err(error) = hand_over(Box::new(task)) {
        return Err(Error::Usage(format!("no thread can be started: {error}")).into());
    }
    let mut left = leaving();
    loop {
        if let Some(made) = result.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return made;
        }
        if *left {
            return Err(Error::Usage("the process is exiting".into()).into());
        }
        left = CHANGED.wait(left).unwrap_or_else(PoisonError::into_inner);
    }
}

/// It must not panic.
type Task = Box<dyn FnOnce() + Send>;

/// How to reach a thread that waits for a task.
struct Idle {
    thread: u64,
    tasks: Sender<Task>,
}

/// How many threads wait at most, which is the number of threads that libuv's pool has by default.
const MOST: usize = 4;
/// How long a thread waits.
const PATIENCE: Duration = Duration::from_secs(5);
/// The one that has waited the least comes last.
static IDLE: Mutex<[Option<Idle>; MOST]> = Mutex::new([const { None }; MOST]);
static THREADS: AtomicU64 = AtomicU64::new(0);

fn idle() -> MutexGuard<'static, [Option<Idle>; MOST]> {
    IDLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives a task to the thread that has waited the least, or to a new one.
fn hand_over(mut task: Task) -> io::Result<()> {
    loop {
        let last = idle().iter_mut().rev().find_map(Option::take);
        let Some(Idle { tasks, .. }) = last else { break };
        match tasks.send(task) {
            Ok(()) => return Ok(()),
            Err(SendError(back)) => task = back,
        }
    }
    let (sender, tasks) = channel();
    let idle = Idle { thread: THREADS.fetch_add(1, Ordering::Relaxed), tasks: sender };
    thread::Builder::new().name("tokenbed-work".into()).spawn(move || serve(task, idle, &tasks)).map(|_| ())
}

/// Runs tasks until none has come for a while.
fn serve(first: Task, Idle { thread, tasks: own }: Idle, tasks: &Receiver<Task>) {
    let mut task = first;
    loop {
        task();
        let waits = wait_in_line(Idle { thread, tasks: own.clone() });
        // The lock is held so that the signal cannot be missed between the check and the wait.
        let told = leaving();
        CHANGED.notify_all();
        drop(told);
        if !waits {
            return;
        }
        task = match tasks.recv_timeout(PATIENCE) {
            Ok(next) => next,
            Err(_) if leave_line(thread) => return,
            // Somebody has just chosen this thread.
            Err(_) => match tasks.recv() {
                Ok(next) => next,
                Err(_) => return,
            },
        };
    }
}

/// Puts a thread at the end of the line, if there is room for it.
fn wait_in_line(one: Idle) -> bool {
    let mut idle = idle();
    let Some(first) = idle.iter().position(Option::is_none) else { return false };
    idle[first] = Some(one);
    idle[first..].rotate_left(1);
    true
}

/// Whether the thread still stood in the line.
fn leave_line(thread: u64) -> bool {
    let mut idle = idle();
    let place = idle.iter_mut().find(|place| place.as_ref().is_some_and(|one| one.thread == thread));
    place.is_some_and(|place| place.take().is_some())
}

/// Tells all waiting threads that the process exits, so that they wait no longer. The main thread calls it, and all
/// other threads end with it.
#[napi(catch_unwind)]
pub fn process_leaves() -> bool {
    status(|| {
        *leaving() = true;
        CHANGED.notify_all();
        Ok(())
    })
}
