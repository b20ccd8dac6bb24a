//! scores: every row of a table against one vector, and every row against itself, from which similarities are made.
//!
//! ```text
//! for r in 0..len: for d in 0..dim:
//!     stored = as it lies in the row, x = its value                 stored * scale + bias, rounded once, where rows have them
//!     Dots      scores[r] = sum of stored * query[d]
//!     Distances scores[r] = sum of (query[d] - x)^2
//!     squares[r]          = sum of x^2, if it is asked for
//!     Dots of values      scores[r] = Dots * scale + bias * (sum of query), each operation rounded
//! ```
//!
//! Each sum has lanes of 16 by fused multiply-add: element d belongs to lane d mod 16, which sums in its order; the
//! lanes are halved as for `row_dots`. `panel_scores` sums in the same order, so that a row has the same score whether
//! it meets one vector or many. The rows are read once, and the bits are the same on every instruction set.

use super::row_dots::halved;
use crate::dispatch::{Kernels, arms};
use crate::lanes::BLOCK;
use crate::lanes::narrow::NarrowLanes;
use crate::ops::lookup::quantize::sample;
use crate::probe::{DIMS, Framed, Probe, ROWS, Results, numbers};
use crate::rows::decode::{BFloat16, Float16, Float32, Format, Int4, Int8, Scale};
use crate::rows::format::{RowFormat, RowTable};
use crate::rows::total;

/// What is summed for a row and a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// The dot product. Rows of integers with a scale and a bias enter as they are stored: of their product follows
    /// `scale * product + bias * (sum of the vector)`.
    Dots,
    /// The square of the distance, from the values of the row.
    Distances,
}

/// How the rows of a search lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// As in a table, of any layout that is not decoded first.
    Table(RowFormat),
    /// Signed bytes, without a scale.
    Signed,
}

/// The rows of one call, end to end.
#[derive(Clone, Copy, Debug)]
pub struct ScoredRows<'a> {
    /// The bytes, at any alignment.
    pub bytes: &'a [u8],
    /// How they lie.
    pub layout: Layout,
    /// The number of bytes in a row.
    pub row_bytes: usize,
}

/// The raw arguments of the op. Their contract, which [`Kernels::scores_of`] checks: `rows` points at `len` rows of
/// `row_bytes`, which hold `dim` elements as `layout` says; `query` at `dim` elements; `scores` at `len`, and `squares`
/// at `len` or it is null. Both overlap nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawScores {
    rows: *const u8,
    layout: Layout,
    row_bytes: usize,
    len: usize,
    dim: usize,
    query: *const f32,
    measure: Measure,
    scores: *mut f32,
    squares: *mut f32,
    /// The sum of the vector, where dot products are those of the values.
    query_sum: Option<f32>,
}

arms!(SCORES: fn(op: RawScores), body<L>, reference);

impl Kernels {
    /// For each row of f32, with as many elements as `query`: its dot product with `query`, and with itself unless
    /// `squares` is empty.
    ///
    /// # Panics
    /// If the slices have other sizes, which is a bug in the caller.
    pub fn scores(self, rows: &[f32], query: &[f32], dots: &mut [f32], squares: &mut [f32]) {
        // SAFETY: every f32 is four bytes.
        let bytes = unsafe { std::slice::from_raw_parts(rows.as_ptr().cast(), size_of_val(rows)) };
        let rows = ScoredRows { bytes, layout: Layout::Table(RowFormat::Float32), row_bytes: size_of_val(query) };
        self.scores_of(rows, query, Measure::Dots, dots, (!squares.is_empty()).then_some(squares));
    }

    /// For each row: its dot product with `query`, or the square of its distance, and its dot product with itself.
    ///
    /// # Panics
    /// If the slices have other sizes, or for rows that are decoded first, which is a bug in the caller.
    pub fn scores_of(
        self,
        rows: ScoredRows<'_>,
        query: &[f32],
        measure: Measure,
        scores: &mut [f32],
        squares: Option<&mut [f32]>,
    ) {
        self.scores_with(rows, query, measure, scores, squares, None);
    }

    /// For each row: the dot product of its values with `query`, whose elements sum to `query_sum`, and its dot product
    /// with itself. [`dot_of_values`] makes it of what [`Kernels::scores_of`] sums.
    ///
    /// # Panics
    /// If the slices have other sizes, or for rows that are decoded first, which is a bug in the caller.
    pub fn dots_of_values(
        self,
        rows: ScoredRows<'_>,
        query: &[f32],
        query_sum: f32,
        scores: &mut [f32],
        squares: Option<&mut [f32]>,
    ) {
        self.scores_with(rows, query, Measure::Dots, scores, squares, Some(query_sum));
    }

