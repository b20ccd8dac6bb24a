//! Storage that Rust owns, as JavaScript holds it: a handle and, on first access, a live ArrayBuffer over the storage.

#![allow(unsafe_code, reason = "hands memory to V8 that is kept alive by a finalizer")]

mod orphans;
mod shown;

use crate::node::borrow::Operand;
use crate::node::external::{self, External, tell};
use crate::node::guard::{Failure, guard, status};
use napi::bindgen_prelude::{ArrayBuffer, FromNapiRef, FromNapiValue, TypeName, ValidateNapiValue};
use napi::{Env, Unknown, ValueType, sys};
use napi_derive::napi;
pub(crate) use orphans::{WORTH, finalizers_run, free_orphans};
use shown::Shown;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use tokenbed_core::Error;
use tokenbed_core::storage::{POOL_LIMIT, Part, Storage, Usage, usage};

/// The storage itself. `release` takes it out, even if other handles still exist.
type Shared = Rc<RefCell<Option<Arc<Storage>>>>;

/// A range of a storage, as JavaScript holds it. Views made from a handle share its storage.
pub struct Handle {
    storage: Shared,
    offset: usize,
    bytes: usize,
    env: Env,
    /// Bytes that V8 was told of, to be subtracted again later; 0 for views.
    told: Cell<i64>,
    /// How V8 was told.
    telling: Telling,
    /// The live buffer's hold on the storage.
    in_buffer: RefCell<Option<Rc<Shown>>>,
}

impl Handle {
    /// Wraps a storage and tells V8 how much memory it keeps alive. Mapped files count as nothing, because they use no
    /// memory until they are touched.
    pub(crate) fn new(env: Env, storage: Storage, mapped: bool) -> External<Self> {
        let telling = if mapped { Telling::Nothing } else { Telling::All };
        Self::over(env, Arc::new(storage), telling)
    }

    /// A handle on a whole storage, which may have other handles.
    pub(crate) fn over(env: Env, storage: Arc<Storage>, telling: Telling) -> External<Self> {
        if storage.is_mapped() {
            external::mapped();
        }
        let bytes = storage.len();
        let told = if telling == Telling::Nothing { 0 } else { bytes as i64 };
        telling.tell(&env, told);
        External::new(Self {
            storage: Rc::new(RefCell::new(Some(storage))),
            offset: 0,
            bytes,
            env,
            told: Cell::new(told),
            telling,
            in_buffer: RefCell::default(),
        })
    }

    /// The address and length of the bytes; None after `release`.
    pub(crate) fn range(&self) -> Option<(*mut u8, usize)> {
        let storage = self.storage.borrow();
        // `wrapping_add` is enough: the range was checked when the handle was made.
        storage.as_ref().map(|storage| (storage.as_ptr().wrapping_add(self.offset), self.bytes))
    }

    /// The storage behind this range; fails after `release`.
    pub(crate) fn storage(&self) -> Result<Arc<Storage>, Failure> {
        self.storage.borrow().clone().ok_or_else(|| Error::Usage("use of a disposed storage".into()).into())
    }

    /// The bytes, held beyond this call and beyond a later `release`; fails if they are already released.
    pub(crate) fn hold(&self) -> Result<Part, Failure> {
        self.held().part()
    }

    /// A reference to the range that keeps nothing alive.
    pub(crate) fn held(&self) -> Hold {
        Hold { storage: Rc::downgrade(&self.storage), offset: self.offset, bytes: self.bytes }
    }

    fn stop_telling(&self) {
        self.telling.tell(&self.env, -self.told.replace(0));
    }
}

/// Where a handle's bytes are, as long as they exist.
pub struct Hold {
    storage: Weak<RefCell<Option<Arc<Storage>>>>,
    offset: usize,
    bytes: usize,
}

impl Hold {
    /// The bytes, for this call; fails after `release`.
    pub(crate) fn operand(&self) -> Result<Operand, Failure> {
        let range = self.storage.upgrade().and_then(|storage| {
            let storage = storage.borrow();
            storage.as_ref().map(|storage| (storage.as_ptr().wrapping_add(self.offset), self.bytes))
        });
        Ok(Operand::of_storage(range.ok_or_else(|| Error::Usage("use of a disposed tensor".into()))?))
    }

