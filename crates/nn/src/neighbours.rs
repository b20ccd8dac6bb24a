//! The rows of a table whose directions are closest to a vector's: an exact search, in one pass over the table.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::{Mutex, PoisonError};
use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_memory::{Gather, Heap, List, filled};
use tokenbed_threads::{parallel_ranges, parallel_rows};

/// The rows of a table, and their length.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    table: &'a [f32],
    dim: usize,
    norms: Option<&'a [f32]>,
}

impl<'a> Rows<'a> {
    /// The rows of a whole table.
    ///
    /// # Errors
    /// [`Error::Shape`] if the elements are not `rows` rows of `dim`.
    pub fn new(table: &'a [f32], rows: usize, dim: usize) -> Result<Self> {
        if dim == 0 || rows.checked_mul(dim) != Some(table.len()) || u32::try_from(rows).is_err() {
            return Err(Error::Shape(format!("{} elements are not a table of {rows} x {dim}", table.len())));
        }
        Ok(Self { table, dim, norms: None })
    }

    /// The same rows, with the norms that [`norms`] gave for them earlier: they are not computed again.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are not as many norms as rows.
    pub fn with_norms(self, norms: &'a [f32]) -> Result<Self> {
        if norms.len() < self.rows() {
            return Err(Error::Shape(format!("there are {} norms for {} rows", norms.len(), self.rows())));
        }
        Ok(Self { norms: Some(norms), ..self })
    }
}

/// Rows that are searched: those of a table, or rows that are made as they are needed.
pub trait Searched: Copy + Sync {
    /// Number of rows.
    fn rows(self) -> usize;
    /// Length of a row.
    fn dim(self) -> usize;
    /// Number of bytes that are read for a row.
    fn row_bytes(self) -> usize;
    /// The norms of all rows, if they were computed before.
    fn norms(&self) -> Option<&[f32]> {
        None
    }
    /// The elements of rows `from .. from + count`. Those that have to be made are written to `room`.
    fn block<'a>(&'a self, from: usize, count: usize, room: &'a mut Vec<f32>) -> &'a [f32];
}

impl Searched for Rows<'_> {
    fn rows(self) -> usize {
        self.table.len() / self.dim
    }

    fn dim(self) -> usize {
        self.dim
    }

    fn row_bytes(self) -> usize {
        self.dim * size_of::<f32>()
    }

    fn norms(&self) -> Option<&[f32]> {
        self.norms
    }

    fn block<'a>(&'a self, from: usize, count: usize, _: &'a mut Vec<f32>) -> &'a [f32] {
        &self.table[from * self.dim..(from + count) * self.dim]
    }
}

/// A row, and the cosine of the angle between it and the query.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbour {
    /// The number of the row.
    pub id: u32,
    /// The cosine.
    pub similarity: f32,
}

impl Eq for Neighbour {}

impl Ord for Neighbour {
    /// Compares so that the better neighbour is less: the more similar one or, at equal similarity, the one with the
    /// lower id.
    fn cmp(&self, other: &Self) -> Ordering {
        other.similarity.total_cmp(&self.similarity).then(self.id.cmp(&other.id))
    }
}

