//! A live buffer over a storage: it holds the storage as long as anybody may access the memory through the buffer.
//!
//! When an environment ends, Node detaches every external buffer made in it and runs its finalizer. It does so even if
//! the memory was moved to another thread that still reads it, and nothing distinguishes such a buffer from the others
//! at that point. Therefore the buffer that is handed out is not the one Node made, but one to which the memory was
//! moved right away. Node does not know that buffer and leaves it alone, so the finalizer can inspect it.

use crate::node::guard::Failure;
use napi::bindgen_prelude::{ArrayBuffer, FromNapiValue};
use napi::{Env, JsValue, Unknown, check_status, sys};
use std::cell::Cell;
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;
use tokenbed_core::storage::Storage;

/// A buffer's hold on its storage. It ends with the buffer's finalizer or with [`Shown::close`], or it never ends: see
/// [`Shown::finalize`].
pub(super) struct Shown {
    env: sys::napi_env,
    /// The buffer that was handed out; null before it is made and after the hold has ended.
    buffer: Cell<sys::napi_ref>,
    /// Whether this keeps the buffer alive. The buffer of a table is kept until the table is garbage. Buffers of
    /// results are not kept: the event loop turns between results, and buffers are finalized then.
    held: Cell<bool>,
    /// Whether the buffer's memory can be moved to another buffer.
    moves: bool,
    storage: Cell<Option<Arc<Storage>>>,
    bytes: usize,
}

/// The state of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Buffer {
    Attached,
    Detached,
    Collected,
    Unknown,
}

impl Shown {
    /// A live buffer over `bytes` bytes of the storage, beginning at `start`; None if the host made a copy instead.
    /// `transfer` is `ArrayBuffer.prototype.transfer`, if it exists; without it, no other way of moving a buffer moves
    /// memory that V8 does not own.
    pub(super) fn over(
        env: &Env,
        storage: Arc<Storage>,
        (start, bytes): (*mut u8, usize),
        transfer: Option<Unknown<'_>>,
        held: bool,
    ) -> Result<Option<(Rc<Self>, ArrayBuffer<'static>)>, Failure> {
        let (buffer, storage) = (Cell::new(ptr::null_mut()), Cell::new(Some(storage)));
        let (moves, held) = (transfer.is_some(), Cell::new(held));
        let shown = Rc::new(Self { env: env.raw(), buffer, held, moves, storage, bytes });
        let keeper = Rc::clone(&shown);
        // SAFETY: the keeper holds the storage until the finalizer ends the hold, or until `close` is called by a
        // caller that has detached the buffer.
        let made = unsafe { ArrayBuffer::from_external(env, start, bytes, keeper, |_, keeper| keeper.finalize()) }?;
        if made.as_ptr() != start {
            // The host made a copy: that buffer is not live, and the finalizer has already run.
            return Ok(None);
        }
        let mut buffer = made.raw();
        if let Some(transfer) = transfer {
            // SAFETY: the environment is live and the values are its own; `transfer` takes no arguments and runs no
            // user JavaScript.
            check_status!(unsafe {
                sys::napi_call_function(env.raw(), made.raw(), transfer.raw(), 0, ptr::null(), &mut buffer)
            })?;
        }
        let mut reference = ptr::null_mut();
        // SAFETY: as above.
        check_status!(unsafe {
            sys::napi_create_reference(env.raw(), buffer, shown.held.get().into(), &mut reference)
        })?;
        shown.buffer.set(reference);
        // SAFETY: as above.
        let buffer = unsafe { ArrayBuffer::from_napi_value(env.raw(), buffer) }?;
        Ok(Some((shown, buffer)))
    }

    /// The number of bytes that the buffer shows.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The table is garbage: the garbage collector may take the buffer, and its finalizer frees the memory.
    pub(super) fn let_go(&self) {
        let reference = self.buffer.get();
        if self.held.replace(false) && !reference.is_null() {
            // SAFETY: made in `over`, and the environment is alive whenever its finalizers and calls run.
            unsafe { sys::napi_reference_unref(self.env, reference, ptr::null_mut()) };
        }
    }

