//! panel_scores: every row of f32 against a panel of vectors, as `scores` has it for one vector, to the bit.
//!
//! ```text
//! for r in 0..len: for j in 0..used:
//!     lane[l] = 0 for l in 0..16
//!     for d in 0..dim: Dots      lane[d mod 16] = fma(rows[r][d], vector[j][d], lane[d mod 16])
//!                      Distances lane[d mod 16] = fma(x, x, lane[d mod 16])     x = vector[j][d] - rows[r][d]
//!     for half in 8, 4, 2, 1: lane[l] += lane[l + half] for l in 0..half
//!     scores[r * PANEL + j] = lane[0]
//! ```
//!
//! A panel is up to 32 vectors, with the elements of all of them beside each other: a lane of a vector register belongs
//! to a vector of the panel, so that sums need no reduction across a register, and a loaded row serves all of them. The
//! elements are ordered by the lane that they belong to, so that a sum stays in its register until it is complete.

use super::scores::Measure;
use crate::dispatch::{Kernels, arms};
use crate::lanes::BLOCK;
use crate::lanes::narrow::NarrowLanes;
use crate::probe::{DIMS, Framed, Probe, ROWS, Results, numbers};
use std::mem::MaybeUninit;

/// The number of vectors in a panel.
pub const PANEL: usize = 32;

/// The number of elements in a panel of vectors of `dim` elements; None if that overflows.
pub fn panel_size(dim: usize) -> Option<usize> {
    dim.checked_mul(PANEL)
}

/// Writes vector `j` of a panel.
///
/// # Panics
/// If the panel is not one of such vectors or has no vector `j`, which is a bug in the caller.
pub fn put_in_panel(panel: &mut [f32], j: usize, vector: &[f32]) {
    assert!(j < PANEL && panel_size(vector.len()) == Some(panel.len()), "panel_scores: a panel of another size");
    let mut at = 0;
    for lane in 0..BLOCK {
        for &element in vector.iter().skip(lane).step_by(BLOCK) {
            panel[at * PANEL + j] = element;
            at += 1;
        }
    }
}

/// The raw arguments of the op. Their contract, which [`Kernels::panel_scores`] checks: `rows` points at `len * dim`
/// elements, `panel` at `dim * PANEL`, `scores` at `len * PANEL`, which overlap nothing; `used` is at most `PANEL`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawPanelScores {
    rows: *const f32,
    len: usize,
    dim: usize,
    panel: *const f32,
    used: usize,
    measure: Measure,
    scores: *mut f32,
}

arms!(PANEL_SCORES: fn(op: RawPanelScores), body<L>, reference);

impl Kernels {
    /// `scores` (rows, PANEL) = the scores of rows of `dim` elements with the first `used` vectors of a panel. What
    /// stands in the other columns is unspecified.
    ///
    /// # Panics
    /// If the slices have other sizes, which is a bug in the caller.
    pub fn panel_scores(self, rows: &[f32], panel: &[f32], used: usize, measure: Measure, scores: &mut [f32]) {
        let (len, dim) = (scores.len() / PANEL, panel.len() / PANEL);
        assert!(panel_size(dim) == Some(panel.len()) && used <= PANEL, "panel_scores: a panel of another size");
        assert!(len * PANEL == scores.len(), "panel_scores: scores of another size");
        assert!(len.checked_mul(dim) == Some(rows.len()), "panel_scores: rows of another length");
        let op = RawPanelScores {
            rows: rows.as_ptr(),
            len,
            dim,
            panel: panel.as_ptr(),
            used,
            measure,
            scores: scores.as_mut_ptr(),
        };
        // SAFETY: the sizes were just checked, a `&mut` overlaps nothing, and `self` proves that its
        // instruction set runs here.
        unsafe { PANEL_SCORES.on(self)(op) }
    }
}

/// The number of elements that belong to a lane.
#[inline(always)]
fn elements_of(lane: usize, dim: usize) -> usize {
    (dim + BLOCK - 1 - lane) / BLOCK
}

/// The reference, which defines the result.
unsafe fn reference(op: RawPanelScores) {
    for r in 0..op.len {
        for j in 0..op.used {
            let mut lanes = [0.0f32; BLOCK];
            let mut at = 0;
            for (lane, sum) in lanes.iter_mut().enumerate() {
                for i in 0..elements_of(lane, op.dim) {
                    // SAFETY: the contract of `RawPanelScores`.
                    let (x, q) =
                        unsafe { (*op.rows.add(r * op.dim + lane + i * BLOCK), *op.panel.add(at * PANEL + j)) };
                    *sum = match op.measure {
                        Measure::Dots => x.mul_add(q, *sum),
                        Measure::Distances => (q - x).mul_add(q - x, *sum),
                    };
                    at += 1;
                }
            }
            // SAFETY: as above.
            unsafe { *op.scores.add(r * PANEL + j) = crate::rows::total::halved(lanes) };
        }
    }
}

