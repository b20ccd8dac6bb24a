//! Folders whose files change together.

use crate::node::external::External;
use crate::node::guard::{guard, status};
use napi_derive::napi;
use std::cell::RefCell;
use std::path::Path;
use std::time::Duration;
use tokenbed_io::atomic;
use tokenbed_io::lock::FolderLock;

/// The lock as JavaScript holds it. It is released when it is garbage-collected.
pub struct Locked(RefCell<Option<FolderLock>>);

/// Waits at most `milliseconds` until nobody else writes to the folder.
#[napi(catch_unwind)]
pub fn folder_lock(path: String, milliseconds: f64) -> Option<External<Locked>> {
    guard(|| {
        let most = Duration::try_from_secs_f64(milliseconds / 1e3).unwrap_or(Duration::ZERO);
        Ok(External::new(Locked(RefCell::new(Some(FolderLock::take(Path::new(&path), most)?)))))
    })
}

/// Releases the lock, so that others may write.
#[napi(catch_unwind)]
pub fn folder_unlock(lock: &External<Locked>) -> bool {
    status(|| {
        lock.0.borrow_mut().take();
        Ok(())
    })
}

/// Removes the unfinished files of processes that were killed while they wrote into a folder.
#[napi(catch_unwind)]
pub fn folder_tidy(path: String) -> bool {
    status(|| {
        atomic::tidy_folder(Path::new(&path));
        Ok(())
    })
}
