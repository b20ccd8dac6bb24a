//! The body of [`super::bag`]: each bag is computed in tiles of columns, whose sums stay in registers while its rows
//! pass.
//!
//! A row is thus read one tile at a time. With each row's tile, the same tile of a row some ids later is prefetched,
//! also in the next bags. What belongs to the next bag is then read a whole bag later, from the second-level cache.
//! This is just as fast, and avoids a separate walk that prefetches everything in the order of use. Counting lines in a
//! loop, or keeping the state of such a walk, cost a third of the speed of f32: prefetching has to be almost free.

use super::bag_raw::{Members, Mode, RawBag};
use super::decoded_bags;
use crate::lanes::narrow::NarrowLanes;
use crate::rows::decode::{BFloat16, Float16, Float32, Format, Int4, Int8, Scale};
use crate::rows::format::{OutFormat, RowFormat};

/// Bytes to prefetch ahead: memory answers before the sums get there, and the first-level cache still holds them. Half
/// as many cost int8 a third of its speed.
const AHEAD_BYTES: usize = 16384;
/// The maximal number of rows to prefetch ahead.
const AHEAD_ROWS: usize = 64;
/// The maximal size of a scale and a bias.
const SCALE_BYTES: usize = 8;
/// The bytes of a cache line.
const LINE: usize = 64;
/// The largest number of steps of a tile.
const MOST_STEPS: usize = 24;

/// # Safety
/// The contract of [`RawBag`], on a machine that has `L`'s instruction set.
#[inline(always)]
pub(crate) unsafe fn body<L: NarrowLanes>(op: RawBag) {
    // SAFETY: as the caller promises.
    unsafe {
        match op.format {
            RowFormat::Float32 => bags::<L, Float32, 1>(op),
            RowFormat::Float16 => bags::<L, Float16, 1>(op),
            RowFormat::BFloat16 => bags::<L, BFloat16, 1>(op),
            RowFormat::Int8 => bags::<L, Int8, 1>(op),
            RowFormat::Int4 => bags::<L, Int4, 2>(op),
            RowFormat::Int2 | RowFormat::Float8 | RowFormat::Blocks(_) => decoded_bags::body::<L>(op),
        }
    }
}

#[inline(always)]
unsafe fn bags<L: NarrowLanes, F: Format<L, N>, const N: usize>(op: RawBag) {
    // SAFETY: as the caller promises.
    unsafe { if op.mode == Mode::Max { each::<L, F, N, true>(&op) } else { each::<L, F, N, false>(&op) } }
}

/// Writes out the body for each step of a tile, or for each of its lines, of which there are no more. Loops that the
/// compiler unrolls late leave the sums in memory (measured: half the speed).
macro_rules! each_step {
    ($steps:expr, $step:ident => $body:block) => {
        each_step!($steps, $step, $body; 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23)
    };
    ($steps:expr, $step:ident, $body:block; $($n:literal)*) => {
        $(if $n < $steps {
            let $step: usize = $n;
            $body
        })*
    };
}

/// A tile: its first unit, and its number of steps.
#[derive(Clone, Copy)]
struct Tile {
    start: usize,
    steps: usize,
}

/// The columns of all rows, in as few tiles as possible; the last may overlap the one before it.
#[derive(Clone, Copy)]
struct Tiles {
    units: usize,
    width: usize,
    most: usize,
}

impl Tiles {
    /// The tile for the first unit not done, `at`. It begins there or before. `at` is below `units`, which is at least
    /// `width`.
    #[inline(always)]
    fn at(self, at: usize) -> Tile {
        let Self { units, width, most } = self;
        let need = (units - at).div_ceil(width);
        let fits = units / width;
        let steps = if need >= most && most <= fits {
            most
        } else {
            // The smallest size that covers the rest, or the largest that fits in the row.
            let enough = need.next_power_of_two();
            if enough <= fits && enough <= most { enough } else { (1 << fits.ilog2()).min(1 << most.ilog2()) }
        };
        Tile { start: at.min(units - steps * width), steps }
    }
}

