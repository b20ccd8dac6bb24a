//! Writes one row of a result; every op that writes rows shares this.

use super::store::{Store, prefetch_distance};
use crate::lanes::{BLOCK, Lanes};

/// The source of a row's elements. It is a trait because closures do not inherit the instruction set of the function
/// they are inlined into, if the compiler decides not to inline them.
pub(crate) trait RowSource<L: Lanes>: Copy {
    /// The `WIDTH` elements beginning at `at`.
    ///
    /// # Safety
    /// `at + WIDTH` is at most the row's length, on a machine that has `L`'s instruction set.
    unsafe fn vector(self, at: usize) -> L;
    /// The element at `at`.
    ///
    /// # Safety
    /// `at` is below the row's length.
    unsafe fn element(self, at: usize) -> f32;
    /// Prefetches what will be needed some rows later, beginning at `at`.
    ///
    /// # Safety
    /// `at` is below the row's length, on a machine that has `L`'s instruction set.
    unsafe fn prefetch(self, at: usize);
}

/// A row that is in the caches or read in order, so that nothing is prefetched.
#[derive(Clone, Copy)]
pub(crate) struct Plain(pub(crate) *const f32);

impl<L: Lanes> RowSource<L> for Plain {
    #[inline(always)]
    unsafe fn vector(self, at: usize) -> L {
        // SAFETY: as the caller promises.
        unsafe { L::load(self.0.add(at)) }
    }

    #[inline(always)]
    unsafe fn element(self, at: usize) -> f32 {
        // SAFETY: as the caller promises.
        unsafe { *self.0.add(at) }
    }

    #[inline(always)]
    unsafe fn prefetch(self, _: usize) {}
}

/// The rows of a result, in order.
pub(crate) trait Rows<L: Lanes> {
    /// The type of a row's source.
    type Source: RowSource<L>;
    /// The source of row `i`; `later` is the row to prefetch.
    ///
    /// # Safety
    /// Called for 0, 1, 2 ... below the number of rows, in order; `later` is below it.
    unsafe fn row(&mut self, i: usize, later: usize) -> Self::Source;
}

/// A result to write: `len` rows of `dim` elements, beginning at `out`.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    pub(crate) out: *mut f32,
    pub(crate) len: usize,
    pub(crate) dim: usize,
    pub(crate) store: Store,
}

/// Writes all rows, with the target's way of storing.
///
/// # Safety
/// The target is valid for its writes and does not overlap what `rows` reads, and `rows` has as many rows of the same
/// length; the machine has `L`'s instruction set.
#[inline(always)]
pub(crate) unsafe fn write_rows<L: Lanes, R: Rows<L>>(target: Target, mut rows: R) {
    let Target { out, len, dim, store } = target;
    let ahead = prefetch_distance(dim);
    let streaming = store == Store::Streaming && dim >= StreamedRows::LEAST_DIM;
    let mut streamed = StreamedRows::new(out, dim);
    for i in 0..len {
        // SAFETY: as the caller promises; both indices are below `len`.
        unsafe {
            let source = rows.row(i, (i + ahead).min(len - 1));
            if streaming {
                streamed.write::<L, _>(source);
            } else {
                write_row::<L, _>(out.add(i * dim), dim, source);
            }
        }
    }
    if streaming {
        // SAFETY: all rows were written.
        unsafe { streamed.end::<L>() }
    }
}

/// Writes one row of `dim` elements at `out`, through the caches.
///
/// Elements may be computed and written twice, because the last vector of a row overlaps the one before it.
///
/// # Safety
/// `out` is valid for `dim` writes and does not overlap what `source` reads, which has `dim` elements; the machine has
/// `L`'s instruction set.
#[inline(always)]
unsafe fn write_row<L: Lanes, S: RowSource<L>>(out: *mut f32, dim: usize, source: S) {
    // SAFETY: every index stays below `dim`.
    unsafe {
        let mut at = 0;
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

/// Rows written in sequence past the caches, in whole cache lines.
///
/// Rows rarely start at a cache line (Node's large buffers begin at 16 mod 64), and an ordinary store into a line whose
/// neighbours are streamed costs more than streaming gains. A line that two rows share is therefore put together here
/// and streamed whole; only the first and the last line of all are stored in part.
struct StreamedRows {
    next: *mut f32,
    dim: usize,
    line: Line,
    /// The number of elements in `line` that wait for the next row.
    waiting: usize,
}

#[repr(align(64))]
struct Line([f32; BLOCK]);

impl StreamedRows {
    /// Streaming does not pay for rows shorter than two cache lines.
    const LEAST_DIM: usize = 2 * BLOCK;

    /// Rows of `dim` elements, beginning at `out`; `dim` is at least [`StreamedRows::LEAST_DIM`].
    #[inline(always)]
    fn new(out: *mut f32, dim: usize) -> Self {
        Self { next: out, dim, line: Line([0.0; BLOCK]), waiting: 0 }
    }

    /// Writes the next row.
    ///
    /// # Safety
    /// As for [`write_row`] with the next row; `end` is called after the last one.
    #[inline(always)]
    unsafe fn write<L: Lanes, S: RowSource<L>>(&mut self, source: S) {
        let (out, dim) = (self.next, self.dim);
        // SAFETY: every index stays below `dim`, and lines stay within what was or is being written; whole lines are
        // aligned.
        unsafe {
            self.next = out.add(dim);
            let head = out.align_offset(size_of::<Line>()).min(dim);
            let mut at = 0;
            if self.waiting > 0 {
                while at < head {
                    self.line.0[self.waiting + at] = source.element(at);
                    at += 1;
                }
                stream_line::<L>(self.line.0.as_ptr(), out.add(head).sub(BLOCK));
            }
            while at < head {
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
            self.waiting = dim - at;
            if at < dim {
                source.prefetch(at);
            }
            let mut i = 0;
            while at + i < dim {
                self.line.0[i] = source.element(at + i);
                i += 1;
            }
        }
    }

    /// Stores the waiting elements, and orders all stores before what follows.
    ///
    /// # Safety
    /// As for [`StreamedRows::write`].
    #[inline(always)]
    unsafe fn end<L: Lanes>(self) {
        // SAFETY: the waiting elements are the last of the row before `next`.
        unsafe {
            let to = self.next.sub(self.waiting);
            let mut i = 0;
            while i < self.waiting {
                *to.add(i) = self.line.0[i];
                i += 1;
            }
            L::fence();
        }
    }
}

#[inline(always)]
unsafe fn stream_line<L: Lanes>(line: *const f32, to: *mut f32) {
    let mut lane = 0;
    while lane < BLOCK {
        // SAFETY: the caller promises that both are whole lines, `to` aligned.
        unsafe { L::load(line.add(lane)).stream(to.add(lane)) };
        lane += L::WIDTH;
    }
}
