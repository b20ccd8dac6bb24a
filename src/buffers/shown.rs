//! A live buffer over a storage: its hold on the storage, as long as anybody may look through it.
//!
//! At the end of an environment Node detaches every external buffer that was made in it and runs its finalizer, also of one
//! whose memory was moved to another thread, which goes on looking at it; and then nothing tells such a buffer from the
//! rest. So the buffer that is handed out is not the one that Node made, but one that the memory was moved to at once:
//! Node knows nothing of that one and leaves it as it is, so that the finalizer can ask it.

use crate::guard::Failure;
use napi::bindgen_prelude::{ArrayBuffer, FromNapiValue};
use napi::{Env, JsValue, Unknown, check_status, sys};
use std::cell::Cell;
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;
use tokenbed_core::storage::Storage;

/// A buffer's hold on its storage. It ends with the buffer's finalizer, with [`Shown::close`], or never: see
/// [`Shown::finalize`].
pub(super) struct Shown {
    env: sys::napi_env,
    /// The buffer that was handed out, not held by this; null before it is made, after the end, and where buffers cannot be
    /// moved.
    buffer: Cell<sys::napi_ref>,
    storage: Cell<Option<Arc<Storage>>>,
}

impl Shown {
    /// A live buffer over `bytes` from `start` on, which lie in the storage; nothing where the host made a copy instead.
    /// `transfer` is `ArrayBuffer.prototype.transfer`, where there is such a thing: where not, no form of moving moves
    /// memory that is not V8's own.
    pub(super) fn over(
        env: &Env,
        storage: Arc<Storage>,
        (start, bytes): (*mut u8, usize),
        transfer: Option<Unknown<'_>>,
    ) -> Result<Option<(Rc<Self>, ArrayBuffer<'static>)>, Failure> {
        let storage = Cell::new(Some(storage));
        let shown = Rc::new(Self { env: env.raw(), buffer: Cell::new(ptr::null_mut()), storage });
        let keeper = Rc::clone(&shown);
        // SAFETY: the keeper holds the storage until the finalizer ends that, or until `close` was called by who has
        // detached the buffer.
        let made = unsafe { ArrayBuffer::from_external(env, start, bytes, keeper, |_, keeper| keeper.finalize()) }?;
        if made.as_ptr() != start {
            // The host copied: such a buffer is not live, and the finalizer has run already.
            return Ok(None);
        }
        let Some(transfer) = transfer else { return Ok(Some((shown, made))) };
        let (mut moved, mut reference) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: a live environment and values of it; `transfer` takes no arguments, and runs no JavaScript of anybody's.
        check_status!(unsafe {
            sys::napi_call_function(env.raw(), made.raw(), transfer.raw(), 0, ptr::null(), &mut moved)
        })?;
        // SAFETY: as above.
        let moved = unsafe { ArrayBuffer::from_napi_value(env.raw(), moved) }?;
        // SAFETY: as above.
        check_status!(unsafe { sys::napi_create_reference(env.raw(), moved.raw(), 0, &mut reference) })?;
        shown.buffer.set(reference);
        Ok(Some((shown, moved)))
    }

    /// Ends the hold: nobody looks through the buffer any more. A second call does nothing.
    pub(super) fn close(&self) {
        drop(self.storage.take());
        let reference = self.buffer.replace(ptr::null_mut());
        if !reference.is_null() {
            // SAFETY: made in `over`, and the environment is alive whenever its finalizers and calls run. The answer is of
            // no use here: what cannot be deleted goes with the environment.
            unsafe { sys::napi_delete_reference(self.env, reference) };
        }
    }

    /// The memory is nobody's any more, or the environment ends. Where it was moved elsewhere by then it is left alone for
    /// good, and counted as held: nobody will tell when the last look at it was.
    fn finalize(&self) {
        if !self.buffer.get().is_null() && self.may_be_elsewhere() {
            std::mem::forget(self.storage.take());
        }
        self.close();
    }

    /// Whether the environment ends while the memory may be another buffer's. Of a buffer that was collected nothing is
    /// known then: it may have been moved before, or its finalizer may just have been about to run.
    fn may_be_elsewhere(&self) -> bool {
        let (mut scope, mut buffer, mut detached) = (ptr::null_mut(), ptr::null_mut(), true);
        // SAFETY: the environment is alive while its finalizers run, the reference was made in it, and values are used
        // within their scope. None of these calls runs JavaScript; `napi_has_named_property` is refused where none may run.
        unsafe {
            if sys::napi_open_handle_scope(self.env, &mut scope) != sys::Status::napi_ok {
                return true;
            }
            let (mut global, mut has) = (ptr::null_mut(), false);
            let goes_on = sys::napi_get_global(self.env, &mut global) == sys::Status::napi_ok
                && sys::napi_has_named_property(self.env, global, c"undefined".as_ptr(), &mut has)
                    == sys::Status::napi_ok;
            let attached = !goes_on
                && sys::napi_get_reference_value(self.env, self.buffer.get(), &mut buffer) == sys::Status::napi_ok
                && !buffer.is_null()
                && sys::napi_is_detached_arraybuffer(self.env, buffer, &mut detached) == sys::Status::napi_ok
                && !detached;
            sys::napi_close_handle_scope(self.env, scope);
            !goes_on && !attached
        }
    }
}
