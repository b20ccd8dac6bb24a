//! Folders whose files change together.

use crate::node::external::External;
use crate::node::guard::{guard, status};
use napi_derive::napi;
use std::cell::RefCell;
use std::path::Path;
use std::time::Duration;
use tokenbed_io::lock::FolderLock;

/// A lock as JavaScript holds it. Collected, it is given back.
pub struct Locked(RefCell<Option<FolderLock>>);

/// Waits, so long at most, until nobody else writes to a folder.
#[napi(catch_unwind)]
pub fn folder_lock(path: String, milliseconds: f64) -> Option<External<Locked>> {
    guard(|| {
        let most = Duration::try_from_secs_f64(milliseconds / 1e3).unwrap_or(Duration::ZERO);
        Ok(External::new(Locked(RefCell::new(Some(FolderLock::take(Path::new(&path), most)?)))))
    })
}

/// Lets others write.
#[napi(catch_unwind)]
pub fn folder_unlock(lock: &External<Locked>) -> bool {
    status(|| {
        lock.0.borrow_mut().take();
        Ok(())
    })
}