    /// The bytes, held beyond this call and beyond a later `release`; fails if they are already released.
    pub(crate) fn part(&self) -> Result<Part, Failure> {
        let storage = self.storage.upgrade().and_then(|storage| storage.borrow().clone());
        let storage = storage.ok_or_else(|| Error::Usage("use of a disposed tensor".into()))?;
        let part = Part::new(&storage, self.offset, self.bytes);
        part.ok_or_else(|| Error::Shape("the handle reaches beyond its storage".into()).into())
    }
}

impl TypeName for Hold {
    fn type_name() -> &'static str {
        "Hold"
    }

    fn value_type() -> ValueType {
        ValueType::External
    }
}

impl ValidateNapiValue for Hold {}

/// Reads a handle, so that objects may have one as a field.
impl FromNapiValue for Hold {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        // SAFETY: napi's macro gives a live env and value; an external of another type is an error.
        Ok(unsafe { External::<Handle>::from_napi_ref(env, value) }?.held())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop_telling();
        if let Some(shown) = self.in_buffer.take() {
            orphans::enter(shown);
        }
    }
}

/// How much V8 is told of the memory that a handle keeps alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    /// Nothing: mapped files use no memory until they are touched, and V8 already knows of what another thread shares.
    Nothing,
    /// All of it, for tables.
    All,
    /// Only what a thread's results exceed [`UNTOLD`] by.
    Beyond,
}

/// This many bytes of results are not reported to V8. It starts a garbage collection for every 64 MB reported, and most
/// results are disposed of soon. The pool keeps the same amount.
const UNTOLD: i64 = POOL_LIMIT as i64;

thread_local! {
    /// Bytes of this thread's results, and how many of them V8 was told of. Each thread has its own isolate.
    static RESULTS: Cell<(i64, i64)> = const { Cell::new((0, 0)) };
}

impl Telling {
    fn tell(self, env: &Env, bytes: i64) {
        if self != Telling::Beyond {
            return tell(env, bytes);
        }
        let (all, told) = RESULTS.get();
        let all = all + bytes;
        let beyond = (all - UNTOLD).max(0);
        RESULTS.set((all, beyond));
        tell(env, beyond - told);
    }
}

/// Allocates a zeroed table.
#[napi(catch_unwind)]
pub fn storage_zeroed(env: Env, bytes: f64) -> Option<External<Handle>> {
    guard(|| Ok(Handle::new(env, Storage::zeroed(crate::node::borrow::size(bytes)?)?, false)))
}

/// A handle on part of the same storage.
#[napi(catch_unwind)]
pub fn storage_view(env: Env, handle: &External<Handle>, offset: f64, bytes: f64) -> Option<External<Handle>> {
    guard(|| {
        let (offset, bytes) = (crate::node::borrow::size(offset)?, crate::node::borrow::size(bytes)?);
        if offset.checked_add(bytes).is_none_or(|end| end > handle.bytes) {
            return Err(Error::Shape(format!(
                "{bytes} bytes from byte {offset} on do not fit in {} bytes",
                handle.bytes
            ))
            .into());
        }
        Ok(External::new(Handle {
            storage: Rc::clone(&handle.storage),
            offset: handle.offset + offset,
            bytes,
            env,
            told: Cell::new(0),
            telling: Telling::Nothing,
            in_buffer: RefCell::default(),
        }))
    })
}

/// The live buffer over a storage, to be made once and kept. Returns nothing if the host forbids external buffers (or
/// `TOKENBED_LIVE_DATA=0` simulates that), if there are no bytes, or if the buffer cannot be made; copies are used
/// then. `transfer` is `ArrayBuffer.prototype.transfer`, if it exists.
#[napi(catch_unwind)]
pub fn storage_buffer(
    env: Env,
    handle: &External<Handle>,
    #[napi(ts_arg_type = "(() => ArrayBuffer) | undefined")] transfer: Option<Unknown<'_>>,
) -> Option<ArrayBuffer<'static>> {
    let made = guard(|| {
        let Some(range) = handle.range().filter(|&(_, bytes)| bytes > 0) else { return Ok(None) };
        if !live_data_wanted() {
            return Ok(None);
        }
        let storage = handle.storage()?;
        storage.expose();
        let Some((shown, buffer)) = Shown::over(&env, storage, range, transfer, handle.telling != Telling::Beyond)?
        else {
            return Ok(None);
        };
        *handle.in_buffer.borrow_mut() = Some(shown);
        // V8 counts external buffers itself, so memory it was told of would now count twice.
        handle.stop_telling();
        Ok(Some(buffer))
    });
    made.flatten()
}

