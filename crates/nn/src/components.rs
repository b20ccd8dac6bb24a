//! Principal components: the directions in which rows differ most.
//!
//! The eigenvectors of the rows' covariance, or where there are fewer rows than columns those of the rows' products with each
//! other, from which the same directions follow. Both matrices are sums over blocks of rows of one size, in float64, in the
//! order of the rows: the bits do not depend on the machine's threads. The eigenvectors are nalgebra's (Householder's
//! tridiagonal form, then implicit QR).

use nalgebra::{DMatrix, SymmetricEigen};
use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::ops::products::matmul::{Matrices, Product, Tiles};
use tokenbed_memory::{Gather, had, zeroed};

/// Rows that are looked at together: of usual widths they fit into the cache.
const BLOCK: usize = 512;
/// Rounds of the eigenvalue iteration for each row of a matrix: it takes two or three.
const ROUNDS: usize = 60;
/// A direction shorter than this part of the longest is rounding, and none.
const NOTHING: f64 = 1e-12;

/// Where a result goes: see [`principal`].
#[derive(Debug)]
pub struct Components<'a> {
    /// (count, dim): directions of length 1, that with the largest variance first.
    pub directions: &'a mut [f64],
    /// (rows, count): where the rows lie along them, from their mean.
    pub scores: &'a mut [f64],
    /// (count): the variance along each as a part of all there is; 0 where the rows do not differ.
    pub explained: &'a mut [f64],
}

/// Rows, (n, dim).
#[derive(Clone, Copy, Debug)]
struct Table<'a, T> {
    elements: &'a [T],
    dim: usize,
}

impl<T: Copy + Into<f64>> Table<'_, T> {
    fn blocks(&self) -> impl Iterator<Item = &[T]> {
        self.elements.chunks(BLOCK * self.dim)
    }

    /// The mean of each column.
    fn mean(&self) -> Result<Vec<f64>> {
        let mut mean = zeroed(self.dim);
        let rows = self.elements.len() / self.dim;
        for (i, row) in self.elements.chunks_exact(self.dim).enumerate() {
            for (d, (sum, &element)) in mean.iter_mut().zip(row).enumerate() {
                let element: f64 = element.into();
                if !element.is_finite() {
                    return Err(Error::Usage(format!("element [{i}, {d}] is {element}: rows must be finite")));
                }
                *sum += element / rows as f64;
            }
        }
        Ok(mean)
    }

    /// A block less the mean.
    fn centre(&self, block: &[T], mean: &[f64], out: &mut [f64]) {
        for (row, out) in block.chunks_exact(self.dim).zip(out.chunks_exact_mut(self.dim)) {
            for ((to, &from), mean) in out.iter_mut().zip(row).zip(mean) {
                let from: f64 = from.into();
                *to = from - mean;
            }
        }
    }
}