    fn scores_with(
        self,
        rows: ScoredRows<'_>,
        query: &[f32],
        measure: Measure,
        scores: &mut [f32],
        squares: Option<&mut [f32]>,
        query_sum: Option<f32>,
    ) {
        let (len, dim) = (scores.len(), query.len());
        let row_bytes = match rows.layout {
            Layout::Table(format) if format.is_decoded() => None,
            Layout::Table(format) => format.row_bytes(dim),
            Layout::Signed => Some(dim),
        };
        assert!(row_bytes == Some(rows.row_bytes), "scores: rows of another length");
        assert!(len.checked_mul(rows.row_bytes) == Some(rows.bytes.len()), "scores: another number of rows");
        assert!(squares.as_ref().is_none_or(|squares| squares.len() == len), "scores: as many squares as scores");
        let op = RawScores {
            rows: rows.bytes.as_ptr(),
            layout: rows.layout,
            row_bytes: rows.row_bytes,
            len,
            dim,
            query: query.as_ptr(),
            measure,
            scores: scores.as_mut_ptr(),
            squares: squares.map_or(std::ptr::null_mut(), <[f32]>::as_mut_ptr),
            query_sum,
        };
        // SAFETY: the sizes were just checked, a `&mut` overlaps nothing, and `self` proves that its
        // instruction set runs here.
        unsafe { SCORES.on(self)(op) }
    }
}

/// The dot product with the values of a row, of that with what is stored and of the sum of the vector.
#[inline(always)]
pub fn dot_of_values(dot: f32, scale: f32, bias: f32, query_sum: f32) -> f32 {
    dot * scale + bias * query_sum
}

/// Bytes to prefetch ahead, because the machine itself does not prefetch across pages.
const AHEAD: usize = 4096;

/// Signed bytes.
struct Signed;

impl<L: NarrowLanes> Format<L, 1> for Signed {
    const UNIT: usize = 1;
    const SCALED: bool = false;

    #[inline(always)]
    unsafe fn scale(_row: *const u8, _dim: usize) -> Scale {
        Scale { scale: 1.0, bias: 0.0 }
    }

    #[inline(always)]
    unsafe fn load(at: *const u8) -> [L; 1] {
        // SAFETY: as the caller promises.
        unsafe { [L::load_i8(at)] }
    }
}

impl Layout {
    /// The stored element in a column, and its value.
    ///
    /// # Safety
    /// `column` is below `dim`, the length of the row that begins at `row`.
    #[inline(always)]
    unsafe fn element(self, row: *const u8, column: usize, dim: usize) -> (f32, f32) {
        // SAFETY: as the caller promises.
        unsafe {
            match self {
                Layout::Table(format) => {
                    let stored = format.stored(row, column);
                    (stored, format.value(row, column, format.scale(row, dim)))
                }
                Layout::Signed => {
                    let stored = f32::from(*row.add(column).cast::<i8>());
                    (stored, stored)
                }
            }
        }
    }
}

/// The reference, which defines the result.
unsafe fn reference(op: RawScores) {
    for r in 0..op.len {
        let (mut scores, mut squares) = ([0.0f32; BLOCK], [0.0f32; BLOCK]);
        for d in 0..op.dim {
            // SAFETY: the contract of `RawScores`.
            let ((stored, x), q) =
                unsafe { (op.layout.element(op.rows.add(r * op.row_bytes), d, op.dim), *op.query.add(d)) };
            let lane = d % BLOCK;
            scores[lane] = match op.measure {
                Measure::Dots => stored.mul_add(q, scores[lane]),
                Measure::Distances => (q - x).mul_add(q - x, scores[lane]),
            };
            squares[lane] = x.mul_add(x, squares[lane]);
        }
        // SAFETY: the contract of `RawScores`.
        unsafe {
            *op.scores.add(r) = match (op.query_sum, op.layout) {
                (Some(query_sum), Layout::Table(format @ (RowFormat::Int8 | RowFormat::Int4))) => {
                    let Scale { scale, bias } = format.scale(op.rows.add(r * op.row_bytes), op.dim);
                    dot_of_values(total::halved(scores), scale, bias, query_sum)
                }
                _ => total::halved(scores),
            };
            if !op.squares.is_null() {
                *op.squares.add(r) = total::halved(squares);
            }
        }
    }
}

/// # Safety
/// The contract of [`RawScores`], on a machine that has `L`'s instruction set.
#[inline(always)]
unsafe fn body<L: NarrowLanes>(op: RawScores) {
    // SAFETY: as the caller promises.
    unsafe {
        match op.layout {
            Layout::Table(RowFormat::Float32) => measured::<L, Float32, 1>(op),
            Layout::Table(RowFormat::Float16) => measured::<L, Float16, 1>(op),
            Layout::Table(RowFormat::BFloat16) => measured::<L, BFloat16, 1>(op),
            Layout::Table(RowFormat::Int8) => measured::<L, Int8, 1>(op),
            Layout::Table(RowFormat::Int4) => measured::<L, Int4, 2>(op),
            // The contract excludes layouts that are decoded first.
            Layout::Table(RowFormat::Int2 | RowFormat::Float8 | RowFormat::Blocks(_)) => {}
            Layout::Signed => measured::<L, Signed, 1>(op),
        }
    }
}

