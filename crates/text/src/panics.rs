//! Turns panics of other code into errors, without printing anything to the standard error output.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Once;
use tokenbed_memory::OutOfMemory;

thread_local! {
    /// Number of callers on this thread that catch a panic.
    static AWAITED: Cell<usize> = const { Cell::new(0) };
    /// Place of the last panic.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

static HOOK: Once = Once::new();

/// Why work did not finish.
#[derive(Debug)]
pub enum Ended {
    /// There was no memory.
    OutOfMemory(OutOfMemory),
    /// It panicked: the message, with the place in the code.
    Panic(String),
}

/// Runs work that may panic; a panic becomes its message. If there is no memory, the unwinding continues, and whoever
/// began the call makes an error of it.
pub fn caught<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    ended(run).map_err(|why| match why {
        Ended::OutOfMemory(refused) => refused.unwind(),
        Ended::Panic(message) => message,
    })
}

/// Runs work that may panic or find no memory. Nothing is printed for its panics; other panics are reported as
/// before.
///
/// # Errors
/// The reason why it did not finish.
pub fn ended<T>(run: impl FnOnce() -> T) -> Result<T, Ended> {
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            if !is_awaited(info) {
                before(info)
            }
        }));
    });
    // The thread-local is looked up once, because that is a function call in a library that was loaded later.
    let result = AWAITED.with(|awaited| {
        awaited.set(awaited.get() + 1);
        // Unwind safe: callers learn of the panic, and do not use anything that it left half done.
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

/// Whether a caller catches this panic and reports it.
fn is_awaited(info: &PanicHookInfo<'_>) -> bool {
    let awaited = AWAITED.try_with(Cell::get).is_ok_and(|count| count > 0);
    if awaited {
        let place = info.location().map(|at| shown(at.file(), at.line(), at.column()));
        let _ = PLACE.try_with(|last| last.replace(place));
    }
    awaited
}

/// A place in the code. The folders of the machine that built a crate of others are left out.
fn shown(file: &str, line: u32, column: u32) -> String {
    // What follows is a folder for the registry, and then the crate's.
    let of_crate = ["/registry/src/", r"\registry\src\"].iter().find_map(|folder| file.split_once(folder));
    let within = of_crate.and_then(|(_, rest)| rest.split_once(['/', '\\']));
    format!("{}:{line}:{column}", within.map_or(file, |(_, path)| path))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text =
        panic.downcast_ref::<&str>().map(ToString::to_string).or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without a message".into())
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn places_do_not_name_folders_of_the_machine_that_built() {
        let unix = "/cargo/registry/src/index-1949cf8c/tokenizers-0.23.2/src/models/bpe/model.rs";
        assert_eq!(shown(unix, 7, 9), "tokenizers-0.23.2/src/models/bpe/model.rs:7:9");
        let windows = r"D:\cargo\registry\src\index-1949cf8c\tokenizers-0.23.2\src\lib.rs";
        assert_eq!(shown(windows, 1, 2), r"tokenizers-0.23.2\src\lib.rs:1:2");
        assert_eq!(shown("crates/text/src/panics.rs", 3, 4), "crates/text/src/panics.rs:3:4");
    }
}