/// The principal components of rows (n, dim) of finite numbers, as many as there is room for in `out`; each direction such that
/// its element of the largest magnitude is positive. Whether it came to its end: `go_on` is asked between blocks of rows.
///
/// # Errors
/// [`Error::Usage`] for an element that is not finite; [`Error::Shape`] where sizes do not agree.
pub fn principal<T: Copy + Into<f64>>(
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
        return Err(Error::Shape(format!("{count} components of {rows} rows of {dim}")));
    }
    let table = Table { elements, dim };
    let mean = table.mean()?;
    let directions = out.directions;
    let (values, total) = if dim <= rows {
        let Some(covariance) = covariance(kernels, table, &mean, go_on)? else { return Ok(false) };
        let found = eigen(&covariance, dim)?;
        for (direction, &(_, column)) in directions.chunks_exact_mut(dim).zip(&found.order) {
            direction.copy_from_slice(found.vector(column));
        }
        (found.values(count), found.total)
    } else {
        let mut centred = zeroed(elements.len());
        table.centre(elements, &mean, &mut centred);
        let Some(products) = row_products(kernels, &centred, rows, dim, go_on)? else { return Ok(false) };
        let found = eigen(&products, rows)?;
        for (direction, &(_, column)) in directions.chunks_exact_mut(dim).zip(&found.order) {
            for (row, &weight) in centred.chunks_exact(dim).zip(found.vector(column)) {
                direction.iter_mut().zip(row).for_each(|(to, x)| *to += weight * x);
            }
        }
        (found.values(count), found.total)
    };
    let longest = values.first().map_or(0.0, |value| value.sqrt());
    orthonormal(directions, dim, longest * NOTHING);
    directions.chunks_exact_mut(dim).for_each(make_positive);
    for (part, value) in out.explained.iter_mut().zip(&values) {
        *part = if total > 0.0 { value / total } else { 0.0 };
    }
    let mut centred = zeroed(BLOCK.min(rows) * dim);
    for (block, scores) in table.blocks().zip(out.scores.chunks_mut(BLOCK * count)) {
        if !go_on() {
            return Ok(false);
        }
        let centred = &mut centred[..block.len()];
        table.centre(block, &mean, centred);
        for (row, scores) in centred.chunks_exact(dim).zip(scores.chunks_exact_mut(count)) {
            let along = directions.chunks_exact(dim).map(|direction| dot(row, direction));
            scores.iter_mut().zip(along).for_each(|(to, value)| *to = value);
        }
    }
    Ok(true)
}

/// (dim, dim): the sum over all rows, less their mean, of products of their elements.
fn covariance<T: Copy + Into<f64>>(
    kernels: Kernels,
    table: Table<'_, T>,
    mean: &[f64],
    go_on: &dyn Fn() -> bool,
) -> Result<Option<Vec<f64>>> {
    let dim = table.dim;
    let size = dim.checked_mul(dim).ok_or_else(|| Error::Shape(format!("{dim} columns")))?;
    let (mut all, mut one) = (zeroed(size), zeroed(size));
    let mut centred = zeroed(table.elements.len().min(BLOCK * dim));
    for block in table.blocks() {
        if !go_on() {
            return Ok(None);
        }
        let centred = &mut centred[..block.len()];
        table.centre(block, mean, centred);
        let sizes = Product { rows: dim, inner: block.len() / dim, columns: dim };
        multiply(kernels, sizes, (centred, true), (centred, false), &mut one)?;
        all.iter_mut().zip(&one).for_each(|(sum, product)| *sum += product);
    }
    Ok(Some(all))
}

/// (rows, rows): the product of every row with every other.
fn row_products(
    kernels: Kernels,
    centred: &[f64],
    rows: usize,
    dim: usize,
    go_on: &dyn Fn() -> bool,
) -> Result<Option<Vec<f64>>> {
    let size = rows.checked_mul(rows).ok_or_else(|| Error::Shape(format!("{rows} rows")))?;
    let mut all = zeroed(size);
    for (block, out) in centred.chunks(BLOCK * dim).zip(all.chunks_mut(BLOCK * rows)) {
        if !go_on() {
            return Ok(None);
        }
        let sizes = Product { rows: block.len() / dim, inner: dim, columns: rows };
        multiply(kernels, sizes, (block, false), (centred, true), out)?;
    }
    Ok(Some(all))
}

/// out = a * b; each says whether it is written down as its transpose.
fn multiply(kernels: Kernels, sizes: Product, a: (&[f64], bool), b: (&[f64], bool), out: &mut [f64]) -> Result<()> {
    let [a, b] = [a, b].map(|(elements, transposed)| Matrices { elements, of: &[0], transposed });
    let products = Tiles::new(kernels, sizes, 1, a, b, out);
    let products = products.ok_or_else(|| Error::Shape(format!("a product of {sizes:?}")))?;
    while products.run_next() {}
    Ok(())
}

/// Eigenvectors of a symmetric matrix.
struct Eigen {
    vectors: DMatrix<f64>,
    /// Values, the largest first, with the column of each.
    order: Vec<(f64, usize)>,
    /// The sum of all values.
    total: f64,
}

