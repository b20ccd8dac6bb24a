//! Groups of near copies.
//!
//! ```text
//! for i in 0..rows: unless i is in a group:
//!     i is the first of a new group
//!     for j in i + 1..rows: unless j is in a group: j joins if similarity(i, j) >= threshold
//! ```
//!
//! Which is to say that a row joins the earliest first that it is similar to, and becomes a first if there is none.
//! Rows are compared in blocks: with all firsts before the block, and then with each other. Cosines are those of
//! float64, rounded to float32: a sum of float32 decides where it is farther from the threshold than it can be wrong,
//! and float64 decides otherwise.

use super::GoOn;
use super::is_not_below;
use super::near::{Panels, Scored, block_rows, cosine, inverses_of, not_finite, unit};
use super::rows::{Form, Kind, Room, SearchRows, Which};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::ops::products::panel_scores::PANEL;
use tokenbed_kernels::ops::products::scores::Measure;
use tokenbed_memory::{Gather, List, filled};
use tokenbed_threads::{parallel_ranges, parallel_rows};

/// Rows that are compared with the firsts together.
const BLOCK: usize = 512;
/// Words with a bit for each row of a block.
const WORDS: usize = BLOCK / 64;
/// No first yet.
const NONE: u32 = u32::MAX;

/// Writes the first of each row's group to `firsts`. `go_on` is asked between blocks, and `told` hears how many rows
/// have a group by then. Returns whether it finished.
///
/// Rows of bits are compared by 1 - 2 h / bits, where h is the number of bits in which they differ; all others by their
/// cosine.
///
/// # Errors
/// [`Error::Usage`] for a row that is not finite; [`Error::Shape`] if `firsts` has another length.
pub fn dedupe(
    kernels: Kernels,
    rows: SearchRows<'_>,
    threshold: f64,
    (go_on, told): (GoOn<'_>, &dyn Fn(usize)),
    firsts: &mut [u32],
) -> Result<bool> {
    if firsts.len() != rows.len() {
        return Err(Error::Shape(format!("{} places for the groups of {} rows", firsts.len(), rows.len())));
    }
    let threshold = threshold as f32;
    if rows.kind() == Kind::Bits {
        return Ok(of_bits(kernels, rows, threshold, (go_on, told), firsts));
    }
    let mut known = Vec::new();
    for start in (0..rows.len()).step_by(BLOCK) {
        told(start);
        let end = rows.len().min(start + BLOCK);
        let block = Block::new(kernels, rows, start..end, threshold)?;
        let found: Vec<AtomicU32> = (start..end).map(|_| AtomicU32::new(NONE)).into_list();
        if !block.join(&known, go_on, &found) {
            return Ok(false);
        }
        let found: Vec<u32> = found.into_iter().map(AtomicU32::into_inner).into_list();
        block.settle(&found, &mut known, &mut firsts[start..end]);
    }
    Ok(true)
}

/// Rows that are compared with firsts.
struct Block<'a> {
    kernels: Kernels,
    rows: SearchRows<'a>,
    start: usize,
    /// (rows of the block, dim).
    values: Vec<f32>,
    panels: Panels,
    threshold: f32,
    /// A cosine of float32 is wrong by less than this.
    slack: f32,
}

impl<'a> Block<'a> {
    fn new(kernels: Kernels, rows: SearchRows<'a>, range: std::ops::Range<usize>, threshold: f32) -> Result<Self> {
        let (start, dim) = (range.start, rows.dim());
        let mut values = Vec::new();
        values.put_slice(rows.look(kernels, &Which::Range(range), Form::Values, &mut Room::default()));
        if let Some(at) = not_finite(&values, dim) {
            return Err(super::near::bad_row(start + at));
        }
        let mut units = Vec::new();
        values.chunks_exact(dim).for_each(|row| units.put_slice(&unit(row)));
        let panels = Panels::new(&units, dim)?;
        // Each of 16 lanes rounds dim / 16 times, four sums of lanes follow, and the lengths and the unit vector round
        // a few times: all relative to the product of the lengths.
        let slack = (dim as f32 / 16.0 + 16.0) * 2.0 * f32::EPSILON;
        Ok(Self { kernels, rows, start, values, panels, threshold, slack })
    }