/// # Safety
/// The contract of [`RawPanelScores`], on a machine that has `L`'s instruction set.
#[inline(always)]
unsafe fn body<L: NarrowLanes>(op: RawPanelScores) {
    // SAFETY: as the caller promises.
    unsafe {
        match op.measure {
            Measure::Dots => columns::<L, false>(&op),
            Measure::Distances => columns::<L, true>(&op),
        }
    }
}

/// Rows in a tile: with two registers for each, their sums fit into sixteen registers, with room for what is added.
const TILE: usize = 6;

/// Columns of two registers, and rows in tiles whose sums stay in registers.
#[inline(always)]
unsafe fn columns<L: NarrowLanes, const APART: bool>(op: &RawPanelScores) {
    let mut column = 0;
    while column < op.used {
        // SAFETY: as the caller promises; two registers divide a panel, and tiles stay within the rows.
        unsafe {
            let mut r = 0;
            while r + TILE <= op.len {
                tile::<L, TILE, APART>(op, r, column);
                r += TILE;
            }
            while r < op.len {
                tile::<L, 1, APART>(op, r, column);
                r += 1;
            }
        }
        column += 2 * L::WIDTH;
    }
}

#[inline(always)]
unsafe fn tile<L: NarrowLanes, const R: usize, const APART: bool>(op: &RawPanelScores, r: usize, column: usize) {
    // SAFETY: the caller promises that the rows and columns are there.
    unsafe {
        // Indices are used instead of iterators, because the compiler may keep in memory what iterators move. The sums
        // of all lanes are written through a pointer: of an array, the compiler would try to keep each in a register.
        let mut room = MaybeUninit::<[[[L; 2]; R]; BLOCK]>::uninit();
        let lanes = room.as_mut_ptr().cast::<L>();
        let row = op.rows.add(r * op.dim);
        let mut panel = op.panel.add(column);
        let mut lane = 0;
        while lane < BLOCK {
            let mut sums = [[L::splat(0.0); 2]; R];
            let mut d = lane;
            while d < op.dim {
                let vectors = [L::load(panel), L::load(panel.add(L::WIDTH))];
                let mut n = 0;
                while n < R {
                    let x = L::splat(*row.add(n * op.dim + d));
                    let mut v = 0;
                    while v < 2 {
                        if APART {
                            let apart = vectors[v].sub(x);
                            sums[n][v] = apart.mul_add(apart, sums[n][v]);
                        } else {
                            sums[n][v] = x.mul_add(vectors[v], sums[n][v]);
                        }
                        v += 1;
                    }
                    n += 1;
                }
                panel = panel.add(PANEL);
                d += BLOCK;
            }
            let mut n = 0;
            while n < R {
                lanes.add((lane * R + n) * 2).write(sums[n][0]);
                lanes.add((lane * R + n) * 2 + 1).write(sums[n][1]);
                n += 1;
            }
            lane += 1;
        }
        let mut at = 0;
        while at < 2 * R {
            let mut halves = [L::splat(0.0); BLOCK / 2];
            let mut l = 0;
            while l < BLOCK / 2 {
                let other = lanes.add((l + BLOCK / 2) * 2 * R + at).read();
                halves[l] = lanes.add(l * 2 * R + at).read().add(other);
                l += 1;
            }
            let mut half = BLOCK / 4;
            while half > 0 {
                let mut l = 0;
                while l < half {
                    halves[l] = halves[l].add(halves[l + half]);
                    l += 1;
                }
                half /= 2;
            }
            halves[0].store(op.scores.add((r + at / 2) * PANEL + column + at % 2 * L::WIDTH));
            at += 1;
        }
    }
}

pub(crate) const PROBE: Probe = Probe { name: "panel_scores", line: "scores", sizes: &DIMS, run: probe };

fn probe(kernels: Kernels, dim: usize, results: &mut Results) {
    let (rows, vectors) = (numbers(ROWS * dim, 107), numbers(PANEL * dim, 113));
    let mut panel = Framed::room(PANEL * dim);
    for (j, vector) in vectors.chunks_exact(dim).enumerate() {
        put_in_panel(&mut panel, j, vector);
    }
    for measure in [Measure::Dots, Measure::Distances] {
        let mut scores = Framed::room(ROWS * PANEL);
        kernels.panel_scores(&rows, &panel, PANEL, measure, &mut scores);
        results.take(&scores);
    }
}
