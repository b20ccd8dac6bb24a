//! The rows of a table that point most nearly where a vector points: exact, in one pass over the table.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::{Mutex, PoisonError};
use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_memory::{Gather, Heap, List};
use tokenbed_threads::{parallel_ranges, parallel_rows};

/// Rows of a table and how many elements each has.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    table: &'a [f32],
    dim: usize,
}

impl<'a> Rows<'a> {
    /// Of a table of whole rows.
    ///
    /// # Errors
    /// [`Error::Shape`] where the elements are none.
    pub fn new(table: &'a [f32], rows: usize, dim: usize) -> Result<Self> {
        if dim == 0 || rows.checked_mul(dim) != Some(table.len()) || u32::try_from(rows).is_err() {
            return Err(Error::Shape(format!("{} elements are not a table of {rows} x {dim}", table.len())));
        }
        Ok(Self { table, dim })
    }

    fn len(self) -> usize {
        self.table.len() / self.dim
    }
}

/// A row, and the cosine of the angle between it and what was asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbour {
    /// The row.
    pub id: u32,
    /// The cosine.
    pub similarity: f32,
}

impl Eq for Neighbour {}

impl Ord for Neighbour {
    /// The better one is less: the more similar, of equally similar ones the lower id.
    fn cmp(&self, other: &Self) -> Ordering {
        other.similarity.total_cmp(&self.similarity).then(self.id.cmp(&other.id))
    }
}

impl PartialOrd for Neighbour {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Rows that are scored before they are looked at: their scores stay in the first-level cache.
const BLOCK: usize = 256;

/// The vector of length 1 in the direction of `query`; the sum of squares is one of f64. A vector of zeros stays.
///
/// # Errors
/// [`Error::Shape`] for another number of elements than rows have; [`Error::Usage`] for a vector that has no direction,
/// because an element of it is infinite or NaN.
fn unit(query: &[f32], dim: usize) -> Result<Vec<f32>> {
    if query.len() != dim {
        return Err(Error::Shape(format!("a vector of {} elements, and rows have {dim}", query.len())));
    }
    let norm = query.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
    if !norm.is_finite() {
        return Err(Error::Usage("the vector has an element that is infinite or NaN: it points nowhere".into()));
    }
    let scale = if norm > 0.0 { 1.0 / norm } else { 0.0 };
    Ok(query.iter().map(|&x| (f64::from(x) * scale) as f32).into_list())
}

/// `dots[i]` becomes the cosine of row i: 0 of a row of zeros; NaN of one that has a NaN.
fn cosines(dots: &mut [f32], squares: &[f32]) {
    for (dot, square) in dots.iter_mut().zip(squares) {
        let cosine = *dot / square.sqrt();
        *dot = if *square == 0.0 { 0.0 } else { cosine };
    }
}

/// Scores rows `from ..`, as many as `dots` has room for.
fn score(kernels: Kernels, rows: Rows<'_>, query: &[f32], from: usize, dots: &mut [f32]) {
    let mut squares = [0.0; BLOCK];
    for (block, dots) in dots.chunks_mut(BLOCK).enumerate() {
        let first = (from + block * BLOCK) * rows.dim;
        let squares = &mut squares[..dots.len()];
        kernels.scores(&rows.table[first..first + dots.len() * rows.dim], query, dots, squares);
        cosines(dots, squares);
    }
}

/// The cosine of `query` with every row, in `out`: 0 of a row of zeros, and of all where the query is zeros.
///
/// # Errors
/// [`Error::Shape`] for sizes that do not go together; [`Error::Usage`] for a query that is not finite.
pub fn similarities(kernels: Kernels, rows: Rows<'_>, query: &[f32], out: &mut [f32]) -> Result<()> {
    let query = unit(query, rows.dim)?;
    if out.len() != rows.len() {
        return Err(Error::Shape(format!("room for {} similarities of {} rows", out.len(), rows.len())));
    }
    parallel_rows(out, 1, rows.dim * size_of::<f32>(), |range, out| score(kernels, rows, &query, range.start, out));
    Ok(())
}

/// The `top` rows that are most similar to `query`, the best first, of equally similar ones that with the lower id; but
/// none of `without`, and none whose similarity is NaN. The same whatever the number of threads.
///
/// # Errors
/// [`Error::Shape`] for a query of another length than rows; [`Error::Usage`] for one that is not finite.
pub fn nearest(kernels: Kernels, rows: Rows<'_>, query: &[f32], top: usize, without: &[u32]) -> Result<Vec<Neighbour>> {
    let query = unit(query, rows.dim)?;
    let wanted = top.saturating_add(without.len()).min(rows.len());
    let best = Mutex::new(Vec::new());
    parallel_ranges(rows.len(), rows.dim * size_of::<f32>(), |range| {
        let mut heap = BinaryHeap::new();
        let mut dots = [0.0; BLOCK];
        for from in range.clone().step_by(BLOCK) {
            let dots = &mut dots[..BLOCK.min(range.end - from)];
            score(kernels, rows, &query, from, dots);
            keep(&mut heap, wanted, from, dots);
        }
        best.lock().unwrap_or_else(PoisonError::into_inner).put_all(heap);
    });
    let mut best = best.into_inner().unwrap_or_else(PoisonError::into_inner);
    best.sort_unstable();
    best.retain(|neighbour| !without.contains(&neighbour.id));
    best.truncate(top);
    Ok(best)
}

/// Keeps the best so far: the heap's first is the worst of them.
fn keep(heap: &mut BinaryHeap<Neighbour>, wanted: usize, from: usize, similarities: &[f32]) {
    for (i, &similarity) in similarities.iter().enumerate() {
        // Rows come with ascending ids: an equally similar one is worse than what is there.
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
