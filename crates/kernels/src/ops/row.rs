//! One row of a result: what every op that writes rows shares.

use crate::lanes::{BLOCK, Lanes};

/// Where the elements of a row come from. A trait rather than closures: closures do not inherit the instruction set of
/// the function they are inlined into when the compiler decides not to inline them.
pub(crate) trait RowSource<L: Lanes>: Copy {
    /// The `WIDTH` elements from `at` on.
    ///
    /// # Safety
    /// `at + WIDTH` is at most the row's length, on a machine that has `L`'s instruction set.
    unsafe fn vector(self, at: usize) -> L;
    /// The element at `at`.
    ///
    /// # Safety
    /// `at` is below the row's length.
    unsafe fn element(self, at: usize) -> f32;
    /// Asks for what will be needed from `at` on, some rows later.
    ///
    /// # Safety
    /// `at` is below the row's length, on a machine that has `L`'s instruction set.
    unsafe fn prefetch(self, at: usize);
}

/// Writes one row of `dim` elements at `out`, past the caches if `STREAM`.
///
/// Elements may be computed and written twice (the last vector of a row overlaps the one before it).
///
/// # Safety
/// `out` is valid for `dim` writes and is not what `source` reads, which has `dim` elements; the machine has `L`'s
/// instruction set.
#[inline(always)]
pub(crate) unsafe fn write_row<L: Lanes, S: RowSource<L>, const STREAM: bool>(out: *mut f32, dim: usize, source: S) {
    // SAFETY: every index stays below `dim`; streamed stores start at a multiple of the cache line.
    unsafe {
        let mut at = 0;
        if STREAM && dim >= 2 * BLOCK {
            // Peel to the next cache line: Node's large buffers sit at 16 mod 64.
            let peel = out.align_offset(BLOCK * size_of::<f32>());
            if peel < BLOCK {
                while at < peel {
                    *out.add(at) = source.element(at);
                    at += 1;
                }
                while at + BLOCK <= dim {
                    source.prefetch(at);
                    let mut lane = 0;
                    while lane < BLOCK {
                        source.vector(at + lane).stream(out.add(at + lane));
                        lane += L::WIDTH;
                    }
                    at += BLOCK;
                }
            }
        }
        while at + BLOCK <= dim {
            source.prefetch(at);
            let mut lane = 0;
            while lane < BLOCK {
                source.vector(at + lane).store(out.add(at + lane));
                lane += L::WIDTH;
            }
            at += BLOCK;
        }
        if at == dim {
            return;
        }
        source.prefetch(at);
        while at + L::WIDTH <= dim {
            source.vector(at).store(out.add(at));
            at += L::WIDTH;
        }
        if at < dim && dim >= L::WIDTH {
            source.vector(dim - L::WIDTH).store(out.add(dim - L::WIDTH));
        } else {
            while at < dim {
                *out.add(at) = source.element(at);
                at += 1;
            }
        }
    }
}
