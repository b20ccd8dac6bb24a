//! The rows that are nearest to vectors: an exact search in one pass over the rows for each batch of vectors. Scores
//! are compared block by block, and never all kept.

use super::GoOn;
use super::best::{Best, row_of, score_of};
use super::is_not_below;
use super::near::{Panels, Scored, bad_row, block_rows, cosine, inverses_of, invert, row_values, rows_of_few, unit};
use super::rows::{Form, Kind, SearchRows, Which};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::ops::products::panel_scores::PANEL;
use tokenbed_kernels::ops::products::scores::{Measure, dot_of_values};
use tokenbed_memory::{Gather, List, Slice, with_room};
use tokenbed_threads::parallel_ranges;

/// How a row and a vector are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// The cosine of the angle between them; 0 if either is zeros.
    Cosine,
    /// The dot product.
    Dot,
    /// The distance, negated.
    Euclidean,
    /// 1 - 2 h / bits, where h is the number of bits in which they differ.
    Hamming,
}

/// The vectors that are searched for.
#[derive(Clone, Copy, Debug)]
pub enum Queries<'a> {
    /// (queries, dim).
    Floats(&'a [f32]),
    /// (queries, bytes of a row), for rows of bits.
    Bits(&'a [u8]),
}

/// A search, apart from its vectors.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    /// The kernels.
    pub kernels: Kernels,
    /// The rows.
    pub rows: SearchRows<'a>,
    /// How they are compared.
    pub metric: Metric,
    /// The number of rows to find for each vector.
    pub k: usize,
    /// The rows that count, in ascending order and each once; None for all.
    pub among: Option<&'a [u32]>,
}

/// The rows that were found, the nearest first: `k` for each vector.
#[derive(Debug)]
pub struct Found<'a> {
    /// (queries, k).
    pub ids: &'a mut [i32],
    /// (queries, k).
    pub scores: &'a mut [f32],
}

/// Up to so many vectors are scored one at a time: rows are then read at the speed of memory.
const FEW: usize = 4;
/// The largest number of vectors in one pass over the rows.
const MOST_AT_ONCE: usize = 1024;
/// The largest number of bytes for what is kept of one pass, by each thread.
const KEPT_BYTES: usize = 64 << 20;
/// Rows of bits in a block.
const BLOCK_OF_BITS: usize = 1024;

/// Vectors as they enter sums.
struct Batch<'a> {
    floats: Vec<f32>,
    bits: &'a [u8],
    /// The sum of each vector's elements, for rows with a bias.
    sums: Vec<f32>,
    panels: Option<Panels>,
    count: usize,
}

/// What a thread keeps between its blocks.
struct State {
    best: Vec<Best>,
    scored: Scored,
    distances: Vec<u32>,
    /// Scores of rows of bits.
    negated: Vec<f32>,
}