fn live_data_wanted() -> bool {
    std::env::var_os("TOKENBED_LIVE_DATA").is_none_or(|value| value != "0")
}

/// Whether the host allows buffers over memory that V8 does not own.
pub(crate) fn live_data(env: &Env) -> Result<bool, Failure> {
    if !live_data_wanted() {
        return Ok(false);
    }
    let storage = Storage::zeroed(1)?;
    let start = storage.as_ptr();
    let keeper = Rc::new(Cell::new(Some(storage)));
    let kept = Rc::clone(&keeper);
    // SAFETY: the keeper holds the storage until the buffer is detached below, or until the finalizer drops the keeper.
    let buffer = unsafe { ArrayBuffer::from_external(env, start, 1, kept, |_, kept| drop(kept.take())) }?;
    let live = std::ptr::eq(buffer.as_ptr(), start);
    if live {
        buffer.detach()?;
        drop(keeper.take());
    }
    Ok(live)
}

/// Releases the storage now: all handles on it become unusable, and its live buffer is detached.
#[napi(catch_unwind)]
pub fn storage_release(handle: &External<Handle>, buffer: Option<ArrayBuffer<'_>>) -> bool {
    status(|| {
        handle.stop_telling();
        drop(handle.storage.take());
        if let Some(buffer) = buffer {
            // A buffer that was transferred is detached here but its memory lives elsewhere; its finalizer frees it.
            if !buffer.is_detached()? {
                buffer.detach()?;
                if let Some(shown) = handle.in_buffer.take() {
                    shown.close();
                }
            }
        }
        Ok(())
    })
}

/// Whether a storage still has all its bytes: a mapped file may have been truncated. Called after JavaScript has read
/// the bytes itself.
#[napi(catch_unwind)]
pub fn storage_is_whole(data: Operand) -> bool {
    status(|| data.shared::<u8>().map(drop))
}

/// Asks for huge pages for a large, untouched buffer in V8's memory: its first write then takes one page fault per 2
/// MiB instead of 512. This is only advice; on systems without huge pages nothing happens.
#[napi(catch_unwind)]
pub fn advise_huge_pages(buffer: ArrayBuffer<'_>) -> bool {
    status(|| {
        advise_huge(buffer.as_ptr(), buffer.len());
        Ok(())
    })
}

#[cfg(target_os = "linux")]
fn advise_huge(start: *const u8, bytes: usize) {
    /// The size of a huge page on x86-64 and arm64 Linux.
    const HUGE_PAGE: usize = 2 << 20;
    let skip = start.align_offset(HUGE_PAGE);
    let inside = bytes.saturating_sub(skip) / HUGE_PAGE * HUGE_PAGE;
    if inside > 0 {
        // SAFETY: these are whole pages inside the buffer, which is alive during the call; the advice changes no
        // contents.
        unsafe { libc::madvise(start.wrapping_add(skip).cast_mut().cast(), inside, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(not(target_os = "linux"))]
fn advise_huge(_start: *const u8, _bytes: usize) {}

/// The external memory that V8 knows of, reported or in its own buffers. A test uses it to check that what was reported
/// is subtracted again.
#[napi(catch_unwind)]
pub fn external_memory(env: Env) -> Option<f64> {
    guard(|| Ok(env.adjust_external_memory(0)? as f64))
}

/// Bytes held by Rust, over all threads.
#[napi(object)]
pub struct NativeUsage {
    pub tables: f64,
    pub mapped: f64,
    pub results: f64,
    pub pooled: f64,
}

/// Bytes held by Rust, over all threads.
#[napi(catch_unwind)]
pub fn native_usage() -> Option<NativeUsage> {
    guard(|| -> Result<_, Failure> {
        let Usage { tables, mapped, results, pooled } = usage();
        Ok(NativeUsage { tables: tables as f64, mapped: mapped as f64, results: results as f64, pooled: pooled as f64 })
    })
}