/// What is summed, as a constant: `DOTS`, `DOTS_AND_SQUARES`, or distances, whose squares are summed where asked for.
const DOTS: u8 = 0;
const DOTS_AND_SQUARES: u8 = 1;
const DISTANCES: u8 = 2;

#[inline(always)]
unsafe fn measured<L: NarrowLanes, F: Format<L, N>, const N: usize>(op: RawScores) {
    // SAFETY: as the caller promises.
    unsafe {
        match (op.measure, op.squares.is_null()) {
            (Measure::Dots, true) => rows::<L, F, N, DOTS>(&op),
            (Measure::Dots, false) => rows::<L, F, N, DOTS_AND_SQUARES>(&op),
            (Measure::Distances, true) => rows::<L, F, N, DISTANCES>(&op),
            (Measure::Distances, false) => {
                rows::<L, F, N, DISTANCES>(&op);
                norms::<L, F, N>(&RawScores { scores: op.squares, ..op });
            }
        }
    }
}

/// The squares alone, in `scores`.
#[inline(always)]
unsafe fn norms<L: NarrowLanes, F: Format<L, N>, const N: usize>(op: &RawScores) {
    // SAFETY: as the caller promises.
    unsafe {
        let mut r = 0;
        while r < op.len {
            let (_, squares) = row::<L, F, N, DOTS_AND_SQUARES>(op, op.rows.add(r * op.row_bytes));
            *op.scores.add(r) = halved(squares);
            r += 1;
        }
    }
}

#[inline(always)]
unsafe fn rows<L: NarrowLanes, F: Format<L, N>, const N: usize, const WHAT: u8>(op: &RawScores) {
    // SAFETY: as the caller promises.
    unsafe {
        let mut r = 0;
        while r < op.len {
            let at = op.rows.add(r * op.row_bytes);
            let (scores, squares) = row::<L, F, N, WHAT>(op, at);
            let mut score = halved(scores);
            if F::SCALED
                && WHAT != DISTANCES
                && let Some(query_sum) = op.query_sum
            {
                let Scale { scale, bias } = F::scale(at, op.dim);
                score = dot_of_values(score, scale, bias, query_sum);
            }
            *op.scores.add(r) = score;
            if WHAT == DOTS_AND_SQUARES {
                *op.squares.add(r) = halved(squares);
            }
            r += 1;
        }
    }
}

/// The maximal number of vectors that hold 16 lanes.
const VECTORS: usize = BLOCK / 4;

/// The most columns that are read together: two wide vectors of nibbles hold two blocks.
const MOST: usize = 2 * BLOCK;

/// The lanes of both sums of the row that begins at `row`.
///
/// # Safety
/// The contract; the machine has `L`'s instruction set.
#[inline(always)]
unsafe fn row<L: NarrowLanes, F: Format<L, N>, const N: usize, const WHAT: u8>(
    op: &RawScores,
    row: *const u8,
) -> ([L; VECTORS], [L; VECTORS]) {
    // SAFETY: as the caller promises; every index stays below `dim`, or within the buffers for what is behind the last
    // whole columns.
    unsafe {
        let together = if N * L::WIDTH > BLOCK { N * L::WIDTH } else { BLOCK };
        let whole = op.dim - op.dim % together;
        let mut sums = Sums::<L> {
            scale: F::scale(row, op.dim),
            scores: [L::splat(0.0); VECTORS],
            squares: [L::splat(0.0); VECTORS],
        };
        let mut at = 0;
        while at < whole {
            let from = row.add(at * F::UNIT / N);
            L::prefetch(from.wrapping_add(AHEAD).cast());
            columns::<L, F, N, WHAT, false>(from, op.query.add(at), [].as_ptr(), &mut sums);
            at += together;
        }
        if whole < op.dim {
            // The rest, filled up with zeros, and masked where the value of a stored 0 is not 0. Zeros leave a sum
            // unchanged: it began with 0 and so is never -0.
            let rest = op.dim - whole;
            let (mut last, mut query, mut kept) = ([0u8; 4 * MOST], [0.0f32; MOST], [0u32; MOST]);
            let bytes = (rest * F::UNIT).div_ceil(N);
            std::ptr::copy_nonoverlapping(row.add(whole * F::UNIT / N), last.as_mut_ptr(), bytes);
            std::ptr::copy_nonoverlapping(op.query.add(whole), query.as_mut_ptr(), rest);
            let mut d = 0;
            while d < rest {
                kept[d] = u32::MAX;
                d += 1;
            }
            columns::<L, F, N, WHAT, true>(last.as_ptr(), query.as_ptr(), kept.as_ptr(), &mut sums);
        }
        (sums.scores, sums.squares)
    }
}