    fn dim(&self) -> usize {
        self.rows.dim()
    }

    fn row(&self, j: usize) -> &[f32] {
        &self.values[j * self.dim()..(j + 1) * self.dim()]
    }

    /// Whether the cosine of row `j` of the block with another row reaches the threshold.
    fn reaches(&self, cosine_of_floats: f32, j: usize, other: &[f32]) -> bool {
        if cosine_of_floats < self.threshold - self.slack {
            return false;
        }
        cosine_of_floats > self.threshold + self.slack || cosine(self.row(j), other) as f32 >= self.threshold
    }

    /// Calls `similar(i, j)` for rows `which[i]` and `j` of the block whose cosine reaches the threshold, unless
    /// `skips(i, j)`.
    fn compare(
        &self,
        which: &Which<'_>,
        scored: &mut Scored,
        skips: impl Fn(usize, usize) -> bool,
        mut similar: impl FnMut(usize, usize),
    ) {
        let (kernels, dim) = (self.kernels, self.dim());
        let Scored { room, scores, inverses } = scored;
        let values = self.rows.look(kernels, which, Form::Values, room);
        inverses_of(kernels, values, dim, scores, inverses);
        for (inverse, row) in inverses.iter_mut().zip(values.chunks_exact(dim)) {
            if inverse.is_nan() && row.iter().all(|&x| x == 0.0) {
                *inverse = 0.0;
            }
        }
        let scores = &mut scores[..which.len() * PANEL];
        for panel in 0..self.panels.len() {
            let vectors = self.panels.vectors(panel);
            let last = which.len() - 1;
            if vectors.clone().all(|j| skips(0, j) && skips(last, j)) {
                continue;
            }
            self.panels.scores(kernels, values, panel, Measure::Dots, scores);
            let least = self.threshold - self.slack;
            for (i, (scores, other)) in scores.chunks_exact(PANEL).zip(values.chunks_exact(dim)).enumerate() {
                let inverse = inverses[i];
                let scores = &scores[..vectors.len()];
                // NaN is not less than anything, so it is looked at.
                if scores.iter().fold(true, |all, &score| all & (score * inverse < least)) {
                    continue;
                }
                for (j, &score) in vectors.clone().zip(scores) {
                    if is_not_below(score * inverse, least) && !skips(i, j) && self.reaches(score * inverse, j, other) {
                        similar(i, j);
                    }
                }
            }
        }
    }

    /// Finds for each row of the block the lowest of `known` that it is similar to. Returns whether it finished.
    fn join(&self, known: &[u32], go_on: GoOn<'_>, found: &[AtomicU32]) -> bool {
        let height = block_rows(self.dim());
        let bytes = height.saturating_mul(self.dim()).saturating_mul(4 * (1 + found.len() / 4));
        let stopped = AtomicBool::new(false);
        parallel_ranges(known.len().div_ceil(height), bytes, |blocks| {
            let mut scored = Scored::default();
            for block in blocks {
                if !go_on() {
                    return stopped.store(true, Ordering::Relaxed);
                }
                let ids = &known[block * height..known.len().min((block + 1) * height)];
                let skips = |i: usize, j: usize| found[j].load(Ordering::Relaxed) <= ids[i];
                // Relaxed: the lowest is the same in any order.
                let similar = |i: usize, j: usize| {
                    found[j].fetch_min(ids[i], Ordering::Relaxed);
                };
                self.compare(&Which::Ids(ids), &mut scored, skips, similar);
            }
        });
        !stopped.into_inner() && go_on()
    }

