//! k-means: centers such that the squares of the distances of rows to their nearest center are small (Lloyd 1982), from
//! centers that are drawn far apart (k-means++, Arthur and Vassilvitskii 2007, with several candidates for each).
//!
//! Sums over rows are in float64 and in the order of the rows, so results do not depend on the number of threads.

use super::GoOn;
use super::near::{Panels, Scored, bad_row, block_rows, not_finite, row_values};
use super::rows::{Form, Kind, SearchRows, Which};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::ops::products::panel_scores::PANEL;
use tokenbed_kernels::ops::products::scores::Measure;
use tokenbed_memory::{Gather, List, filled, zeroed};
use tokenbed_rng::Generator;
use tokenbed_threads::{parallel_ranges, parallel_rows};

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// The number of clusters.
    pub k: usize,
    /// The seed of all draws.
    pub seed: u64,
    /// The largest number of rounds of one run.
    pub iterations: usize,
    /// The number of runs, of which the best is kept.
    pub restarts: usize,
}

/// The buffers for a result.
#[derive(Debug)]
pub struct Clusters<'a> {
    /// (k, dim).
    pub centers: &'a mut [f32],
    /// (rows): the nearest center of each row; the lower one of equally near ones.
    pub labels: &'a mut [i32],
    /// One number: the sum of the squares of the distances of rows to their nearest center.
    pub inertia: &'a mut [f64],
}

/// A run ends when a round lowers the inertia by less than this part.
const LITTLE: f64 = 1e-6;
/// Rows that are summed together. It divides sums, so it must not depend on the machine.
const CHUNK: usize = 1024;
/// Rows of a cluster that are decoded together.
const DECODED: usize = 64;

/// A row's center, and the square of its distance to it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Place {
    label: u32,
    square: f32,
}

/// Clusters rows. `go_on` is asked between blocks of rows. Returns whether it finished.
///
/// # Errors
/// [`Error::Usage`] for a row that is not finite, for rows of bits, and for more clusters than rows; [`Error::Shape`]
/// for sizes that do not agree.
pub fn cluster(
    kernels: Kernels,
    rows: SearchRows<'_>,
    request: Request,
    go_on: GoOn<'_>,
    out: Clusters<'_>,
) -> Result<bool> {
    let Request { k, seed, iterations, restarts } = request;
    if rows.kind() == Kind::Bits {
        return Err(Error::Usage("rows of bits have no means: cluster the vectors that they were made of".into()));
    }
    if k == 0 || k > rows.len() || iterations == 0 || restarts == 0 {
        return Err(Error::Usage(format!("{} rows do not make {k} clusters", rows.len())));
    }
    let size = k.checked_mul(rows.dim());
    if size != Some(out.centers.len()) || out.labels.len() != rows.len() || out.inertia.len() != 1 {
        return Err(Error::Shape(format!("the buffers are not those of {k} clusters of {} rows", rows.len())));
    }
    let work = Work { kernels, rows, go_on };
    if work.check()?.is_none() {
        return Ok(false);
    }
    let mut generator = Generator::new(seed);
    let mut best = f64::INFINITY;
    for _ in 0..restarts {
        let Some(mut centers) = work.seeds(k, &mut generator)? else { return Ok(false) };
        let Some((places, inertia)) = work.run(&mut centers, iterations)? else { return Ok(false) };
        if inertia < best {
            best = inertia;
            out.centers.copy_from_slice(&centers);
            out.labels.iter_mut().zip(&places).for_each(|(label, place)| *label = place.label.cast_signed());
            out.inertia[0] = inertia;
        }
        if k == 1 {
            // Every run would end the same.
            break;
        }
    }
    if best.is_infinite() {
        return Err(Error::Usage("the rows are too far apart for float32: scale them down".into()));
    }
    Ok(true)
}

/// What all steps read.
#[derive(Clone, Copy)]
struct Work<'a> {
    kernels: Kernels,
    rows: SearchRows<'a>,
    go_on: GoOn<'a>,
}

/// A uniform number in [0, 1).
fn uniform(generator: &mut Generator) -> f64 {
    const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
    (generator.random64() >> 11) as f64 * STEP
}