#[inline(always)]
unsafe fn each<L: NarrowLanes, F: Format<L, N>, const N: usize, const MAX: bool>(op: &RawBag) {
    let units = op.dim.div_ceil(N);
    // If there are two vectors, at least the first must be whole.
    let in_vectors = units >= L::WIDTH && op.dim > L::WIDTH * (N - 1);
    let tiles = Tiles { units, width: L::WIDTH, most: L::SUMS / N };
    // SAFETY: the contract; bags are below `bags` and tiles inside the row.
    unsafe {
        let any = op.bags > 0 && op.bounds(0).0 < op.bounds(op.bags - 1).1;
        if !in_vectors || !any {
            for b in 0..op.bags {
                let members = op.members(b);
                for column in 0..op.dim {
                    op.out_format.put(op.out(b), column, op.column(members, column));
                }
            }
            return;
        }
        let ahead = Ahead::new(op, tiles.at(0).steps * L::WIDTH * F::UNIT, F::SCALED);
        ahead.begin::<L>();
        let mut pooled = [[L::splat(0.0); N]; MOST_STEPS];
        for b in 0..op.bags {
            let members = op.members(b);
            let mut at = 0;
            while at < units {
                let Tile { start, steps } = tiles.at(at);
                let place = Place { op, members, out: op.out(b), start };
                let to = &mut pooled;
                let biases = match steps {
                    24 => tile::<L, F, N, 24, MAX>(place, ahead, to),
                    16 => tile::<L, F, N, 16, MAX>(place, ahead, to),
                    12 => tile::<L, F, N, 12, MAX>(place, ahead, to),
                    8 => tile::<L, F, N, 8, MAX>(place, ahead, to),
                    6 => tile::<L, F, N, 6, MAX>(place, ahead, to),
                    4 => tile::<L, F, N, 4, MAX>(place, ahead, to),
                    2 => tile::<L, F, N, 2, MAX>(place, ahead, to),
                    _ => tile::<L, F, N, 1, MAX>(place, ahead, to),
                };
                // One loop for all sizes of tiles: written out for each step of each, these formats would be half of
                // the binary's kernels.
                if op.out_format != OutFormat::Float32 {
                    for (step, &values) in pooled[..steps].iter().enumerate() {
                        let values = finished::<L, F, N, MAX>(op.mode, values, biases, members.count);
                        op.out_format.put_step::<L, N>(op.out(b), (start + step * L::WIDTH) * N, op.dim, values);
                    }
                }
                at = start + steps * L::WIDTH;
            }
        }
    }
}

/// The bag and the tile to compute, and where its result goes.
#[derive(Clone, Copy)]
struct Place<'a> {
    op: &'a RawBag,
    members: Members,
    out: *mut u8,
    start: usize,
}

/// Computes a tile. Results in float32 are written; of others the sums, or the maxima, are left in `pooled`, and the
/// sum of the biases that are still to be added is returned.
///
/// # Safety
/// The contract; the tile is inside the row.
#[inline(always)]
unsafe fn tile<L: NarrowLanes, F: Format<L, N>, const N: usize, const STEPS: usize, const MAX: bool>(
    place: Place<'_>,
    ahead: Ahead<'_>,
    pooled: &mut [[L; N]; MOST_STEPS],
) -> f32 {
    let Place { op, members, out, start } = place;
    // SAFETY: as the caller promises.
    unsafe {
        let mut sums = [[L::splat(0.0); N]; STEPS];
        if F::SCALED && !MAX && members.count > 0 {
            let bias = F::scale(op.row(members.first), op.dim).bias * op.weight(members.first);
            sums = [[L::splat(bias); N]; STEPS];
        }
        let mut biases = 0.0f32;
        let with_end = ahead.with_end(start * F::UNIT, (start + STEPS * L::WIDTH) * F::UNIT);
        for i in members.begin..members.end {
            let later = ahead.row(i);
            let lines = later.wrapping_add(start * F::UNIT);
            each_step!((STEPS * L::WIDTH * F::UNIT).div_ceil(LINE), line => {
                L::prefetch(lines.wrapping_add(line * LINE).cast());
            });
            if with_end {
                ahead.end::<L>(later);
            }
            if op.is_padding(i) {
                continue;
            }
            let row = op.row(i);
            let of_row = F::scale(row, op.dim);
            let from = row.add(start * F::UNIT);
            if MAX {
                largest::<L, F, N, STEPS>(&mut sums, from, of_row, i == members.first);
            } else {
                let weight = op.weight(i);
                if F::SCALED && i != members.first {
                    biases = of_row.bias.mul_add(weight, biases);
                }
                add::<L, F, N, STEPS>(&mut sums, from, L::splat(of_row.scale * weight));
            }
        }
        if op.out_format != OutFormat::Float32 {
            each_step!(STEPS, step => { pooled[step] = sums[step]; });
            return biases;
        }
        each_step!(STEPS, step => {
            let values = finished::<L, F, N, MAX>(op.mode, sums[step], biases, members.count);
            OutFormat::Float32.put_step::<L, N>(out, (start + step * L::WIDTH) * N, op.dim, values);
        });
        biases
    }
}

/// The results of sums or maxima.
///
/// # Safety
/// The machine has `L`'s instruction set.
#[inline(always)]
unsafe fn finished<L: NarrowLanes, F: Format<L, N>, const N: usize, const MAX: bool>(
    mode: Mode,
    mut values: [L; N],
    biases: f32,
    count: usize,
) -> [L; N] {
    // SAFETY: as the caller promises.
    unsafe {
        let (biases, count) = (L::splat(biases), L::splat(count.max(1) as f32));
        for value in &mut values {
            if F::SCALED && !MAX {
                *value = value.add(biases);
            }
            if mode == Mode::Mean {
                *value = value.div(count);
            }
        }
    }
    values
}

