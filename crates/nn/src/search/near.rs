//! Vectors that rows are compared with, a panel at a time, and the blocks in which rows are read.

use super::rows::{Form, Room, SearchRows, Which, floats_scored};
use std::ops::Range;
use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::ops::products::panel_scores::{PANEL, panel_size, put_in_panel};
use tokenbed_kernels::ops::products::scores::Measure;
use tokenbed_memory::{Gather, List, filled, zeroed};

/// Bytes of rows, as f32, that are read together. They stay in the second-level cache for all panels.
const BLOCK_BYTES: usize = 128 << 10;
/// The largest number of rows in a block, so that their scores stay in the first-level cache. The tiles of the kernels
/// divide it.
pub(crate) const MOST_ROWS: usize = 120;
/// The same where each row has one score.
const MOST_ROWS_OF_FEW: usize = 1024;

/// The number of rows of `dim` elements in a block: whole tiles of the kernels.
pub(crate) fn block_rows(dim: usize) -> usize {
    (BLOCK_BYTES / (4 * dim.max(1)) / 12 * 12).clamp(12, MOST_ROWS)
}

/// The number of rows of `row_bytes` in a block that one vector after another meets: as many bytes, whatever elements
/// are made of.
pub(crate) fn rows_of_few(row_bytes: usize) -> usize {
    (BLOCK_BYTES / row_bytes.max(1)).clamp(12, MOST_ROWS_OF_FEW)
}

/// Vectors in panels.
#[derive(Debug)]
pub(crate) struct Panels {
    elements: Vec<f32>,
    count: usize,
    dim: usize,
}

impl Panels {
    /// # Errors
    /// [`Error::Shape`] if there are too many for any memory.
    pub(crate) fn new(vectors: &[f32], dim: usize) -> Result<Self> {
        let count = vectors.len() / dim;
        let size = panel_size(dim).and_then(|size| size.checked_mul(count.div_ceil(PANEL)));
        let size = size.ok_or_else(|| Error::Shape(format!("{count} vectors of {dim} are too many")))?;
        let mut elements: Vec<f32> = zeroed(size);
        for (panel, vectors) in elements.chunks_exact_mut(PANEL * dim).zip(vectors.chunks(PANEL * dim)) {
            for (j, vector) in vectors.chunks_exact(dim).enumerate() {
                put_in_panel(panel, j, vector);
            }
        }
        Ok(Self { elements, count, dim })
    }

    /// The number of panels.
    pub(crate) fn len(&self) -> usize {
        self.count.div_ceil(PANEL)
    }

    /// The vectors in a panel.
    pub(crate) fn vectors(&self, panel: usize) -> Range<usize> {
        panel * PANEL..self.count.min((panel + 1) * PANEL)
    }

    /// `scores` (rows, PANEL) = the scores of rows with the vectors of a panel.
    pub(crate) fn scores(&self, kernels: Kernels, rows: &[f32], panel: usize, measure: Measure, scores: &mut [f32]) {
        let elements = &self.elements[panel * PANEL * self.dim..(panel + 1) * PANEL * self.dim];
        kernels.panel_scores(rows, elements, self.vectors(panel).len(), measure, scores);
    }
}

/// Scores of a block, with buffers for them that are reused.
#[derive(Debug)]
pub(crate) struct Scored {
    pub(crate) room: Room,
    /// (rows, PANEL), or (rows) for one vector.
    pub(crate) scores: Vec<f32>,
    /// (rows): what a product is multiplied by to be a cosine; NaN where float32 does not hold the length well.
    pub(crate) inverses: Vec<f32>,
}

impl Default for Scored {
    fn default() -> Self {
        Self { room: Room::default(), scores: zeroed(MOST_ROWS * PANEL), inverses: zeroed(MOST_ROWS_OF_FEW) }
    }
}

/// Squares of lengths that float32 holds without loss.
const SAFE: Range<f32> = 1e-30..1e37;

/// Makes of the squares of lengths what products are multiplied by; NaN for those that float32 does not hold well.
pub(crate) fn invert(squares: &mut [f32]) {
    for square in squares {
        *square = if SAFE.contains(square) { 1.0 / square.sqrt() } else { f32::NAN };
    }
}

/// The inverse lengths of decoded rows, in `inverses`; `scores` is written, too.
pub(crate) fn inverses_of(kernels: Kernels, rows: &[f32], dim: usize, scores: &mut [f32], inverses: &mut [f32]) {
    let len = rows.len() / dim;
    // The dot products are not needed: any vector of that length will do.
    kernels.scores_of(
        floats_scored(rows, dim),
        &rows[..dim],
        Measure::Dots,
        &mut scores[..len],
        Some(&mut inverses[..len]),
    );
    invert(&mut inverses[..len]);
}

/// The dot product in f64.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
}

/// The cosine in f64; 0 if either is zeros.
pub(crate) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let (a_square, b_square) = (dot(a, a), dot(b, b));
    if a_square == 0.0 || b_square == 0.0 { 0.0 } else { dot(a, b) / (a_square.sqrt() * b_square.sqrt()) }
}

/// The vector of length 1 in the same direction; zeros stay.
pub(crate) fn unit(vector: &[f32]) -> Vec<f32> {
    let norm = dot(vector, vector).sqrt();
    let scale = if norm > 0.0 { 1.0 / norm } else { 0.0 };
    vector.iter().map(|&x| (f64::from(x) * scale) as f32).into_list()
}

/// The error for a row that cannot be compared.
pub(crate) fn bad_row(row: usize) -> Error {
    Error::Usage(format!(
        "row {row} has an element that is infinite or NaN, or elements too large for sums of float32: its scores are not numbers"
    ))
}

/// The first of some rows with an element that is not finite.
pub(crate) fn not_finite(values: &[f32], dim: usize) -> Option<usize> {
    let sum: f32 = values.iter().map(|x| x * 0.0).sum();
    if sum == 0.0 {
        return None;
    }
    values.iter().position(|x| !x.is_finite()).map(|at| at / dim)
}

/// The values of one row.
pub(crate) fn row_values(kernels: Kernels, rows: SearchRows<'_>, row: usize) -> Vec<f32> {
    let mut room = Room::default();
    let mut values = filled(0.0, 0);
    values.put_slice(rows.look(kernels, &Which::Range(row..row + 1), Form::Values, &mut room));
    values
}
