//! Principal components: the directions in which rows differ most.
//!
//! They are the eigenvectors of the rows' covariance. If there are fewer rows than columns, the eigenvectors of the
//! matrix of products between rows are computed instead, from which the same directions follow. Both matrices are sums
//! over blocks of rows of one size, in float64, in the order of the rows, so the bits do not depend on the number of
//! threads. The eigenvectors come from nalgebra (Householder's tridiagonal form, then implicit QR); for large matrices
//! a few are computed without the others ([`leading`]).

use crate::leading::{Search, is_worth, leading};
use nalgebra::{DMatrix, SymmetricEigen};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokenbed_core::ops::matmul::{Matrices, Product, matmul};
use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_memory::{Gather, List, had, with_room, zeroed};
use tokenbed_threads::{parallel_ranges, parallel_rows};

/// Rows that are processed together: at usual widths they fit into the cache.
const BLOCK: usize = 512;
/// The maximal number of rounds of the eigenvalue iteration per row of a matrix; it takes two or three.
pub(crate) const ROUNDS: usize = 60;
/// A direction shorter than this part of the longest is rounding error and does not count.
const NOTHING: f64 = 1e-12;

/// The buffers for a result: see [`principal`].
#[derive(Debug)]
pub struct Components<'a> {
    /// (count, dim): directions of length 1, beginning with the one of the largest variance.
    pub directions: &'a mut [f64],
    /// (rows, count): the coordinates of the rows along the directions, relative to their mean.
    pub scores: &'a mut [f64],
    /// (count): the variance along each direction as a part of the total; 0 if all rows are equal.
    pub explained: &'a mut [f64],
}

/// Rows, (n, dim).
#[derive(Clone, Copy, Debug)]
struct Table<'a, T> {
    elements: &'a [T],
    dim: usize,
}

impl<T: Copy + Into<f64> + Sync> Table<'_, T> {
    fn rows(&self) -> usize {
        self.elements.len() / self.dim
    }

    fn blocks(&self) -> impl Iterator<Item = &[T]> {
        self.elements.chunks(BLOCK * self.dim)
    }

    /// Checks that every element is finite.
    fn check(&self) -> Result<()> {
        let first = AtomicUsize::new(usize::MAX);
        parallel_ranges(self.rows(), self.dim * size_of::<T>(), |rows| {
            let from = rows.start * self.dim;
            let mut elements = self.elements[from..rows.end * self.dim].iter();
            if let Some(at) = elements.position(|&x| !Into::<f64>::into(x).is_finite()) {
                first.fetch_min(from + at, Ordering::Relaxed);
            }
        });
        let at = first.into_inner();
        match self.elements.get(at) {
            None => Ok(()),
            Some(&element) => {
                let (row, column, element): (usize, usize, f64) = (at / self.dim, at % self.dim, element.into());
                Err(Error::Usage(format!("element [{row}, {column}] is {element}: rows must be finite")))
            }
        }
    }

    /// The mean of each column; None if `go_on` stopped it.
    fn mean(&self, go_on: &dyn Fn() -> bool) -> Option<Vec<f64>> {
        let mut mean = zeroed(self.dim);
        let rows = self.rows() as f64;
        for block in self.blocks() {
            if !go_on() {
                return None;
            }
            parallel_rows(&mut mean, 1, block.len() / self.dim * size_of::<f64>(), |columns, mean| {
                for row in block.chunks_exact(self.dim) {
                    for (sum, &element) in mean.iter_mut().zip(&row[columns.clone()]) {
                        let element: f64 = element.into();
                        *sum += element / rows;
                    }
                }
            });
        }
        Some(mean)
    }
}

/// Elements minus the means of their columns.
fn centre<T: Copy + Into<f64>>(elements: &[T], means: &[f64], out: &mut [f64]) {
    for ((to, &from), mean) in out.iter_mut().zip(elements).zip(means) {
        let from: f64 = from.into();
        *to = from - mean;
    }
}

