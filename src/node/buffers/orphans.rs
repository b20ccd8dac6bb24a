//! Live buffers whose tables are garbage, in code that does not let the event loop turn.
//!
//! That a buffer was collected says nothing of its memory, which may have been moved to another one before. So a buffer
//! is held until its table is garbage, and then it is seen in one go, in which no JavaScript runs: that it still has
//! its memory, and that a collection finds nobody who holds it. Then nobody looks at the memory any more.

use super::shown::Shown;
use crate::node::external;
use napi::sys;
use std::cell::RefCell;
use std::ffi::c_void;
use std::panic::catch_unwind;
use std::ptr;
use std::rc::Rc;
use tokenbed_memory::List;

/// So many bytes of orphans are worth a collection of their own.
pub(crate) const WORTH: usize = 256 << 20;

/// The orphans of a thread, and from how many times as many bytes on they are looked at: more where that was in vain.
struct Orphans {
    all: Vec<Rc<Shown>>,
    times: usize,
}

thread_local! {
    static ORPHANS: RefCell<Orphans> = const { RefCell::new(Orphans { all: Vec::new(), times: 1 }) };
}

/// What `run` makes of the orphans; nothing while the thread ends.
fn with<R>(run: impl FnOnce(&mut Orphans) -> R) -> Option<R> {
    ORPHANS.try_with(|orphans| orphans.try_borrow_mut().ok().map(|mut orphans| run(&mut orphans))).ok().flatten()
}

/// A buffer's table is garbage.
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

/// Makes garbage whose finalizer lets go of the orphans when the event loop turns; whether it did.
fn tells_of_turn(env: sys::napi_env) -> bool {
    let (mut scope, mut object) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: an environment that is alive, as it is calling or finalizing; the finalizer reads nothing of what it is
    // given.
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
    // What a panic leaves behind is memory.
    let _ = catch_unwind(finalizers_run);
}

/// The event loop turns: buffers go with the garbage collector, and their memory with their finalizers.
pub(crate) fn finalizers_run() {
    let all = with(|orphans| {
        orphans.times = 1;
        std::mem::take(&mut orphans.all)
    });
    all.into_iter().flatten().for_each(|shown| shown.let_go());
}

/// Frees the memory of orphans that nobody looks at, where there are so many bytes of it.
pub(crate) fn free_orphans(env: sys::napi_env, least: usize) {
    let due = with(|orphans| {
        let bytes: usize =
            orphans.all.iter().filter(|shown| shown.environment() == env).map(|shown| shown.bytes()).sum();
        (bytes >= least.saturating_mul(orphans.times)).then(|| std::mem::take(&mut orphans.all))
    });
    let Some(all) = due.flatten() else { return };
    // Another environment's go with the garbage collector.
    let (mut all, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|shown| shown.environment() == env);
    others.iter().for_each(|shown| shown.let_go());
    let before = all.len();
    // A collection that had begun before this may have seen a buffer held: the next one has not.
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
