//! Collections whose size depends on input. If there is no memory for one, the call that needs it ends, not the
//! process.
//!
//! The vectors of Rust's standard library end the process when the system gives no more memory. The functions here
//! ask first. If the answer is no, they unwind with an [`OutOfMemory`] as the payload, as Rust itself will once
//! `oom=panic` is stable. The unwinding passes through the threads of a pool as any panic does, and prints nothing.
//! Whoever began the call turns it into an error; the addon does so around every export. [`caught`] is for tests and
//! for callers that have something to clean up.
//!
//! `clippy.toml` forbids the methods that end the process in all crates that the addon is made of.

#![deny(unsafe_code)]

mod heap;
mod list;
mod map;
mod text;
mod texts;
mod trim;
mod zeroed;

pub use heap::Heap;
pub use list::{Gather, List, Slice, filled, with_room};
pub use map::{Map, Set, map_of};
pub use text::{Text, joined, lossy, lossy_owned, owned};
pub use texts::TextList;
pub use trim::give_back;
pub use zeroed::{Zero, zeroed};

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// The payload of the unwinding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory {
    /// Number of bytes that were requested at once; `usize::MAX` if the number is larger than that.
    pub bytes: usize,
}

impl OutOfMemory {
    /// The payload of a panic, if it is an `OutOfMemory`.
    pub fn of(panic: &(dyn Any + Send)) -> Option<Self> {
        panic.downcast_ref().copied()
    }

    /// Unwinds with this payload, which ends the call.
    #[cold]
    pub fn unwind(self) -> ! {
        resume_unwind(Box::new(self))
    }
}

/// Checks that there is memory for `bytes` at this moment, and returns `bytes`. This is for buffers of the standard
/// library and memory of V8, both of which end the process if there is none.
pub fn had(bytes: usize) -> usize {
    drop(std::hint::black_box(with_room::<u8>(bytes)));
    bytes
}

/// Ends the call because there is no memory for `count` elements of type `T`.
#[cold]
fn no_room_for<T>(count: usize) -> ! {
    OutOfMemory { bytes: count.saturating_mul(size_of::<T>()) }.unwind()
}

/// The result of `run`, or how much memory it could not have. Other panics pass through.
///
/// # Errors
/// [`OutOfMemory`] if something in `run` found no memory.
pub fn caught<T>(run: impl FnOnce() -> T) -> Result<T, OutOfMemory> {
    // Unwind safe: callers of `caught` clean up what the work left half done.
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| match OutOfMemory::of(&*panic) {
        Some(found) => found,
        None => resume_unwind(panic),
    })
}