/// Adds a tile of a row, times a factor, to the sums.
///
/// # Safety
/// The tile may be read from `from` on, on a machine that has `L`'s instruction set.
#[inline(always)]
unsafe fn add<L: NarrowLanes, F: Format<L, N>, const N: usize, const STEPS: usize>(
    sums: &mut [[L; N]; STEPS],
    from: *const u8,
    factor: L,
) {
    each_step!(STEPS, step => {
        // SAFETY: as the caller promises.
        unsafe {
            let stored = F::load(from.add(step * L::WIDTH * F::UNIT));
            sums[step][0] = stored[0].mul_add(factor, sums[step][0]);
            if N == 2 {
                sums[step][N - 1] = stored[N - 1].mul_add(factor, sums[step][N - 1]);
            }
        }
    });
}

/// Replaces the maxima by the larger elements of a row's tile; by all elements for the first row.
///
/// # Safety
/// As for [`add`].
#[inline(always)]
unsafe fn largest<L: NarrowLanes, F: Format<L, N>, const N: usize, const STEPS: usize>(
    largest: &mut [[L; N]; STEPS],
    from: *const u8,
    of_row: Scale,
    first: bool,
) {
    // SAFETY: as the caller promises.
    let (scale, bias) = unsafe { (L::splat(of_row.scale), L::splat(of_row.bias)) };
    each_step!(STEPS, step => {
        // SAFETY: as the caller promises.
        unsafe {
            let mut values = F::load(from.add(step * L::WIDTH * F::UNIT));
            if F::SCALED {
                values[0] = values[0].mul_add(scale, bias);
                values[N - 1] = if N == 2 { values[N - 1].mul_add(scale, bias) } else { values[0] };
            }
            largest[step][0] = if first { values[0] } else { values[0].max(largest[step][0]) };
            if N == 2 {
                largest[step][N - 1] = if first { values[N - 1] } else { values[N - 1].max(largest[step][N - 1]) };
            }
        }
    });
}

/// What to prefetch, and how far ahead.
#[derive(Clone, Copy)]
struct Ahead<'a> {
    op: &'a RawBag,
    /// The number of ids to look ahead, and the last id of all.
    rows: usize,
    last: usize,
    /// Whether rows end with a scale, and whether rows begin at cache lines.
    scaled: bool,
    in_lines: bool,
}

impl<'a> Ahead<'a> {
    /// For tiles of this many bytes.
    ///
    /// # Safety
    /// The contract; there is an id.
    #[inline(always)]
    unsafe fn new(op: &'a RawBag, tile: usize, scaled: bool) -> Self {
        // SAFETY: the caller promises that there is a bag.
        let (begin, end) = unsafe { (op.bounds(0).0, op.bounds(op.bags - 1).1) };
        let (by_tiles, by_rows) = (AHEAD_BYTES / tile, AHEAD_BYTES / op.row_bytes);
        // With short bags other tiles are computed in between, so fewer rows make up as many bytes.
        let rows = by_tiles.min(by_rows.max((end - begin) / op.bags)).clamp(1, AHEAD_ROWS);
        let in_lines = (op.table as usize | op.row_bytes).is_multiple_of(LINE);
        Self { op, rows, last: end - 1, scaled, in_lines }
    }

    /// The row to prefetch together with the i-th id's.
    ///
    /// # Safety
    /// `i` is an id of one of the bags.
    #[inline(always)]
    unsafe fn row(self, i: usize) -> *const u8 {
        // SAFETY: as the caller promises; all ids up to the last exist.
        unsafe { self.op.row((i + self.rows).min(self.last)) }
    }

    /// Prefetches the first rows.
    ///
    /// # Safety
    /// The machine has `L`'s instruction set.
    #[inline(always)]
    unsafe fn begin<L: NarrowLanes>(self) {
        // SAFETY: the first bag begins with an id, since there is one; a prefetch never faults.
        unsafe {
            let begin = self.op.bounds(0).0;
            for i in begin..self.last.min(begin + self.rows) {
                let row = self.op.row(i);
                for at in (0..self.op.row_bytes).step_by(LINE) {
                    L::prefetch(row.wrapping_add(at).cast());
                }
            }
        }
    }

    /// Whether to prefetch the end of the row with the tile of these bytes: the first tile reads the scale, which is
    /// there, and the last may end in one more line.
    #[inline(always)]
    fn with_end(self, from: usize, to: usize) -> bool {
        self.scaled && from == 0 || !self.in_lines && to + SCALE_BYTES >= self.op.row_bytes
    }

    /// Prefetches the end of a row.
    ///
    /// # Safety
    /// The machine has `L`'s instruction set.
    #[inline(always)]
    unsafe fn end<L: NarrowLanes>(self, row: *const u8) {
        let end = row.wrapping_add(self.op.row_bytes);
        // SAFETY: a prefetch never faults.
        unsafe {
            L::prefetch(end.wrapping_sub(SCALE_BYTES).cast());
            L::prefetch(end.wrapping_sub(1).cast());
        }
    }
}
