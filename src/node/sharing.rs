//! Storage that threads share: a thread that knows its number can open a handle on it.

use crate::node::borrow::size;
use crate::node::buffers::{Handle, Telling};
use crate::node::external::External;
use crate::node::guard::{guard, status};
use napi::Env;
use napi_derive::napi;
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use tokenbed_core::Error;
use tokenbed_core::storage::Storage;
use tokenbed_memory::{List, Map};

/// The storages shared now, by number. Numbers are never reused.
#[derive(Default)]
struct Registry {
    last: usize,
    storages: HashMap<usize, Arc<Storage>>,
}

static REGISTRY: LazyLock<Mutex<Registry>> = LazyLock::new(Mutex::default);

/// Only a failed allocation can panic while the lock is held, and the registry is consistent even then.
fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

fn forget(number: usize) {
    let storage = registry().storages.remove(&number);
    // If this was the last holder, the storage is freed after the registry is unlocked.
    drop(storage);
}

/// The numbers that a thread shares. They are unshared when it ends, in whatever way.
#[derive(Default)]
struct OfThread(Vec<usize>);

impl Drop for OfThread {
    fn drop(&mut self) {
        self.0.drain(..).for_each(forget);
    }
}

thread_local! {
    static MINE: RefCell<OfThread> = RefCell::default();
}

/// Shares the storage of a handle until `storageUnshare` or the end of this thread. Returns its number.
#[napi(catch_unwind)]
pub fn storage_share(handle: &External<Handle>) -> Option<f64> {
    guard(|| {
        let storage = handle.storage()?;
        let mut registry = registry();
        registry.last += 1;
        let number = registry.last;
        registry.storages.put(number, storage);
        drop(registry);
        MINE.with_borrow_mut(|mine| mine.0.put(number));
        Ok(number as f64)
    })
}

/// Ends the sharing. Handles that were already opened keep the storage.
#[napi(catch_unwind)]
pub fn storage_unshare(number: f64) -> bool {
    status(|| {
        let number = size(number)?;
        MINE.with_borrow_mut(|mine| mine.0.retain(|&own| own != number));
        forget(number);
        Ok(())
    })
}

/// Whether a storage is shared under this number.
#[napi(catch_unwind)]
pub fn storage_is_shared(number: f64) -> Option<bool> {
    guard(|| Ok(registry().storages.contains_key(&size(number)?)))
}

/// A handle on a whole shared storage.
#[napi(object, object_from_js = false)]
pub struct Opened {
    pub handle: External<Handle>,
    pub bytes: f64,
    /// Whether the storage lies in a mapped file.
    pub mapped: bool,
}

/// Opens a handle of this thread on a shared storage.
#[napi(catch_unwind)]
pub fn storage_open(env: Env, number: f64) -> Option<Opened> {
    guard(|| {
        let storage = registry().storages.get(&size(number)?).cloned();
        let storage = storage.ok_or_else(|| Error::Usage("the sharing has ended".into()))?;
        let (bytes, mapped) = (storage.len() as f64, storage.is_mapped());
        Ok(Opened { handle: Handle::over(env, storage, Telling::Nothing), bytes, mapped })
    })
}

/// A token that identifies this process among all others, including earlier ones with the same process id.
#[napi(catch_unwind)]
pub fn process_token() -> Option<String> {
    static TOKEN: LazyLock<String> = LazyLock::new(|| {
        let random = RandomState::new();
        format!("{:016x}{:016x}", random.hash_one(0), random.hash_one(1))
    });
    guard(|| Ok(TOKEN.clone()))
}