impl Eigen {
    fn vector(&self, column: usize) -> &[f64] {
        let rows = self.vectors.nrows();
        &self.vectors.as_slice()[column * rows..][..rows]
    }

    fn values(&self, count: usize) -> Vec<f64> {
        self.order.iter().take(count).map(|&(value, _)| value).into_list()
    }
}

fn eigen(matrix: &[f64], size: usize) -> Result<Eigen> {
    let total = (0..size).map(|i| matrix[i * size + i]).sum();
    // The library asks for three matrices of this size, and ends the process where there is no memory for them.
    had(3 * size_of_val(matrix));
    let found = SymmetricEigen::try_new(DMatrix::from_column_slice(size, size, matrix), f64::EPSILON, ROUNDS * size);
    let found = found.ok_or_else(|| Error::Usage("the eigenvalues of these rows cannot be found".into()))?;
    let mut order = found.eigenvalues.iter().map(|value| value.max(0.0)).zip(0..).into_list();
    order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    Ok(Eigen { vectors: found.eigenvectors, order, total })
}

/// Rows made orthogonal and of length 1, in their order; twice, so that nothing of one is left in another. In the place of
/// those that are not longer than `nothing` come directions that are orthogonal to all before.
fn orthonormal(rows: &mut [f64], dim: usize, nothing: f64) {
    for at in (0..rows.len()).step_by(dim) {
        let (before, rest) = rows.split_at_mut(at);
        let row = &mut rest[..dim];
        if dot(row, row).sqrt() <= nothing {
            row.fill(0.0);
        }
        // Of `dim` axes one is far enough from fewer than `dim` directions.
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

/// Turns a direction round where its element of the largest magnitude is negative.
fn make_positive(row: &mut [f64]) {
    let largest = row.iter().fold(0.0f64, |largest, &x| if x.abs() > largest.abs() { x } else { largest });
    if largest < 0.0 {
        row.iter_mut().for_each(|x| *x = -*x);
    }
}

/// The sum of products, in eight lanes.
fn dot(a: &[f64], b: &[f64]) -> f64 {
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

    /// Numbers from -1 to 1 without a pattern.
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
        // The rows beside copies of themselves: as many directions, of twice the variance.
        let (rows, dim) = (30, 40);
        let wide = noise(rows * dim);
        let tall = [&wide[..], &wide].concat();
        let (one, two) = (components(&wide, dim, 5), components(&tall, dim, 5));
        one.directions.iter().zip(&two.directions).for_each(|(a, b)| assert!((a - b).abs() < 1e-9, "{a} {b}"));
        one.explained.iter().zip(&two.explained).for_each(|(a, b)| assert!((a - b).abs() < 1e-12, "{a} {b}"));
        one.scores.iter().zip(&two.scores).for_each(|(a, b)| assert!((a - b).abs() < 1e-8, "{a} {b}"));
    }

    #[test]
    fn all_directions_are_orthonormal_where_rows_do_not_differ_in_them() {
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
    fn what_cannot_be_looked_at_is_refused() {
        let mut room = [0.0; 4];
        let [directions, scores] = [&mut [0.0; 2][..], &mut [0.0; 2]];
        let out = Components { directions, scores, explained: &mut room[..1] };
        let error = principal(active(), &[1.0, f64::NAN, 0.0, 0.0], 2, &|| true, out).unwrap_err();
        assert!(error.to_string().contains("element [0, 1] is NaN"), "{error}");
        let out = Components { directions: &mut [], scores: &mut [], explained: &mut room[..3] };
        assert_eq!(principal(active(), &[1.0; 4], 2, &|| true, out).unwrap_err().code(), "SHAPE");
    }

    #[test]
    fn it_ends_where_it_is_told() {
        let [directions, scores, explained] = [&mut [0.0; 2][..], &mut [0.0; 2], &mut [0.0; 1]];
        assert!(
            !principal(active(), &[1.0, 2.0, 3.0, 5.0], 2, &|| false, Components { directions, scores, explained })
                .unwrap()
        );
    }
}