/// The scale of a row, and the lanes of its sums.
struct Sums<L> {
    scale: Scale,
    scores: [L; VECTORS],
    squares: [L; VECTORS],
}

/// Adds a block of columns, or two.
///
/// # Safety
/// So many columns may be read at `from`, at `query` and, if `MASKED`, at `kept`; the machine has `L`'s instruction
/// set.
#[inline(always)]
unsafe fn columns<L: NarrowLanes, F: Format<L, N>, const N: usize, const WHAT: u8, const MASKED: bool>(
    from: *const u8,
    query: *const f32,
    kept: *const u32,
    sums: &mut Sums<L>,
) {
    // SAFETY: as the caller promises.
    unsafe {
        let (scale, bias) = (L::splat(sums.scale.scale), L::splat(sums.scale.bias));
        let mut at = 0;
        while at < BLOCK || at < N * L::WIDTH {
            let mut loaded = F::load(from.add(at * F::UNIT / N));
            if N == 2 {
                let pair = L::interleave(loaded[0], loaded[N - 1]);
                loaded[0] = pair[0];
                loaded[N - 1] = pair[1];
            }
            let mut n = 0;
            while n < N {
                let mut stored = loaded[n];
                let mut x = if F::SCALED && WHAT != DOTS { stored.mul_add(scale, bias) } else { stored };
                if MASKED {
                    let mask = L::load_ints(kept.add(at));
                    stored = L::from_bits(L::and(stored.to_bits(), mask));
                    x = L::from_bits(L::and(x.to_bits(), mask));
                }
                let v = at % BLOCK / L::WIDTH;
                step::<L, WHAT>(stored, x, L::load(query.add(at)), &mut sums.scores[v], &mut sums.squares[v]);
                at += L::WIDTH;
                n += 1;
            }
        }
    }
}

#[inline(always)]
unsafe fn step<L: NarrowLanes, const WHAT: u8>(stored: L, x: L, q: L, score: &mut L, square: &mut L) {
    // SAFETY: the caller runs on a machine with `L`'s instruction set.
    unsafe {
        if WHAT == DISTANCES {
            let apart = q.sub(x);
            *score = apart.mul_add(apart, *score);
        } else {
            *score = stored.mul_add(q, *score);
        }
        if WHAT == DOTS_AND_SQUARES {
            *square = x.mul_add(x, *square);
        }
    }
}

pub(crate) const PROBE: Probe = Probe { name: "scores", line: "scores", sizes: &DIMS, run: probe };

fn probe(kernels: Kernels, dim: usize, results: &mut Results) {
    let query = numbers(dim, 109);
    let mut take = |rows: ScoredRows<'_>, measure, squared: bool| {
        let [mut scores, mut squares] = [0, 1].map(|_| Framed::room(ROWS));
        kernels.scores_of(rows, &query, measure, &mut scores, squared.then_some(&mut squares));
        results.take(&scores);
        if squared {
            results.take(&squares);
        }
    };
    let signed: Vec<u8> = numbers(ROWS * dim, 107).iter().map(|x| (x * 127.0) as i8 as u8).collect();
    for measure in [Measure::Dots, Measure::Distances] {
        for squared in [false, true] {
            for format in RowFormat::ALL.into_iter().filter(|format| !format.is_decoded()) {
                let bytes = sample(format, ROWS, dim);
                let table = RowTable::new(format, &bytes, ROWS, dim);
                let row_bytes = table.map_or(0, |table| table.row_bytes());
                take(ScoredRows { bytes: &bytes, layout: Layout::Table(format), row_bytes }, measure, squared);
            }
            take(ScoredRows { bytes: &signed, layout: Layout::Signed, row_bytes: dim }, measure, squared);
        }
    }
    for format in [RowFormat::Int8, RowFormat::Int4] {
        let bytes = sample(format, ROWS, dim);
        let row_bytes = format.row_bytes(dim).unwrap_or(0);
        let rows = ScoredRows { bytes: &bytes, layout: Layout::Table(format), row_bytes };
        for squared in [false, true] {
            let [mut scores, mut squares] = [0, 1].map(|_| Framed::room(ROWS));
            kernels.dots_of_values(rows, &query, 0.75, &mut scores, squared.then_some(&mut squares));
            results.take(&scores);
            results.take(&squares);
        }
    }
}