    /// Does the same as `let_go`, and returns whether the buffer still has its memory.
    pub(super) fn let_go_attached(&self) -> bool {
        let attached = self.look() == Buffer::Attached;
        self.let_go();
        attached
    }

    /// To be called after `let_go_attached` and a garbage collection. Returns whether the buffer was collected, in
    /// which case nobody can access the memory any more; otherwise the buffer is held again.
    pub(super) fn close_collected(&self) -> bool {
        let collected = self.look() == Buffer::Collected;
        if collected {
            self.close();
        } else {
            // SAFETY: as in `let_go`.
            let status = unsafe { sys::napi_reference_ref(self.env, self.buffer.get(), ptr::null_mut()) };
            self.held.set(status == sys::Status::napi_ok);
        }
        collected
    }

    /// Whether this keeps the buffer alive.
    pub(super) fn is_held(&self) -> bool {
        self.held.get()
    }

    /// The environment in which the buffer was made.
    pub(super) fn environment(&self) -> sys::napi_env {
        self.env
    }

    /// Ends the hold, once nobody can access the memory through the buffer. A second call does nothing.
    pub(super) fn close(&self) {
        drop(self.storage.take());
        let reference = self.buffer.replace(ptr::null_mut());
        if !reference.is_null() {
            // SAFETY: the reference was made in `over`, and the environment is alive whenever its finalizers and calls
            // run. The status is ignored: a reference that cannot be deleted ends with the environment.
            unsafe { sys::napi_delete_reference(self.env, reference) };
        }
    }

    /// Called when nobody uses the memory any more, or when the environment ends. If the memory has been moved
    /// elsewhere by then, it is never freed and stays counted as held, because nothing will report its last use.
    fn finalize(&self) {
        if self.moves && !self.buffer.get().is_null() && self.may_be_elsewhere() {
            std::mem::forget(self.storage.take());
        }
        self.close();
    }

    /// Whether the environment is ending while another buffer may have the memory. For a buffer that was collected this
    /// cannot be known: its memory may have been moved before, or its finalizer may just have been about to run.
    fn may_be_elsewhere(&self) -> bool {
        let mut scope = ptr::null_mut();
        // SAFETY: the environment is alive while its finalizers run, and values are used within their scope. None of
        // these calls runs JavaScript; `napi_has_named_property` is refused when no JavaScript may run.
        let goes_on = unsafe {
            if sys::napi_open_handle_scope(self.env, &mut scope) != sys::Status::napi_ok {
                return true;
            }
            let (mut global, mut has) = (ptr::null_mut(), false);
            let goes_on = sys::napi_get_global(self.env, &mut global) == sys::Status::napi_ok
                && sys::napi_has_named_property(self.env, global, c"undefined".as_ptr(), &mut has)
                    == sys::Status::napi_ok;
            sys::napi_close_handle_scope(self.env, scope);
            goes_on
        };
        !goes_on && self.look() != Buffer::Attached
    }

    /// The state of the buffer. No reference to its value remains afterwards.
    fn look(&self) -> Buffer {
        let (mut scope, mut buffer, mut detached) = (ptr::null_mut(), ptr::null_mut(), false);
        // SAFETY: the environment is alive while its finalizers and calls run, the reference was made in it, and the
        // value is used within its scope. None of these calls runs JavaScript.
        let known = unsafe {
            if sys::napi_open_handle_scope(self.env, &mut scope) != sys::Status::napi_ok {
                return Buffer::Unknown;
            }
            let known = sys::napi_get_reference_value(self.env, self.buffer.get(), &mut buffer) == sys::Status::napi_ok
                && (buffer.is_null()
                    || sys::napi_is_detached_arraybuffer(self.env, buffer, &mut detached) == sys::Status::napi_ok);
            sys::napi_close_handle_scope(self.env, scope);
            known
        };
        match (known, buffer.is_null(), detached) {
            (false, ..) => Buffer::Unknown,
            (_, true, _) => Buffer::Collected,
            (.., true) => Buffer::Detached,
            (.., false) => Buffer::Attached,
        }
    }
}