/// Computes the principal components of rows (n, dim) of finite numbers, as many as `out` has room for. The sign of
/// each direction is chosen so that its element of the largest magnitude is positive. `go_on` is asked between blocks
/// of rows and of vectors. Returns whether the computation finished.
///
/// # Errors
/// [`Error::Usage`] for an element that is not finite; [`Error::Shape`] if sizes do not agree.
pub fn principal<T: Copy + Into<f64> + Sync>(
    kernels: Kernels,
    elements: &[T],
    dim: usize,
    go_on: &dyn Fn() -> bool,
    out: Components<'_>,
) -> Result<bool> {
    let count = out.explained.len();
    let rows = elements.len().checked_div(dim).unwrap_or(0);
    let fits = rows * dim == elements.len() && (1..=rows.min(dim)).contains(&count);
    if !fits || out.directions.len() != count * dim || out.scores.len() != rows * count {
        return Err(Error::Shape(format!("{rows} rows of {dim} elements do not match buffers for {count} components")));
    }
    let table = Table { elements, dim };
    table.check()?;
    let Some(mean) = table.mean(go_on) else { return Ok(false) };
    let directions = out.directions;
    let found = if dim <= rows {
        let Some(covariance) = covariance(kernels, table, &mean, go_on)? else { return Ok(false) };
        let Some(found) = eigen(kernels, covariance, dim, count, go_on)? else { return Ok(false) };
        directions.copy_from_slice(&found.vectors);
        found
    } else {
        let mut centred = zeroed(elements.len());
        for (row, out) in elements.chunks_exact(dim).zip(centred.chunks_exact_mut(dim)) {
            centre(row, &mean, out);
        }
        let Some(products) = row_products(kernels, &centred, rows, dim, go_on)? else { return Ok(false) };
        let Some(found) = eigen(kernels, products, rows, count, go_on)? else { return Ok(false) };
        for (direction, vector) in directions.chunks_exact_mut(dim).zip(found.vectors.chunks_exact(rows)) {
            for (row, &weight) in centred.chunks_exact(dim).zip(vector) {
                direction.iter_mut().zip(row).for_each(|(to, x)| *to += weight * x);
            }
        }
        found
    };
    let Eigen { values, total, .. } = found;
    let longest = values.first().map_or(0.0, |value| value.sqrt());
    orthonormal(directions, dim, longest * NOTHING);
    directions.chunks_exact_mut(dim).for_each(make_positive);
    for (part, value) in out.explained.iter_mut().zip(&values) {
        *part = if total > 0.0 { value / total } else { 0.0 };
    }
    for (block, scores) in table.blocks().zip(out.scores.chunks_mut(BLOCK * count)) {
        if !go_on() {
            return Ok(false);
        }
        parallel_rows(scores, count, dim * size_of::<f64>(), |rows, scores| {
            let mut centred = zeroed(dim);
            for (i, scores) in rows.zip(scores.chunks_exact_mut(count)) {
                centre(&block[i * dim..][..dim], &mean, &mut centred);
                let along = directions.chunks_exact(dim).map(|direction| dot(&centred, direction));
                scores.iter_mut().zip(along).for_each(|(to, value)| *to = value);
            }
        });
    }
    Ok(true)
}

/// The maximal number of columns that are multiplied with each other at a time.
const PANEL: usize = 128;

/// Pairs of panels of columns. Their products cover the part of a symmetric matrix on and above its diagonal.
struct Panels {
    /// The number of columns of the matrix.
    dim: usize,
    /// The number of columns in a panel; the last panel may have fewer.
    width: usize,
    /// The two panels of each pair.
    left: Vec<usize>,
    right: Vec<usize>,
}

impl Panels {
    fn new(dim: usize) -> Self {
        let width = dim.div_ceil(dim.div_ceil(PANEL));
        let panels = dim.div_ceil(width);
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for i in 0..panels {
            left.put_all(std::iter::repeat_n(i, panels - i));
            right.put_all(i..panels);
        }
        Self { dim, width, left, right }
    }

    fn columns(&self, panel: usize) -> Range<usize> {
        panel * self.width..self.dim.min((panel + 1) * self.width)
    }

    /// Writes the products of all pairs, (pairs, width, width), to both sides of the diagonal of a matrix (dim, dim).
    fn unfold(&self, products: &[f64], out: &mut [f64]) {
        let pairs = self.left.iter().zip(&self.right).zip(products.chunks_exact(self.width * self.width));
        for ((&left, &right), products) in pairs {
            for (row, products) in self.columns(left).zip(products.chunks_exact(self.width)) {
                for (column, &product) in self.columns(right).zip(products) {
                    out[row * self.dim + column] = product;
                    out[column * self.dim + row] = product;
                }
            }
        }
    }
}

