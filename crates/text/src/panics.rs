//! Panics of others, as an error: caught, and without a word on the standard error output.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Once;
use tokenbed_memory::OutOfMemory;

thread_local! {
    /// How many callers of this thread wait for a panic.
    static AWAITED: Cell<usize> = const { Cell::new(0) };
    /// Where the last one was.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

static HOOK: Once = Once::new();

/// Why work did not come to its end.
#[derive(Debug)]
pub enum Ended {
    /// It found no memory.
    OutOfMemory(OutOfMemory),
    /// A panic: its message, with the place in the code.
    Panic(String),
}

/// Runs what may panic: a panic becomes its message. What found no memory goes on unwinding, and whoever began the call makes
/// an error of it.
pub fn caught<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    ended(run).map_err(|why| match why {
        Ended::OutOfMemory(refused) => refused.unwind(),
        Ended::Panic(message) => message,
    })
}

/// Runs what may panic or find no memory. Nothing is printed; what panics elsewhere is still told by whoever told it before.
///
/// # Errors
/// Why it did not come to its end.
pub fn ended<T>(run: impl FnOnce() -> T) -> Result<T, Ended> {
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            if !is_awaited(info) {
                before(info)
            }
        }));
    });
    // One look for the thread's own, which is a call in a library that was loaded later.
    let result = AWAITED.with(|awaited| {
        awaited.set(awaited.get() + 1);
        // Unwind safe: callers learn of the panic, and look at nothing that it may have left half done.
        let result = catch_unwind(AssertUnwindSafe(run));
        awaited.set(awaited.get() - 1);
        result
    });
    result.map_err(|panic| match (OutOfMemory::of(&*panic), PLACE.take()) {
        (Some(refused), _) => Ended::OutOfMemory(refused),
        (None, Some(place)) => Ended::Panic(format!("{} ({place})", message(&*panic))),
        (None, None) => Ended::Panic(message(&*panic)),
    })
}

/// Whether somebody catches this panic, and tells of it.
fn is_awaited(info: &PanicHookInfo<'_>) -> bool {
    let awaited = AWAITED.try_with(Cell::get).is_ok_and(|count| count > 0);
    if awaited {
        let place = info.location().map(ToString::to_string);
        let _ = PLACE.try_with(|last| last.replace(place));
    }
    awaited
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text =
        panic.downcast_ref::<&str>().map(ToString::to_string).or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without a message".into())
}
