//! The body of [`super::bag`]: each bag in tiles of columns whose sums stay in registers while its rows pass by.
//!
//! A row is thus read a tile at a time. What will be read some tiles later is asked for by a second walk over the same
//! bags, tiles and rows ([`Ahead`]), which runs in front: memory is kept busy evenly, whatever the lengths of bags.

use super::bag::{Members, Mode, RawBag};
use super::decode::{BFloat16, Float16, Float32, Format, Int4, Int8, Scale};
use super::rows::RowFormat;
use crate::lanes_narrow::NarrowLanes;

/// Bytes to look ahead: memory answers before the sums get there, and the first-level cache still holds them. Half as many
/// cost int8 a third of its speed.
const AHEAD_BYTES: usize = 16384;
/// The most that a scale and a bias take.
const SCALE_BYTES: usize = 8;
/// A cache line.
const LINE: usize = 64;

/// # Safety
/// The contract of [`RawBag`], on a machine that has `L`'s instruction set.
#[inline(always)]
pub(crate) unsafe fn body<L: NarrowLanes>(op: RawBag) {
    // SAFETY: the caller's.
    unsafe {
        match op.format {
            RowFormat::Float32 => bags::<L, Float32, 1>(op),
            RowFormat::Float16 => bags::<L, Float16, 1>(op),
            RowFormat::BFloat16 => bags::<L, BFloat16, 1>(op),
            RowFormat::Int8 => bags::<L, Int8, 1>(op),
            RowFormat::Int4 => bags::<L, Int4, 2>(op),
        }
    }
}

#[inline(always)]
unsafe fn bags<L: NarrowLanes, F: Format<L, N>, const N: usize>(op: RawBag) {
    // SAFETY: the caller's.
    unsafe { if op.mode == Mode::Max { each::<L, F, N, true>(&op) } else { each::<L, F, N, false>(&op) } }
}

/// The body for each step of a tile, written out: loops that the compiler unrolls late leave the sums in memory (measured:
/// half the speed).
macro_rules! each_step {
    ($steps:ident, $step:ident => $body:block) => {
        each_step!($steps, $step, $body; 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23)
    };
    ($steps:ident, $step:ident, $body:block; $($n:literal)*) => {
        $(if $n < $steps {
            let $step: usize = $n;
            $body
        })*
    };
}

/// A tile: its first unit, and how many steps it has.
#[derive(Clone, Copy)]
struct Tile {
    start: usize,
    steps: usize,
}

/// The columns of all rows, in tiles: as few as there can be, where the last may overlap the one before it.
#[derive(Clone, Copy)]
struct Tiles {
    units: usize,
    width: usize,
    most: usize,
}

impl Tiles {
    /// The tile that begins with the first unit not done, `at`, or before it; `at` is below `units`, which is at least
    /// `width`.
    #[inline(always)]
    fn at(self, at: usize) -> Tile {
        let Self { units, width, most } = self;
        let need = (units - at).div_ceil(width);
        let fits = units / width;
        let steps = if need >= most && most <= fits {
            most
        } else {
            // The smallest size that does what is left, or the largest that fits in the row.
            let enough = need.next_power_of_two();
            if enough <= fits && enough <= most { enough } else { (1 << fits.ilog2()).min(1 << most.ilog2()) }
        };
        Tile { start: at.min(units - steps * width), steps }
    }
}

#[inline(always)]
unsafe fn each<L: NarrowLanes, F: Format<L, N>, const N: usize, const MAX: bool>(op: &RawBag) {
    let units = op.dim.div_ceil(N);
    // Of two vectors the first at least must be whole.
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
        let mut ahead = Ahead::new(op, tiles, F::UNIT);
        let tile_bytes = tiles.at(0).steps * L::WIDTH * F::UNIT;
        for _ in 0..(AHEAD_BYTES / tile_bytes).clamp(1, 64) {
            ahead.run();
            ahead.step::<L>();
        }
        for b in 0..op.bags {
            let members = op.members(b);
            let mut at = 0;
            while at < units {
                let Tile { start, steps } = tiles.at(at);
                let place = Place { op, members, out: op.out(b), start };
                match steps {
                    24 => tile::<L, F, N, 24, MAX>(place, &mut ahead),
                    16 => tile::<L, F, N, 16, MAX>(place, &mut ahead),
                    12 => tile::<L, F, N, 12, MAX>(place, &mut ahead),
                    8 => tile::<L, F, N, 8, MAX>(place, &mut ahead),
                    4 => tile::<L, F, N, 4, MAX>(place, &mut ahead),
                    2 => tile::<L, F, N, 2, MAX>(place, &mut ahead),
                    _ => tile::<L, F, N, 1, MAX>(place, &mut ahead),
                }
                at = start + steps * L::WIDTH;
            }
        }
    }
}

/// Which tile of which bag, and where its result goes.
#[derive(Clone, Copy)]
struct Place<'a> {
    op: &'a RawBag,
    members: Members,
    out: *mut u8,
    start: usize,
}