/// (dim, dim): the sum, over all rows minus their mean, of the products of their elements.
fn covariance<T: Copy + Into<f64> + Sync>(
    kernels: Kernels,
    table: Table<'_, T>,
    mean: &[f64],
    go_on: &dyn Fn() -> bool,
) -> Result<Option<Vec<f64>>> {
    let dim = table.dim;
    let size = dim.checked_mul(dim).ok_or_else(|| Error::Shape(format!("{dim} columns are too many")))?;
    let panels = Panels::new(dim);
    let (width, pairs) = (panels.width, panels.left.len());
    let (mut all, mut one) = (zeroed(pairs * width * width), zeroed(pairs * width * width));
    let mut centred = zeroed(dim.div_ceil(width) * table.rows().min(BLOCK) * width);
    for block in table.blocks() {
        if !go_on() {
            return Ok(None);
        }
        let height = block.len() / dim;
        // (panels, height, width). The last panel may have columns that are never read.
        let centred = &mut centred[..dim.div_ceil(width) * height * width];
        parallel_rows(centred, height * width, height * width * size_of::<f64>(), |numbers, parts| {
            for (panel, part) in numbers.zip(parts.chunks_exact_mut(height * width)) {
                let columns = panels.columns(panel);
                for (row, out) in block.chunks_exact(dim).zip(part.chunks_exact_mut(width)) {
                    centre(&row[columns.clone()], &mean[columns.clone()], out);
                }
            }
        });
        let sizes = Product { rows: width, inner: height, columns: width };
        let a = Matrices { elements: centred, of: &panels.left, transposed: true };
        let b = Matrices { elements: centred, of: &panels.right, transposed: false };
        matmul(kernels, sizes, 1, a, b, &mut one)?;
        parallel_rows(&mut all, 1, 2 * size_of::<f64>(), |range, all| {
            all.iter_mut().zip(&one[range]).for_each(|(sum, product)| *sum += product);
        });
    }
    let mut whole = zeroed(size);
    panels.unfold(&all, &mut whole);
    Ok(Some(whole))
}

/// (rows, rows): the product of every row with every other.
fn row_products(
    kernels: Kernels,
    centred: &[f64],
    rows: usize,
    dim: usize,
    go_on: &dyn Fn() -> bool,
) -> Result<Option<Vec<f64>>> {
    let size = rows.checked_mul(rows).ok_or_else(|| Error::Shape(format!("{rows} rows are too many")))?;
    let mut all = zeroed(size);
    for (block, out) in centred.chunks(BLOCK * dim).zip(all.chunks_mut(BLOCK * rows)) {
        if !go_on() {
            return Ok(None);
        }
        let sizes = Product { rows: block.len() / dim, inner: dim, columns: rows };
        let a = Matrices { elements: block, of: &[0], transposed: false };
        let b = Matrices { elements: centred, of: &[0], transposed: true };
        matmul(kernels, sizes, 1, a, b, out)?;
    }
    Ok(Some(all))
}

/// Eigenvectors of a symmetric matrix.
struct Eigen {
    /// (count): eigenvalues, the largest first.
    values: Vec<f64>,
    /// (count, size): the eigenvectors.
    vectors: Vec<f64>,
    /// The sum of all eigenvalues.
    total: f64,
}

/// The `count` largest eigenvalues of a matrix (size, size) and their vectors; None if `go_on` stopped it.
fn eigen(
    kernels: Kernels,
    matrix: Vec<f64>,
    size: usize,
    count: usize,
    go_on: &dyn Fn() -> bool,
) -> Result<Option<Eigen>> {
    let total = (0..size).map(|i| matrix[i * size + i]).sum();
    if is_worth(size, count) {
        match leading(kernels, &matrix, size, count, go_on)? {
            Search::Found(found) => {
                let values = found.values.iter().map(|value| value.max(0.0)).into_list();
                return Ok(Some(Eigen { values, vectors: found.vectors, total }));
            }
            Search::Ended => return Ok(None),
            Search::Slow => {}
        }
    }
    // The library allocates three matrices of this size, and ends the process if there is no memory for them.
    had(3 * size_of_val(&matrix[..]));
    let found = SymmetricEigen::try_new(DMatrix::from_vec(size, size, matrix), f64::EPSILON, ROUNDS * size);
    let found = found.ok_or_else(|| Error::Usage("no eigenvalues of these rows were found".into()))?;
    let mut order: Vec<(f64, usize)> = found.eigenvalues.iter().map(|value| value.max(0.0)).zip(0..).into_list();
    order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    order.truncate(count);
    let mut vectors = with_room(count * size);
    order.iter().for_each(|&(_, column)| vectors.put_slice(&found.eigenvectors.as_slice()[column * size..][..size]));
    Ok(Some(Eigen { values: order.iter().map(|&(value, _)| value).into_list(), vectors, total }))
}

/// Makes the rows orthogonal, each of length 1, in their order. It does so twice, so that no part of one remains in
/// another. Rows that are not longer than `nothing` are replaced by directions that are orthogonal to all rows before.
fn orthonormal(rows: &mut [f64], dim: usize, nothing: f64) {
    for at in (0..rows.len()).step_by(dim) {
        let (before, rest) = rows.split_at_mut(at);
        let row = &mut rest[..dim];
        if dot(row, row).sqrt() <= nothing {
            row.fill(0.0);
        }
        // Among `dim` axes, at least one is far enough from fewer than `dim` directions.
        for axis in 0..=dim {
            for _ in 0..2 {
                for other in before.chunks_exact(dim) {
                    let times = dot(row, other);
                    row.iter_mut().zip(other).for_each(|(to, x)| *to -= times * x);
                }
                let length = dot(row, row).sqrt();
                let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
                row.iter_mut().for_each(|x| *x *= scale);
            }
            if axis == dim || dot(row, row) > 0.5 {
                break;
            }
            row.fill(0.0);
            row[axis] = 1.0;
        }
    }
}