    /// Groups the rows of the block that joined no first before it, and adds the new firsts.
    fn settle(&self, found: &[u32], known: &mut Vec<u32>, firsts: &mut [u32]) {
        let open: Vec<u32> = (0..found.len()).filter(|&j| found[j] == NONE).map(|j| j as u32).into_list();
        let mut near: Vec<[u64; WORDS]> = filled([0; WORDS], open.len());
        let height = block_rows(self.dim());
        let bytes = self.dim().saturating_mul(found.len());
        parallel_rows(&mut near, 1, bytes, |range, near| {
            let mut scored = Scored::default();
            for (chunk, near) in near.chunks_mut(height).enumerate() {
                let places = &open[range.start + chunk * height..][..near.len()];
                let ids: Vec<u32> = places.iter().map(|&j| self.start as u32 + j).into_list();
                let skips = |i: usize, j: usize| j <= places[i] as usize || found[j] != NONE;
                let similar = |i: usize, j: usize| near[i][j / 64] |= 1 << (j % 64);
                self.compare(&Which::Ids(&ids), &mut scored, skips, similar);
            }
        });
        for (first, &found) in firsts.iter_mut().zip(found) {
            *first = found;
        }
        for (near, &i) in near.iter().zip(&open) {
            if firsts[i as usize] != NONE {
                continue;
            }
            let id = self.start as u32 + i;
            firsts[i as usize] = id;
            known.put(id);
            for j in i as usize + 1..firsts.len() {
                if near[j / 64] >> (j % 64) & 1 == 1 && firsts[j] == NONE {
                    firsts[j] = id;
                }
            }
        }
    }
}

/// Rows of bits that are compared with a chunk of firsts at a time.
const CHUNK: usize = 1024;

/// [`dedupe`] of rows of bits.
fn of_bits(
    kernels: Kernels,
    rows: SearchRows<'_>,
    threshold: f32,
    (go_on, told): (GoOn<'_>, &dyn Fn(usize)),
    firsts: &mut [u32],
) -> bool {
    let bits = rows.dim() as f64;
    let reaches = |distance: u32| ((bits - 2.0 * f64::from(distance)) / bits) as f32 >= threshold;
    let row_bytes = rows.row_bytes();
    // The firsts, and their bytes end to end.
    let (mut known, mut bytes): (Vec<u32>, Vec<u8>) = (Vec::new(), Vec::new());
    let mut room = Room::default();
    for start in (0..rows.len()).step_by(BLOCK) {
        told(start);
        let end = rows.len().min(start + BLOCK);
        let block = rows.bytes(&Which::Range(start..end), &mut room);
        let row = |j: usize| &block[j * row_bytes..(j + 1) * row_bytes];
        let earliest = |j: usize| {
            let mut distances: [u32; CHUNK] = [0; CHUNK];
            bytes.chunks(CHUNK * row_bytes).enumerate().find_map(|(chunk, firsts)| {
                let distances = &mut distances[..firsts.len() / row_bytes];
                kernels.hamming(firsts, row(j), distances);
                distances.iter().position(|&distance| reaches(distance)).map(|at| known[chunk * CHUNK + at])
            })
        };
        let stopped = AtomicBool::new(false);
        parallel_rows(&mut firsts[start..end], 1, bytes.len(), |range, found| {
            for (j, found) in range.zip(found) {
                if !go_on() {
                    return stopped.store(true, Ordering::Relaxed);
                }
                *found = earliest(j).unwrap_or(NONE);
            }
        });
        if stopped.into_inner() {
            return false;
        }
        // Those of this block follow the ones that all rows were compared with.
        let before = known.len();
        for j in 0..end - start {
            if firsts[start + j] != NONE {
                continue;
            }
            let mut distance = [0];
            let among = (before..known.len()).find(|&at| {
                kernels.hamming(&bytes[at * row_bytes..(at + 1) * row_bytes], row(j), &mut distance);
                reaches(distance[0])
            });
            firsts[start + j] = match among {
                Some(at) => known[at],
                None => {
                    known.put((start + j) as u32);
                    bytes.put_slice(row(j));
                    (start + j) as u32
                }
            };
        }
    }
    true
}
