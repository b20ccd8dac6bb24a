//! Memory whose size depends on input: it is there, or the call that needs it ends.
//!
//! The vectors of Rust's standard library end the process where the system gives no more memory. What is here asks first, and
//! where the answer is no, it unwinds with an [`OutOfMemory`] for a payload, as Rust itself will once `oom=panic` is stable. It
//! passes the threads of a pool as any panic does, prints nothing, and whoever began the call turns it into an error: the
//! addon does so around every export. [`caught`] is for tests and for those who have something to put right.
//!
//! `clippy.toml` forbids the methods that end the process in all crates that the addon is made of.

#![deny(unsafe_code)]

mod heap;
mod list;
mod map;
mod text;
mod zeroed;

pub use heap::Heap;
pub use list::{Gather, List, Slice, filled, with_room};
pub use map::{Map, Set, map_of};
pub use text::{Text, joined, lossy, lossy_owned, owned};
pub use zeroed::{Zero, zeroed};

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// The payload of the unwinding: how many bytes could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory {
    /// How many were asked for at once; `usize::MAX` where the number is larger than that.
    pub bytes: usize,
}

impl OutOfMemory {
    /// What a panic's payload says, if it is one of these.
    pub fn of(panic: &(dyn Any + Send)) -> Option<Self> {
        panic.downcast_ref().copied()
    }

    /// Ends the call.
    #[cold]
    pub fn unwind(self) -> ! {
        resume_unwind(Box::new(self))
    }
}

/// So many bytes, which there is memory for just now: for buffers of the standard library and memory of V8, both of which end
/// the process where there is none.
pub fn had(bytes: usize) -> usize {
    drop(std::hint::black_box(with_room::<u8>(bytes)));
    bytes
}

/// Ends the call for want of `count` elements of type `T`.
#[cold]
fn no_room_for<T>(count: usize) -> ! {
    OutOfMemory { bytes: count.saturating_mul(size_of::<T>()) }.unwind()
}

/// What `run` answers, or how much memory it could not have. Other panics go on.
///
/// # Errors
/// [`OutOfMemory`] where something in `run` found no memory.
pub fn caught<T>(run: impl FnOnce() -> T) -> Result<T, OutOfMemory> {
    // Unwind safe: who asks for it looks after what the work left half done.
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| match OutOfMemory::of(&*panic) {
        Some(found) => found,
        None => resume_unwind(panic),
    })
}