impl PartialOrd for Neighbour {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Rows that are scored before the scores are compared: the scores stay in the first-level cache.
const BLOCK: usize = 256;

/// The vector of length 1 in the direction of `query`. The squares are summed in f64. A vector of zeros stays.
///
/// # Errors
/// [`Error::Shape`] if the length is not that of the rows; [`Error::Usage`] for a vector without a direction, because
/// an element is infinite or NaN.
fn unit(query: &[f32], dim: usize) -> Result<Vec<f32>> {
    if query.len() != dim {
        return Err(Error::Shape(format!("the vector has {} elements, but rows have {dim}", query.len())));
    }
    let norm = query.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
    if !norm.is_finite() {
        return Err(Error::Usage("the vector has an element that is infinite or NaN, so it has no direction".into()));
    }
    let scale = if norm > 0.0 { 1.0 / norm } else { 0.0 };
    Ok(query.iter().map(|&x| (f64::from(x) * scale) as f32).into_list())
}

/// Turns `dots[i]` into the cosine of row i: 0 for a row of zeros, NaN for a row that contains NaN.
fn cosines(dots: &mut [f32], norms: &[f32]) {
    for (dot, norm) in dots.iter_mut().zip(norms) {
        let cosine = *dot / norm;
        *dot = if *norm == 0.0 { 0.0 } else { cosine };
    }
}

/// Scores rows `from ..`, until `dots` is full. `room` is for rows that are made.
fn score<R: Searched>(kernels: Kernels, rows: R, query: &[f32], from: usize, dots: &mut [f32], room: &mut Vec<f32>) {
    let mut squares = [0.0; BLOCK];
    for (block, dots) in dots.chunks_mut(BLOCK).enumerate() {
        let first = from + block * BLOCK;
        let table = rows.block(first, dots.len(), room);
        if let Some(norms) = rows.norms() {
            kernels.scores(table, query, dots, &mut []);
            cosines(dots, &norms[first..]);
            continue;
        }
        let squares = &mut squares[..dots.len()];
        kernels.scores(table, query, dots, squares);
        squares.iter_mut().for_each(|square| *square = square.sqrt());
        cosines(dots, squares);
    }
}

/// The norm of every row, in `out`, as searches compute it.
///
/// # Errors
/// [`Error::Shape`] if `out` has another size.
pub fn norms(kernels: Kernels, rows: Rows<'_>, out: &mut [f32]) -> Result<()> {
    if out.len() != rows.rows() {
        return Err(Error::Shape(format!("the result has {} elements for {} rows", out.len(), rows.rows())));
    }
    let query = filled(0.0, rows.dim);
    parallel_rows(out, 1, rows.dim * size_of::<f32>(), |range, out| {
        let mut dots = [0.0; BLOCK];
        for (block, out) in out.chunks_mut(BLOCK).enumerate() {
            let first = (range.start + block * BLOCK) * rows.dim;
            let table = &rows.table[first..first + out.len() * rows.dim];
            kernels.scores(table, &query, &mut dots[..out.len()], out);
            out.iter_mut().for_each(|square| *square = square.sqrt());
        }
    });
    Ok(())
}

/// The cosine of `query` with every row, in `out`: 0 for rows of zeros, and 0 for all rows if the query is zeros.
///
/// # Errors
/// [`Error::Shape`] for sizes that do not agree; [`Error::Usage`] for a query that is not finite.
pub fn similarities<R: Searched>(kernels: Kernels, rows: R, query: &[f32], out: &mut [f32]) -> Result<()> {
    let query = unit(query, rows.dim())?;
    if out.len() != rows.rows() {
        return Err(Error::Shape(format!("the result has {} elements for {} rows", out.len(), rows.rows())));
    }
    parallel_rows(out, 1, rows.row_bytes(), |range, out| {
        score(kernels, rows, &query, range.start, out, &mut Vec::new());
    });
    Ok(())
}

/// The `top` rows that are most similar to `query`, the best first; at equal similarity the lower id comes first. Rows
/// in `without`, and rows whose similarity is NaN, are left out. The result is the same on any number of threads.
///
/// # Errors
/// [`Error::Shape`] if the length of the query is not that of the rows; [`Error::Usage`] for a query that is not
/// finite.
pub fn nearest<R: Searched>(
    kernels: Kernels,
    rows: R,
    query: &[f32],
    top: usize,
    without: &[u32],
) -> Result<Vec<Neighbour>> {
    let asked = Asked { query, without };
    Ok(nearest_of_each(kernels, rows, &[asked], top)?.pop().unwrap_or_default())
}

/// A vector whose neighbours are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The vector, with as many elements as the rows.
    pub query: &'a [f32],
    /// Rows that are no neighbours of it.
    pub without: &'a [u32],
}

/// [`nearest`] for each of several vectors, in one pass over the table: a block of rows is scored for all of them while
/// it is in the cache. Each has the result that it would have alone.
///
/// # Errors
/// Those of [`nearest`], for the first vector that has one.
pub fn nearest_of_each<R: Searched>(
    kernels: Kernels,
    rows: R,
    asked: &[Asked<'_>],
    top: usize,
) -> Result<Vec<Vec<Neighbour>>> {
    let units: Vec<Vec<f32>> = asked.iter().map(|one| unit(one.query, rows.dim())).try_into_list()?;
    let wanted = |one: &Asked<'_>| top.saturating_add(one.without.len()).min(rows.rows());
    let best: Vec<Mutex<Vec<Neighbour>>> = asked.iter().map(|_| Mutex::default()).into_list();
    let cost = rows.row_bytes().saturating_mul(asked.len().max(1));
    parallel_ranges(rows.rows(), cost, |range| {
        let mut heaps: Vec<BinaryHeap<Neighbour>> = asked.iter().map(|_| BinaryHeap::new()).into_list();
        let (mut dots, mut room) = ([0.0; BLOCK], Vec::new());
        for from in range.clone().step_by(BLOCK) {
            let dots = &mut dots[..BLOCK.min(range.end - from)];
            for ((heap, one), query) in heaps.iter_mut().zip(asked).zip(&units) {
                score(kernels, rows, query, from, dots, &mut room);
                keep(heap, wanted(one), from, dots);
            }
        }
        for (best, heap) in best.iter().zip(heaps) {
            best.lock().unwrap_or_else(PoisonError::into_inner).put_all(heap);
        }
    });
    let found = best.into_iter().zip(asked).map(|(best, one)| {
        let mut best = best.into_inner().unwrap_or_else(PoisonError::into_inner);
        best.sort_unstable();
        best.retain(|neighbour| !one.without.contains(&neighbour.id));
        best.truncate(top);
        best
    });
    Ok(found.into_list())
}

/// Keeps the best neighbours so far: the first in the heap is the worst of them.
fn keep(heap: &mut BinaryHeap<Neighbour>, wanted: usize, from: usize, similarities: &[f32]) {
    for (i, &similarity) in similarities.iter().enumerate() {
        // Rows come with ascending ids, so a row of equal similarity is worse than those in the heap.
        let has_room = heap.len() < wanted;
        let enters = has_room || heap.peek().is_some_and(|worst| similarity > worst.similarity);
        if !enters || similarity.is_nan() {
            continue;
        }
        if !has_room {
            heap.pop();
        }
        heap.put(Neighbour { id: (from + i) as u32, similarity });
    }
}
