//! Work that a process which exits does not wait for. Node joins the threads of libuv's pool when it exits, so that
//! `process.exit` would take as long as what runs there; such work runs on a thread of its own, for which one of the
//! pool waits until the process leaves.

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

/// What `run` gives. Once the process leaves, an error that nobody will see, while `run` goes on: it must touch nothing
/// of JavaScript's, and nothing on a disk.
pub fn apart<T: Send + 'static>(run: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    let result = Arc::new(Mutex::new(None));
    let theirs = Arc::clone(&result);
    let worker = move || {
        let made = caught(run);
        // Under the lock, so that it is not missed between a look and a wait.
        let _told = leaving();
        *theirs.lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
        CHANGED.notify_all();
    };
    if let Err(error) = thread::Builder::new().name("tokenbed-work".into()).spawn(worker) {
        return Err(Error::Usage(format!("no thread can be had to work on: {error}")).into());
    }
    let mut left = leaving();
    loop {
        if let Some(made) = result.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return made;
        }
        if *left {
            return Err(Error::Usage("the process exits".into()).into());
        }
        left = CHANGED.wait(left).unwrap_or_else(PoisonError::into_inner);
    }
}

/// The process exits: nothing that runs apart is waited for any more. The main thread says so, with whom all others
/// end.
#[napi(catch_unwind)]
pub fn process_leaves() -> bool {
    status(|| {
        *leaving() = true;
        CHANGED.notify_all();
        Ok(())
    })
}
