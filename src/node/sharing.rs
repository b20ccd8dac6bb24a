//! Storage that threads share: who has its number opens a handle of his own on it.

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

/// What is shared now, by number; numbers are never used again.
#[derive(Default)]
struct Registry {
    last: usize,
    storages: HashMap<usize, Arc<Storage>>,
}

static REGISTRY: LazyLock<Mutex<Registry>> = LazyLock::new(Mutex::default);

/// Nothing panics while it is locked but for want of memory, and it is whole even then.
fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

fn forget(number: usize) {
    let storage = registry().storages.remove(&number);
    // Freed, if it was the last holder, while nobody waits for the registry.
    drop(storage);
}

/// What a thread shares goes with it, however it ends.
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

/// Shares the storage of a handle until `storageUnshare` or the end of this thread: its number.
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

/// Ends the sharing; handles that were opened keep the storage.
#[napi(catch_unwind)]
pub fn storage_unshare(number: f64) -> bool {
    status(|| {
        let number = size(number)?;
        MINE.with_borrow_mut(|mine| mine.0.retain(|&own| own != number));
        forget(number);
        Ok(())
    })
}

/// Whether something is shared under a number.
#[napi(catch_unwind)]
pub fn storage_is_shared(number: f64) -> Option<bool> {
    guard(|| Ok(registry().storages.contains_key(&size(number)?)))
}

/// A handle on all of a storage.
#[napi(object, object_from_js = false)]
pub struct Opened {
    pub handle: External<Handle>,
    pub bytes: f64,
    /// Whether it lies in a mapped file.
    pub mapped: bool,
}

/// A handle on a shared storage, of this thread's own.
#[napi(catch_unwind)]
pub fn storage_open(env: Env, number: f64) -> Option<Opened> {
    guard(|| {
        let storage = registry().storages.get(&size(number)?).cloned();
        let storage = storage.ok_or_else(|| Error::Usage("the sharing has ended".into()))?;
        let (bytes, mapped) = (storage.len() as f64, storage.is_mapped());
        Ok(Opened { handle: Handle::over(env, storage, Telling::Nothing), bytes, mapped })
    })
}

/// What tells this process from others, and from those that had its number before.
#[napi(catch_unwind)]
pub fn process_token() -> Option<String> {
    static TOKEN: LazyLock<String> = LazyLock::new(|| {
        let random = RandomState::new();
        format!("{:016x}{:016x}", random.hash_one(0), random.hash_one(1))
    });
    guard(|| Ok(TOKEN.clone()))
}