/// Negates a direction if its element of the largest magnitude is negative.
fn make_positive(row: &mut [f64]) {
    let largest = row.iter().fold(0.0f64, |largest, &x| if x.abs() > largest.abs() { x } else { largest });
    if largest < 0.0 {
        row.iter_mut().for_each(|x| *x = -*x);
    }
}

/// The length of a vector.
pub(crate) fn norm(row: &[f64]) -> f64 {
    dot(row, row).sqrt()
}

/// The dot product, summed in eight lanes.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (a, b) in a.iter().zip(b) {
        for i in 0..8 {
            lanes[i] += a[i] * b[i];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use tokenbed_kernels::dispatch::active;

    struct Found {
        directions: Vec<f64>,
        scores: Vec<f64>,
        explained: Vec<f64>,
    }

    fn components(elements: &[f64], dim: usize, count: usize) -> Found {
        let mut found = Found {
            directions: vec![0.0; count * dim],
            scores: vec![0.0; elements.len() / dim * count],
            explained: vec![0.0; count],
        };
        let Found { directions, scores, explained } = &mut found;
        assert!(principal(active(), elements, dim, &|| true, Components { directions, scores, explained }).unwrap());
        found
    }

    /// Pseudo-random numbers from -1 to 1.
    fn noise(count: usize) -> Vec<f64> {
        let mut state = 1u64;
        let next = |state: &mut u64| {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (*state >> 33) as f64 / f64::from(1u32 << 30) - 1.0
        };
        (0..count).map(|_| next(&mut state)).collect()
    }

    #[test]
    fn wide_rows_and_tall_ones_have_the_same_components() {
        // The rows beside copies of themselves: they have as many directions, each with twice the variance.
        let (rows, dim) = (30, 40);
        let wide = noise(rows * dim);
        let tall = [&wide[..], &wide].concat();
        let (one, two) = (components(&wide, dim, 5), components(&tall, dim, 5));
        one.directions.iter().zip(&two.directions).for_each(|(a, b)| assert!((a - b).abs() < 1e-9, "{a} {b}"));
        one.explained.iter().zip(&two.explained).for_each(|(a, b)| assert!((a - b).abs() < 1e-12, "{a} {b}"));
        one.scores.iter().zip(&two.scores).for_each(|(a, b)| assert!((a - b).abs() < 1e-8, "{a} {b}"));
    }

    #[test]
    fn directions_without_variance_are_still_orthonormal() {
        for (elements, dim) in [(vec![0.0; 12], 3), (vec![0.0; 12], 6), (vec![1.0, 2.0, 3.0, 2.0, 4.0, 6.0], 3)] {
            let count = (elements.len() / dim).min(dim);
            let Found { directions, explained, .. } = components(&elements, dim, count);
            for (i, a) in directions.chunks(dim).enumerate() {
                for (j, b) in directions.chunks(dim).enumerate() {
                    let expected = if i == j { 1.0 } else { 0.0 };
                    assert!((dot(a, b) - expected).abs() < 1e-12, "{i} {j} {directions:?}");
                }
            }
            assert!(explained.iter().sum::<f64>() < 1.0 + 1e-12);
        }
    }

    #[test]
    fn all_variance_is_explained_by_all_directions() {
        let found = components(&noise(600), 6, 6);
        assert!((found.explained.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(found.explained.is_sorted_by(|a, b| a >= b));
    }

    #[test]
    fn rejects_bad_inputs() {
        let mut room = [0.0; 4];
        let [directions, scores] = [&mut [0.0; 2][..], &mut [0.0; 2]];
        let out = Components { directions, scores, explained: &mut room[..1] };
        let error = principal(active(), &[1.0, f64::NAN, 0.0, 0.0], 2, &|| true, out).unwrap_err();
        assert!(error.to_string().contains("element [0, 1] is NaN"), "{error}");
        let out = Components { directions: &mut [], scores: &mut [], explained: &mut room[..3] };
        assert_eq!(principal(active(), &[1.0; 4], 2, &|| true, out).unwrap_err().code(), "SHAPE");
    }

    #[test]
    fn stops_when_told() {
        let [directions, scores, explained] = [&mut [0.0; 2][..], &mut [0.0; 2], &mut [0.0; 1]];
        assert!(
            !principal(active(), &[1.0, 2.0, 3.0, 5.0], 2, &|| false, Components { directions, scores, explained })
                .unwrap()
        );
    }
}