impl Work<'_> {
    fn dim(&self) -> usize {
        self.rows.dim()
    }

    /// Calls `run` for blocks of the rows in a range, with their values. Returns whether it finished.
    fn blocks(
        &self,
        range: Range<usize>,
        scored: &mut Scored,
        mut run: impl FnMut(Range<usize>, &[f32], &mut [f32]),
    ) -> bool {
        let height = block_rows(self.dim());
        for from in range.clone().step_by(height) {
            if !(self.go_on)() {
                return false;
            }
            let block = from..range.end.min(from + height);
            let values = self.rows.look(self.kernels, &Which::Range(block.clone()), Form::Values, &mut scored.room);
            run(block, values, &mut scored.scores);
        }
        true
    }

    /// Checks that all rows are finite. Returns None if it was stopped.
    fn check(&self) -> Result<Option<()>> {
        let (bad, stopped) = (AtomicUsize::new(usize::MAX), AtomicBool::new(false));
        parallel_ranges(self.rows.len(), self.rows.row_bytes(), |range| {
            let finished = self.blocks(range, &mut Scored::default(), |block, values, _| {
                if let Some(at) = not_finite(values, self.dim()) {
                    bad.fetch_min(block.start + at, Ordering::Relaxed);
                }
            });
            if !finished {
                stopped.store(true, Ordering::Relaxed);
            }
        });
        match bad.into_inner() {
            usize::MAX => Ok((!stopped.into_inner()).then_some(())),
            row => Err(bad_row(row)),
        }
    }

    /// Runs until little changes. Returns the places of the rows and the inertia; None if it was stopped.
    fn run(&self, centers: &mut [f32], iterations: usize) -> Result<Option<(Vec<Place>, f64)>> {
        let (mut before, mut round) = (f64::INFINITY, 0);
        loop {
            let Some(places) = self.places(centers)? else { return Ok(None) };
            let inertia = places.iter().map(|place| f64::from(place.square)).sum::<f64>();
            if round == iterations || inertia >= before * (1.0 - LITTLE) {
                return Ok(Some((places, inertia)));
            }
            (before, round) = (inertia, round + 1);
            if !self.move_centers(centers, &places) {
                return Ok(None);
            }
        }
    }

    /// The nearest center of each row; None if it was stopped.
    fn places(&self, centers: &[f32]) -> Result<Option<Vec<Place>>> {
        let panels = Panels::new(centers, self.dim())?;
        let mut places = filled(Place { label: 0, square: f32::INFINITY }, self.rows.len());
        let stopped = AtomicBool::new(false);
        let bytes = self.rows.row_bytes().saturating_mul(1 + panels.len());
        parallel_rows(&mut places, 1, bytes, |range, places| {
            let start = range.start;
            let finished = self.blocks(range, &mut Scored::default(), |block, values, scores| {
                let places = &mut places[block.start - start..block.end - start];
                for panel in 0..panels.len() {
                    let scores = &mut scores[..places.len() * PANEL];
                    panels.scores(self.kernels, values, panel, Measure::Distances, scores);
                    let vectors = panels.vectors(panel);
                    for (place, squares) in places.iter_mut().zip(scores.chunks_exact(PANEL)) {
                        for (label, &square) in vectors.clone().zip(squares) {
                            if square < place.square {
                                *place = Place { label: label as u32, square };
                            }
                        }
                    }
                }
            });
            if !finished {
                stopped.store(true, Ordering::Relaxed);
            }
        });
        Ok((!stopped.into_inner()).then_some(places))
    }

    /// Moves each center to the mean of its rows. A center without rows moves to the row that is farthest from its own.
    /// Returns whether it finished.
    fn move_centers(&self, centers: &mut [f32], places: &[Place]) -> bool {
        let (dim, k) = (self.dim(), centers.len() / self.dim());
        // The rows of each cluster, in their order: those of cluster c from ends[c - 1] to ends[c].
        let mut ends: Vec<usize> = zeroed(k);
        places.iter().for_each(|place| ends[place.label as usize] += 1);
        let mut sum = 0;
        for end in &mut ends {
            (sum, *end) = (sum + *end, sum);
        }
        let mut members: Vec<u32> = zeroed(places.len());
        for (row, place) in places.iter().enumerate() {
            let end = &mut ends[place.label as usize];
            members[*end] = row as u32;
            *end += 1;
        }
        let of = |cluster: usize| &members[if cluster == 0 { 0 } else { ends[cluster - 1] }..ends[cluster]];
        let stopped = AtomicBool::new(false);
        let bytes = (places.len() / k + 1).saturating_mul(self.rows.row_bytes());
        parallel_rows(centers, dim, bytes, |clusters, centers| {
            let mut room = Scored::default().room;
            let mut sums: Vec<f64> = zeroed(dim);
            for (cluster, center) in clusters.zip(centers.chunks_exact_mut(dim)) {
                sums.fill(0.0);
                for ids in of(cluster).chunks(DECODED) {
                    if !(self.go_on)() {
                        return stopped.store(true, Ordering::Relaxed);
                    }
                    let values = self.rows.look(self.kernels, &Which::Ids(ids), Form::Values, &mut room);
                    for row in values.chunks_exact(dim) {
                        sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x));
                    }
                }
                let count = of(cluster).len() as f64;
                if count > 0.0 {
                    center.iter_mut().zip(&sums).for_each(|(to, sum)| *to = (sum / count) as f32);
                }
            }
        });
        let empty = (0..k).filter(|&cluster| of(cluster).is_empty()).into_list();
        if !empty.is_empty() {
            let mut far: Vec<u32> = (0..places.len() as u32).into_list();
            let square = |&row: &u32| places[row as usize].square;
            far.sort_unstable_by(|a, b| square(b).total_cmp(&square(a)).then(a.cmp(b)));
            for (cluster, row) in empty.into_iter().zip(far) {
                let values = row_values(self.kernels, self.rows, row as usize);
                centers[cluster * dim..(cluster + 1) * dim].copy_from_slice(&values);
            }
        }
        !stopped.into_inner()
    }

    /// Draws centers, (k, dim), among the rows: each with a chance in proportion to the square of its distance to the
    /// nearest center so far, and of several candidates the one that leaves the smallest sum of squares. None if it was
    /// stopped.
    fn seeds(&self, k: usize, generator: &mut Generator) -> Result<Option<Vec<f32>>> {
        let dim = self.dim();
        let candidates = (2 + (k as f64).ln() as usize).min(PANEL);
        let mut centers = Vec::new();
        let first = (uniform(generator) * self.rows.len() as f64) as usize;
        centers.put_slice(&row_values(self.kernels, self.rows, first));
        let mut squares: Vec<f32> = filled(f32::INFINITY, self.rows.len());
        if !self.lower(&centers, &mut squares) {
            return Ok(None);
        }
        while centers.len() < k * dim {
            let sums = squares.chunks(CHUNK).map(|chunk| chunk.iter().map(|&x| f64::from(x)).sum::<f64>()).into_list();
            let total = sums.iter().sum::<f64>();
            let mut drawn = Vec::new();
            for _ in 0..candidates {
                let row = pick(&squares, &sums, uniform(generator) * total);
                drawn.put_slice(&row_values(self.kernels, self.rows, row));
            }
            let Some(left) = self.left(&drawn, &squares)? else { return Ok(None) };
            let best = (1..candidates).fold(0, |best, at| if left[at] < left[best] { at } else { best });
            let center = &drawn[best * dim..(best + 1) * dim];
            centers.put_slice(center);
            if !self.lower(center, &mut squares) {
                return Ok(None);
            }
        }
        Ok(Some(centers))
    }

    /// Lowers the square of each row's distance to that of a new center. Returns whether it finished.
    fn lower(&self, center: &[f32], squares: &mut [f32]) -> bool {
        let stopped = AtomicBool::new(false);
        parallel_rows(squares, 1, self.rows.row_bytes(), |range, squares| {
            let mut scored = Scored::default();
            let height = block_rows(self.dim());
            for (block, squares) in squares.chunks_mut(height).enumerate() {
                if !(self.go_on)() {
                    return stopped.store(true, Ordering::Relaxed);
                }
                let from = range.start + block * height;
                let rows = self.rows.scored(self.kernels, &Which::Range(from..from + squares.len()), &mut scored.room);
                let scores = &mut scored.scores[..squares.len()];
                self.kernels.scores_of(rows, center, Measure::Distances, scores, None);
                squares.iter_mut().zip(scores).for_each(|(square, score)| *square = square.min(*score));
            }
        });
        !stopped.into_inner()
    }

    /// The sum of squares that each candidate would leave; None if it was stopped.
    fn left(&self, candidates: &[f32], squares: &[f32]) -> Result<Option<Vec<f64>>> {
        let panels = Panels::new(candidates, self.dim())?;
        let stopped = AtomicBool::new(false);
        let mut parts: Vec<[f64; PANEL]> = filled([0.0; PANEL], squares.len().div_ceil(CHUNK));
        parallel_rows(&mut parts, 1, CHUNK.saturating_mul(self.rows.row_bytes()), |chunks, parts| {
            let mut scored = Scored::default();
            for (chunk, part) in chunks.zip(parts) {
                let range = chunk * CHUNK..squares.len().min((chunk + 1) * CHUNK);
                let finished = self.blocks(range, &mut scored, |block, values, scores| {
                    let scores = &mut scores[..block.len() * PANEL];
                    panels.scores(self.kernels, values, 0, Measure::Distances, scores);
                    for (&square, scores) in squares[block].iter().zip(scores.chunks_exact(PANEL)) {
                        part.iter_mut().zip(scores).for_each(|(sum, score)| *sum += f64::from(score.min(square)));
                    }
                });
                if !finished {
                    return stopped.store(true, Ordering::Relaxed);
                }
            }
        });
        let mut left = filled(0.0, PANEL);
        parts.iter().for_each(|part| left.iter_mut().zip(part).for_each(|(sum, part)| *sum += part));
        Ok((!stopped.into_inner()).then_some(left))
    }
}

/// The row at which the sum of squares passes `target`. `sums` are those of chunks.
fn pick(squares: &[f32], sums: &[f64], target: f64) -> usize {
    let mut before = 0.0;
    let mut chunk = 0;
    while chunk + 1 < sums.len() && before + sums[chunk] <= target {
        before += sums[chunk];
        chunk += 1;
    }
    let start = chunk * CHUNK;
    for (at, &square) in squares[start..squares.len().min(start + CHUNK)].iter().enumerate() {
        before += f64::from(square);
        if before > target {
            return start + at;
        }
    }
    squares.len() - 1
}
