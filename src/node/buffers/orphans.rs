//! Frees live buffers whose tables are garbage, for code that never lets the event loop turn.
//!
//! A collected buffer does not prove that its memory is unused, because the memory may have been transferred to another
//! buffer before. A buffer is therefore held until its table is garbage. Then two checks are made in one step, during
//! which no JavaScript runs: that the buffer still has its memory, and that a garbage collection finds no reference to
//! it. If both hold, nobody can access the memory any more.

use super::shown::Shown;
use crate::node::external;
use napi::sys;
use std::cell::RefCell;
use std::ffi::c_void;
use std::panic::catch_unwind;
use std::ptr;
use std::rc::Rc;
use tokenbed_memory::List;

/// This many bytes of orphans justify a garbage collection of their own.
pub(crate) const WORTH: usize = 256 << 20;

/// The orphans of a thread, and the growth factor after which they are examined again. The factor increases after an
/// examination that freed nothing.
struct Orphans {
    all: Vec<Rc<Shown>>,
    times: usize,
}

thread_local! {
    static ORPHANS: RefCell<Orphans> = const { RefCell::new(Orphans { all: Vec::new(), times: 1 }) };
}

/// Runs `run` on the orphans; returns None while the thread is ending.
fn with<R>(run: impl FnOnce(&mut Orphans) -> R) -> Option<R> {
    ORPHANS.try_with(|orphans| orphans.try_borrow_mut().ok().map(|mut orphans| run(&mut orphans))).ok().flatten()
}

/// Adds a buffer whose table is garbage.
pub(super) fn enter(shown: Rc<Shown>) {
    let entered = external::is_ahead()
        && shown.is_held()
        && with(|orphans| {
            let enters =
                orphans.all.try_reserve(1).is_ok() && (!orphans.all.is_empty() || tells_of_turn(shown.environment()));
            if enters {
                orphans.all.put(Rc::clone(&shown));
            }
            enters
        }) == Some(true);
    if !entered {
        shown.let_go();
    }
}

/// Creates garbage whose finalizer releases the orphans when the event loop turns. Returns whether that worked.
fn tells_of_turn(env: sys::napi_env) -> bool {
    let (mut scope, mut object) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: the environment is alive, because it is calling or finalizing; the finalizer does not read the pointer it
    // is given.
    unsafe {
        if sys::napi_open_handle_scope(env, &mut scope) != sys::Status::napi_ok {
            return false;
        }
        let (nothing, finalizer) = (ptr::null_mut(), Some(turned as _));
        let made = sys::napi_create_object(env, &mut object) == sys::Status::napi_ok
            && sys::napi_add_finalizer(env, object, nothing, finalizer, nothing, ptr::null_mut())
                == sys::Status::napi_ok;
        sys::napi_close_handle_scope(env, scope);
        made
    }
}

unsafe extern "C" fn turned(_env: sys::napi_env, _data: *mut c_void, _hint: *mut c_void) {
    // A panic leaks memory and does nothing else.
    let _ = catch_unwind(finalizers_run);
}

/// The event loop turns: the garbage collector takes the buffers, and their finalizers free the memory.
pub(crate) fn finalizers_run() {
    let all = with(|orphans| {
        orphans.times = 1;
        std::mem::take(&mut orphans.all)
    });
    all.into_iter().flatten().for_each(|shown| shown.let_go());
}

/// Frees the memory of orphans that nobody can access, if they have at least `least` bytes.
pub(crate) fn free_orphans(env: sys::napi_env, least: usize) {
    let due = with(|orphans| {
        let bytes: usize =
            orphans.all.iter().filter(|shown| shown.environment() == env).map(|shown| shown.bytes()).sum();
        (bytes >= least.saturating_mul(orphans.times)).then(|| std::mem::take(&mut orphans.all))
    });
    let Some(all) = due.flatten() else { return };
    // Orphans of other environments are left to the garbage collector.
    let (mut all, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|shown| shown.environment() == env);
    others.iter().for_each(|shown| shown.let_go());
    let before = all.len();
    // A collection that had already begun may have seen a buffer held; the second one cannot have.
    for _ in 0..2 {
        all.retain(|shown| shown.let_go_attached());
        external::press(env);
        all.retain(|shown| !shown.close_collected());
        if all.len() < before {
            break;
        }
    }
    with(|orphans| {
        orphans.times = if all.len() < before { 1 } else { orphans.times.saturating_mul(2) };
        orphans.all = all;
    });
}
