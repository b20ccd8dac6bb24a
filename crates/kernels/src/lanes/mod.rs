//! The small vector trait with which generic bodies are written. Each instruction set implements it in `arch/`.
//!
//! Every method is `unsafe` because the caller must run on a machine that has the instruction set. Methods that take
//! pointers also require these to be valid. All are `#[inline(always)]`, so that they become part of the
//! `#[target_feature]` function that instantiates the body.

pub(crate) mod math;
pub(crate) mod narrow;

/// A vector of `WIDTH` f32.
pub(crate) trait Lanes: Copy {
    /// The number of elements in a vector; a divisor of [`BLOCK`].
    const WIDTH: usize;
    /// Reads `WIDTH` elements, at any alignment.
    unsafe fn load(from: *const f32) -> Self;
    /// Writes `WIDTH` elements, at any alignment.
    unsafe fn store(self, to: *mut f32);
    /// Writes `WIDTH` elements past the caches; `to` is aligned to the vector's size. Machines without such an
    /// instruction do an ordinary store. These stores are weakly ordered: call [`Lanes::fence`] before anything else
    /// reads.
    unsafe fn stream(self, to: *mut f32);
    /// Orders streamed stores before everything that follows.
    unsafe fn fence();
    /// Prefetches the cache line at `at`, which may be any address.
    unsafe fn prefetch(at: *const f32);
    /// The sum lane by lane, rounded as IEEE says.
    unsafe fn add(self, other: Self) -> Self;
}

/// The number of f32 in a cache line, which is the step of generic bodies.
pub(crate) const BLOCK: usize = 16;
