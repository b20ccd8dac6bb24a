//! A live buffer over a storage: its hold on the storage, as long as anybody may look through it.
//!
//! At the end of an environment Node detaches every external buffer that was made in it and runs its finalizer, also of
//! one whose memory was moved to another thread, which goes on looking at it; and then nothing tells such a buffer from
//! the rest. So the buffer that is handed out is not the one that Node made, but one that the memory was moved to at
//! once: Node knows nothing of that one and leaves it as it is, so that the finalizer can ask it.

use crate::node::guard::Failure;
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
    /// The buffer that was handed out; null before it is made and after the end.
    buffer: Cell<sys::napi_ref>,
    /// Whether this holds the buffer: that of a table until the table is garbage. Results come when the event loop
    /// turns, and their buffers go when it does.
    held: Cell<bool>,
    /// Whether the buffer's memory can be moved to another.
    moves: bool,
    storage: Cell<Option<Arc<Storage>>>,
    bytes: usize,
}

/// What became of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Buffer {
    Attached,
    Detached,
    Collected,
    Unknown,
}

impl Shown {
    /// A live buffer over `bytes` from `start` on, which lie in the storage; nothing where the host made a copy
    /// instead. `transfer` is `ArrayBuffer.prototype.transfer`, where there is such a thing: where not, no form of
    /// moving moves memory that is not V8's own.
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
        // SAFETY: the keeper holds the storage until the finalizer ends that, or until `close` was called by who has
        // detached the buffer.
        let made = unsafe { ArrayBuffer::from_external(env, start, bytes, keeper, |_, keeper| keeper.finalize()) }?;
        if made.as_ptr() != start {
            // The host copied: such a buffer is not live, and the finalizer has run already.
            return Ok(None);
        }
        let mut buffer = made.raw();
        if let Some(transfer) = transfer {
            // SAFETY: a live environment and values of it; `transfer` takes no arguments, and runs no JavaScript of
            // anybody's.
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

    /// How many bytes the buffer shows.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Its table is garbage: the buffer goes with the garbage collector, and its memory with its finalizer.
    pub(super) fn let_go(&self) {
        let reference = self.buffer.get();
        if self.held.replace(false) && !reference.is_null() {
            // SAFETY: made in `over`, and the environment is alive whenever its finalizers and calls run.
            unsafe { sys::napi_reference_unref(self.env, reference, ptr::null_mut()) };
        }
    }

    /// As `let_go`: whether the buffer still has its memory.
    pub(super) fn let_go_attached(&self) -> bool {
        let attached = self.look() == Buffer::Attached;
        self.let_go();
        attached
    }

    /// After `let_go_attached` and a collection: whether the buffer was collected. Then nobody looks at the memory any
    /// more; else the buffer is held again.
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

    /// Whether it holds the buffer.
    pub(super) fn is_held(&self) -> bool {
        self.held.get()
    }

    /// The environment whose buffer it is.
    pub(super) fn environment(&self) -> sys::napi_env {
        self.env
    }

    /// Ends the hold: nobody looks through the buffer any more. A second call does nothing.
    pub(super) fn close(&self) {
        drop(self.storage.take());
        let reference = self.buffer.replace(ptr::null_mut());
        if !reference.is_null() {
            // SAFETY: made in `over`, and the environment is alive whenever its finalizers and calls run. The answer is
            // of no use here: what cannot be deleted goes with the environment.
            unsafe { sys::napi_delete_reference(self.env, reference) };
        }
    }

    /// The memory is nobody's any more, or the environment ends. Where it was moved elsewhere by then it is left alone
    /// for good, and counted as held: nobody will tell when the last look at it was.
    fn finalize(&self) {
        if self.moves && !self.buffer.get().is_null() && self.may_be_elsewhere() {
            std::mem::forget(self.storage.take());
        }
        self.close();
    }

    /// Whether the environment ends while the memory may be another buffer's. Of a buffer that was collected nothing is
    /// known then: it may have been moved before, or its finalizer may just have been about to run.
    fn may_be_elsewhere(&self) -> bool {
        let mut scope = ptr::null_mut();
        // SAFETY: the environment is alive while its finalizers run, and values are used within their scope. None of
        // these calls runs JavaScript; `napi_has_named_property` is refused where none may run.
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

    /// What became of the buffer. Its value lives no longer than this.
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
