//! Work that an exiting process does not wait for. Node joins the threads of libuv's pool when it exits, so
//! `process.exit` would take as long as the work on them. Such work runs on a thread of its own, and a pool thread
//! waits for it only until the process exits.

use crate::node::guard::{Failure, caught, status};
use napi_derive::napi;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
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
    let worker = move || {
        let made = caught(run);
        // The lock is held so that the signal cannot be missed between the check and the wait.
        let _told = leaving();
        *theirs.lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
        CHANGED.notify_all();
    };
    if let Err(error) = thread::Builder::new().name("tokenbed-work".into()).spawn(worker) {
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