/// Finds the rows with the highest scores for each vector; at equal scores the lower row comes first. `go_on` is asked
/// between blocks of rows. Returns whether it finished.
///
/// # Errors
/// [`Error::Shape`] for sizes that do not agree, [`Error::Usage`] for a vector that is not finite, for a row whose
/// score is not a number, and for more rows than there are.
pub fn top_k(search: &Search<'_>, queries: Queries<'_>, go_on: GoOn<'_>, found: Found<'_>) -> Result<bool> {
    let count = checked(search, queries, &found)?;
    let kept = search.k.saturating_mul(size_of::<u64>()).max(1);
    let at_once = (KEPT_BYTES / kept).clamp(1, MOST_AT_ONCE);
    let (dim, row_bytes) = (search.rows.dim(), search.rows.row_bytes());
    for first in (0..count).step_by(at_once) {
        let range = first..count.min(first + at_once);
        let part = match queries {
            Queries::Floats(floats) => Queries::Floats(&floats[range.start * dim..range.end * dim]),
            Queries::Bits(bits) => Queries::Bits(&bits[range.start * row_bytes..range.end * row_bytes]),
        };
        let batch = batch(search, part, range.len())?;
        let places = range.start * search.k..range.end * search.k;
        let out = Found { ids: &mut found.ids[places.clone()], scores: &mut found.scores[places] };
        if !pass(search, &batch, go_on, out)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Checks all sizes, and returns the number of vectors.
fn checked(search: &Search<'_>, queries: Queries<'_>, found: &Found<'_>) -> Result<usize> {
    let Search { rows, k, among, metric, .. } = *search;
    let (have, each, of_bits) = match queries {
        Queries::Floats(floats) => (floats.len(), rows.dim(), false),
        Queries::Bits(bits) => (bits.len(), rows.row_bytes(), true),
    };
    if of_bits != (rows.kind() == Kind::Bits) || of_bits != (metric == Metric::Hamming) {
        return Err(Error::Usage("bits are compared with bits, by hamming, and numbers with numbers".into()));
    }
    let count = have / each.max(1);
    if count * each != have || count.checked_mul(k) != Some(found.ids.len()) || found.ids.len() != found.scores.len() {
        return Err(Error::Shape(format!("{have} elements are not queries for {} results", found.ids.len())));
    }
    if let Some(ids) = among
        && (!ids.is_sorted_by(|a, b| a < b) || ids.last().is_some_and(|&id| id as usize >= rows.len()))
    {
        return Err(Error::Usage("the rows that count are out of order, or not there".into()));
    }
    let there = among.map_or(rows.len(), <[u32]>::len);
    if k == 0 || k > there {
        return Err(Error::Usage(format!("k must be from 1 to the number of rows that count, {there}, not {k}")));
    }
    Ok(count)
}

fn batch<'a>(search: &Search<'_>, queries: Queries<'a>, count: usize) -> Result<Batch<'a>> {
    let dim = search.rows.dim();
    let Queries::Floats(vectors) = queries else {
        let Queries::Bits(bits) = queries else { return Err(Error::Usage("no queries".into())) };
        return Ok(Batch { floats: Vec::new(), bits, sums: Vec::new(), panels: None, count });
    };
    if let Some(at) = vectors.iter().position(|x| !x.is_finite()) {
        return Err(Error::Usage(format!(
            "element {} of query {} is {}, not a finite number",
            at % dim,
            at / dim,
            vectors[at]
        )));
    }
    let mut floats = with_room(vectors.len());
    for vector in vectors.chunks_exact(dim) {
        if search.metric == Metric::Cosine {
            floats.put_slice(&unit(vector));
        } else {
            floats.put_slice(vector);
        }
    }
    let sum = |vector: &[f32]| vector.iter().map(|&x| f64::from(x)).sum::<f64>() as f32;
    let sums = floats.chunks_exact(dim).map(sum).into_list();
    let panels = if count > FEW { Some(Panels::new(&floats, dim)?) } else { None };
    Ok(Batch { floats, bits: &[], sums, panels, count })
}

/// One pass over the rows. Returns whether it finished.
fn pass(search: &Search<'_>, batch: &Batch<'_>, go_on: GoOn<'_>, out: Found<'_>) -> Result<bool> {
    let rows = search.rows;
    let there = search.among.map_or(rows.len(), <[u32]>::len);
    let height = match &batch.panels {
        _ if rows.kind() == Kind::Bits => BLOCK_OF_BITS,
        Some(_) => block_rows(rows.dim()),
        None => rows_of_few(rows.scored_bytes()),
    };
    let states: Mutex<Vec<State>> = Mutex::new(Vec::new());
    let (stopped, bad) = (AtomicBool::new(false), AtomicUsize::new(usize::MAX));
    let bytes = height.saturating_mul(rows.row_bytes()).saturating_mul(1 + batch.count / 4);
    parallel_ranges(there.div_ceil(height), bytes, |blocks| {
        let taken = states.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut state = taken.unwrap_or_else(|| State {
            best: (0..batch.count).map(|_| Best::new(search.k)).into_list(),
            scored: Scored::default(),
            distances: Vec::new(),
            negated: Vec::new(),
        });
        for block in blocks {
            if !go_on() {
                stopped.store(true, Ordering::Relaxed);
                break;
            }
            let range = block * height..there.min((block + 1) * height);
            let which = match search.among {
                Some(ids) => Which::Ids(&ids[range]),
                None => Which::Range(range),
            };
            if let Some(row) = score_block(search, batch, &which, &mut state) {
                bad.fetch_min(row, Ordering::Relaxed);
            }
        }
        states.lock().unwrap_or_else(PoisonError::into_inner).put(state);
    });
    if stopped.into_inner() {
        return Ok(false);
    }
    let bad = bad.into_inner();
    if bad != usize::MAX {
        return Err(bad_row(bad));
    }
    let states = states.into_inner().unwrap_or_else(PoisonError::into_inner);
    let results = out.ids.chunks_exact_mut(search.k).zip(out.scores.chunks_exact_mut(search.k));
    let mut keys: Vec<u64> = Vec::new();
    for (query, (ids, scores)) in results.enumerate() {
        keys.clear();
        states.iter().for_each(|state| keys.put_all(state.best[query].keys()));
        keys.sort_unstable_by(|a, b| b.cmp(a));
        for ((id, score), &key) in ids.iter_mut().zip(scores).zip(&keys) {
            *id = row_of(key).cast_signed();
            *score = score_of(key);
            if search.metric == Metric::Hamming {
                // The score was the number of bits that differ, negated.
                let bits = rows.dim() as f64;
                *score = ((bits + 2.0 * f64::from(*score)) / bits) as f32;
            }
        }
    }
    Ok(true)
}

/// Scores a block of rows with all vectors. Returns the first row whose score is not a number, if any.
fn score_block(search: &Search<'_>, batch: &Batch<'_>, which: &Which<'_>, state: &mut State) -> Option<usize> {
    match &batch.panels {
        _ if search.rows.kind() == Kind::Bits => score_bits(search, batch, which, state),
        Some(panels) => score_panels(search, batch, panels, which, state),
        None => score_few(search, batch, which, state),
    }
}

fn score_bits(search: &Search<'_>, batch: &Batch<'_>, which: &Which<'_>, state: &mut State) -> Option<usize> {
    let State { best, scored, distances, negated } = state;
    distances.fill_to(which.len(), 0);
    negated.fill_to(which.len(), 0.0);
    distances.truncate(which.len());
    negated.truncate(which.len());
    let bytes = search.rows.bytes(which, &mut scored.room);
    for (query, best) in batch.bits.chunks_exact(search.rows.row_bytes()).zip(best) {
        search.kernels.hamming(bytes, query, distances);
        // Rows have at most 2^24 bits, so that the number is exact.
        negated.iter_mut().zip(&*distances).for_each(|(score, &distance)| *score = -(distance.cast_signed() as f32));
        keep(best, which, negated);
    }
    None
}

/// The number of scores that are compared at once.
const AT_ONCE: usize = 16;

/// Offers the scores of a block. Returns the place of the first that is not a number.
fn keep(best: &mut Best, which: &Which<'_>, scores: &[f32]) -> Option<usize> {
    let mut bad = None;
    let mut least = best.least();
    for (chunk, scores) in scores.chunks(AT_ONCE).enumerate() {
        // NaN is not less than anything, so it is found here.
        if scores.iter().fold(true, |all, &score| all & (score < least)) {
            continue;
        }
        for (i, &score) in scores.iter().enumerate() {
            let at = chunk * AT_ONCE + i;
            if score.is_nan() {
                bad = bad.or(Some(which.row(at)));
            } else if score >= least {
                best.offer(score, which.row(at) as u32);
                least = best.least();
            }
        }
    }
    bad
}

fn measure_of(metric: Metric) -> Measure {
    if metric == Metric::Euclidean { Measure::Distances } else { Measure::Dots }
}

/// A vector at a time.
fn score_few(search: &Search<'_>, batch: &Batch<'_>, which: &Which<'_>, state: &mut State) -> Option<usize> {
    let &Search { kernels, rows, metric, .. } = search;
    let Scored { room, scores, inverses } = &mut state.scored;
    let (scores, inverses) = (&mut scores[..which.len()], &mut inverses[..which.len()]);
    let scored = rows.scored(kernels, which, room);
    let mut bad = None;
    for (j, query) in batch.floats.chunks_exact(rows.dim()).enumerate() {
        match metric {
            Metric::Euclidean => {
                kernels.scores_of(scored, query, Measure::Distances, scores, None);
                scores.iter_mut().for_each(|score| *score = -score.sqrt());
            }
            Metric::Cosine => {
                kernels.dots_of_values(scored, query, batch.sums[j], scores, Some(inverses));
                invert(inverses);
                settle(search, which, inverses);
                for (at, (score, inverse)) in scores.iter_mut().zip(&*inverses).enumerate() {
                    *score *= inverse;
                    if score.is_nan() {
                        *score = wide_cosine(search, query, which.row(at));
                    }
                }
            }
            Metric::Dot | Metric::Hamming => kernels.dots_of_values(scored, query, batch.sums[j], scores, None),
        }
        bad = bad.or(keep(&mut state.best[j], which, scores));
    }
    bad
}

/// The score of a sum of a panel, by the arithmetic of one vector.
#[inline(always)]
fn finished(search: &Search<'_>, sum: f32, (scale, bias): (f32, f32), of_query: f32, inverse: f32) -> f32 {
    match search.metric {
        Metric::Euclidean => -sum.sqrt(),
        _ => {
            let dot = if search.rows.is_scaled() { dot_of_values(sum, scale, bias, of_query) } else { sum };
            if search.metric == Metric::Cosine { dot * inverse } else { dot }
        }
    }
}

/// Settles rows of zeros, whose cosine with everything is 0.
fn settle(search: &Search<'_>, which: &Which<'_>, inverses: &mut [f32]) {
    for (at, inverse) in inverses.iter_mut().enumerate() {
        if inverse.is_nan() && row_values(search.kernels, search.rows, which.row(at)).iter().all(|&x| x == 0.0) {
            *inverse = 0.0;
        }
    }
}

/// The cosine in f64, for rows whose length float32 does not hold well: very short and very long ones.
#[cold]
fn wide_cosine(search: &Search<'_>, query: &[f32], row: usize) -> f32 {
    cosine(query, &row_values(search.kernels, search.rows, row)) as f32
}

/// A panel at a time.
fn score_panels(
    search: &Search<'_>,
    batch: &Batch<'_>,
    panels: &Panels,
    which: &Which<'_>,
    state: &mut State,
) -> Option<usize> {
    let &Search { kernels, rows, metric, .. } = search;
    let dim = rows.dim();
    let Scored { room, scores, inverses } = &mut state.scored;
    if metric == Metric::Cosine && rows.is_scaled() {
        // Lengths are those of the values, and products those of what is stored.
        let scored = rows.scored(kernels, which, room);
        let (dots, squares) = (&mut scores[..which.len()], &mut inverses[..which.len()]);
        kernels.scores_of(scored, &batch.floats[..dim], Measure::Dots, dots, Some(squares));
        invert(&mut inverses[..which.len()]);
    }
    let form = if metric == Metric::Euclidean { Form::Values } else { Form::Stored };
    let values = rows.look(kernels, which, form, room);
    if metric == Metric::Cosine && !rows.is_scaled() {
        inverses_of(kernels, values, dim, scores, inverses);
    }
    if metric == Metric::Cosine {
        settle(search, which, &mut inverses[..which.len()]);
    }
    let (scores, scales) = (&mut scores[..which.len() * PANEL], rows.scales());
    let mut bad: Option<usize> = None;
    for panel in 0..panels.len() {
        let vectors = panels.vectors(panel);
        panels.scores(kernels, values, panel, measure_of(metric), scores);
        let mut sums = [0.0; PANEL];
        sums[..vectors.len()].copy_from_slice(&batch.sums[vectors.clone()]);
        let mut least = [f32::INFINITY; PANEL];
        for (least, best) in least.iter_mut().zip(&state.best[vectors.clone()]) {
            *least = best.least();
        }
        for (at, scores) in scores.as_chunks_mut::<PANEL>().0.iter_mut().enumerate() {
            let scale = scales.of(which.row(at));
            for (score, &of_query) in scores.iter_mut().zip(&sums) {
                *score = finished(search, *score, scale, of_query, inverses[at]);
            }
            if scores[..vectors.len()].iter().zip(&least).fold(true, |all, (score, least)| all & (score < least)) {
                continue;
            }
            for (j, score) in scores[..vectors.len()].iter_mut().enumerate() {
                if is_not_below(*score, least[j]) {
                    let query = vectors.start + j;
                    if metric == Metric::Cosine && score.is_nan() {
                        *score = wide_cosine(search, &batch.floats[query * dim..(query + 1) * dim], which.row(at));
                    }
                    if score.is_nan() {
                        bad = bad.map_or(Some(which.row(at)), |row| Some(row.min(which.row(at))));
                        continue;
                    }
                    let best = &mut state.best[query];
                    best.offer(*score, which.row(at) as u32);
                    least[j] = best.least();
                }
            }
        }
    }
    bad
}

/// Ids in ascending order and each once, as [`Search::among`] takes them.
pub fn sorted_rows(ids: &[u32]) -> Vec<u32> {
    let mut sorted = ids.to_list();
    sorted.sort_unstable();
    sorted.dedup();
    sorted
}