/// # Safety
/// The contract; the tile is inside the row.
#[inline(always)]
unsafe fn tile<L: NarrowLanes, F: Format<L, N>, const N: usize, const STEPS: usize, const MAX: bool>(
    place: Place<'_>,
    ahead: &mut Ahead<'_>,
) {
    let Place { op, members, out, start } = place;
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [[L::splat(0.0); N]; STEPS];
        if F::SCALED && !MAX && members.count > 0 {
            let bias = F::scale(op.row(members.first), op.dim).bias * op.weight(members.first);
            sums = [[L::splat(bias); N]; STEPS];
        }
        let mut biases = 0.0f32;
        let mut i = members.begin;
        while i < members.end {
            // In runs without a call between rows: over a call no sum stays in a register.
            let stop = members.end.min(i.saturating_add(ahead.run()));
            while i < stop {
                ahead.step::<L>();
                if !op.is_padding(i) {
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
                i += 1;
            }
        }
        let (biases, count) = (L::splat(biases), L::splat(members.count.max(1) as f32));
        each_step!(STEPS, step => {
            let mut values = sums[step];
            if F::SCALED && !MAX {
                values[0] = values[0].add(biases);
                values[N - 1] = if N == 2 { values[N - 1].add(biases) } else { values[0] };
            }
            if op.mode == Mode::Mean {
                values[0] = values[0].div(count);
                values[N - 1] = if N == 2 { values[N - 1].div(count) } else { values[0] };
            }
            op.out_format.put_step::<L, N>(out, (start + step * L::WIDTH) * N, op.dim, values);
        });
    }
}

/// Adds a tile of a row times a factor to the sums.
///
/// # Safety
/// So many elements may be read from `from` on, on a machine that has `L`'s instruction set.
#[inline(always)]
unsafe fn add<L: NarrowLanes, F: Format<L, N>, const N: usize, const STEPS: usize>(
    sums: &mut [[L; N]; STEPS],
    from: *const u8,
    factor: L,
) {
    each_step!(STEPS, step => {
        // SAFETY: the caller's.
        unsafe {
            let stored = F::load(from.add(step * L::WIDTH * F::UNIT));
            sums[step][0] = stored[0].mul_add(factor, sums[step][0]);
            if N == 2 {
                sums[step][N - 1] = stored[N - 1].mul_add(factor, sums[step][N - 1]);
            }
        }
    });
}

/// Takes what is larger of a tile of a row; all of it of the first.
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
    // SAFETY: the caller's.
    let (scale, bias) = unsafe { (L::splat(of_row.scale), L::splat(of_row.bias)) };
    each_step!(STEPS, step => {
        // SAFETY: the caller's.
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

/// The walk in front: the same bags, tiles and rows in the same order, each step of which asks for one tile of one row.
struct Ahead<'a> {
    op: &'a RawBag,
    tiles: Tiles,
    unit: usize,
    /// The next bag.
    bag: usize,
    begin: usize,
    end: usize,
    /// The next row of the bag.
    next: usize,
    /// 1, or 0 at the end of the last bag.
    stride: usize,
    /// Of the tile: its first byte, the byte after its last, and the unit after its last.
    from: usize,
    to: usize,
    done: usize,
    /// Whether the row's end is read with it.
    with_end: bool,
}

impl<'a> Ahead<'a> {
    #[inline(always)]
    fn new(op: &'a RawBag, tiles: Tiles, unit: usize) -> Self {
        Self {
            op,
            tiles,
            unit,
            bag: 0,
            begin: 0,
            end: 0,
            next: 0,
            stride: 1,
            from: 0,
            to: 0,
            done: tiles.units,
            with_end: false,
        }
    }

    /// How many steps may follow before it is called again. There is always one: at the end of the last bag steps ask for
    /// the last row over and over.
    ///
    /// # Safety
    /// The contract; there is an id.
    #[inline(always)]
    unsafe fn run(&mut self) -> usize {
        // SAFETY: the caller's.
        if self.next == self.end && self.stride == 1 && !unsafe { self.turn() } {
            self.stride = 0;
            self.next -= 1;
        }
        if self.stride == 0 { usize::MAX } else { self.end - self.next }
    }

    /// Asks for a tile of a row.
    ///
    /// # Safety
    /// As for [`Ahead::run`], which was called before and allows it; the machine has `L`'s instruction set.
    #[inline(always)]
    unsafe fn step<L: NarrowLanes>(&mut self) {
        // SAFETY: the caller's; a prefetch never faults.
        unsafe {
            let row = self.op.row(self.next);
            self.next += self.stride;
            let mut at = self.from;
            while at < self.to {
                L::prefetch(row.wrapping_add(at).cast());
                at += LINE;
            }
            if self.with_end {
                L::prefetch(row.wrapping_add(self.op.row_bytes).wrapping_sub(SCALE_BYTES).cast());
                L::prefetch(row.wrapping_add(self.op.row_bytes).wrapping_sub(1).cast());
            }
        }
    }

    /// On to the next tile, or to the first of the next bag that is not empty; false where there is none.
    ///
    /// # Safety
    /// The contract.
    #[inline(never)]
    unsafe fn turn(&mut self) -> bool {
        if self.done == self.tiles.units {
            loop {
                if self.bag == self.op.bags {
                    return false;
                }
                // SAFETY: the caller's; the bag is below `bags`.
                (self.begin, self.end) = unsafe { self.op.bounds(self.bag) };
                self.bag += 1;
                if self.begin < self.end {
                    break;
                }
            }
            self.done = 0;
        }
        let Tile { start, steps } = self.tiles.at(self.done);
        self.done = start + steps * self.tiles.width;
        self.from = start * self.unit;
        self.to = self.done * self.unit;
        // With the first tile the scale is read, which stands at the end; the last may end in one more line.
        self.with_end = start == 0 || self.done == self.tiles.units;
        self.next = self.begin;
        true
    }
}
