//! The small vector trait that generic bodies are written on: one implementation per instruction set, in `arch/`.
//!
//! Every method is `unsafe` for one reason: the caller must run on a machine that has the instruction set. Methods
//! that take pointers add the pointer's own duty. All are `#[inline(always)]`, so that they melt into the
//! `#[target_feature]` wrapper that instantiates the body.

pub(crate) mod math;
pub(crate) mod narrow;

/// A vector of `WIDTH` f32.
pub(crate) trait Lanes: Copy {
    /// Elements in one vector; a divisor of [`BLOCK`].
    const WIDTH: usize;
    /// Reads `WIDTH` elements, at any alignment.
    unsafe fn load(from: *const f32) -> Self;
    /// Writes `WIDTH` elements, at any alignment.
    unsafe fn store(self, to: *mut f32);
    /// Writes `WIDTH` elements past the caches; `to` is aligned to the vector's size. Ordinary where there is no such
    /// instruction. Weakly ordered: [`Lanes::fence`] before anybody else reads.
    unsafe fn stream(self, to: *mut f32);
    /// Orders streamed stores before everything after.
    unsafe fn fence();
    /// Asks for the cache line at `at`, which may be any address.
    unsafe fn prefetch(at: *const f32);
    /// Lanewise sum, rounded as IEEE says.
    unsafe fn add(self, other: Self) -> Self;
}

/// f32 in a cache line: the step of generic bodies.
pub(crate) const BLOCK: usize = 16;
