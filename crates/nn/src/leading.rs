//! The few largest eigenvalues of a symmetric matrix, with their vectors, for matrices where computing all of them
//! would take too long.
//!
//! A basis grows by one block of vectors at a time: the residuals of the best approximations in it (Davidson's method
//! without a preconditioner, which spans the same spaces as block Lanczos). A block finds multiple eigenvalues. When
//! the basis is full, the best approximations become the next basis. All vectors are rows here.
//!
//! Everything is computed in one order, on as many threads as the products are worth, so the bits are the same on any
//! number of threads.

use crate::components::{ROUNDS, dot, norm};
use nalgebra::{DMatrix, SymmetricEigen};
use tokenbed_core::Result;
use tokenbed_core::ops::matmul::{Matrices, Product, matmul};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_memory::{Gather, List, filled, had, with_room, zeroed};

/// A vector is found when its image differs from a multiple of itself by at most this part of its eigenvalue, or by the
/// rounding error of the largest eigenvalue.
const CLOSE: f64 = 1e-10;
/// Rounding error, as a part of the largest eigenvalue.
const ROUNDING: f64 = 1e-13;
/// If making a vector orthogonal to a basis shrinks it below this part of its length, the vector was in the basis, up
/// to rounding.
const BLOCKS: usize = 8;
/// If orthogonalizing a vector against a basis shrinks it below this part of its length, the vector was in the basis,
/// up to rounding.
const LOST: f64 = 1e-10;
/// The number of blocks to try before all eigenvectors are computed instead.
const TRIES: usize = 600;

/// Eigenvalues, the largest first, and their vectors.
#[derive(Debug)]
pub(crate) struct Leading {
    /// (count): the eigenvalues.
    pub(crate) values: Vec<f64>,
    /// (count, size): the eigenvectors.
    pub(crate) vectors: Vec<f64>,
}

/// How a search ended.
#[derive(Debug)]
pub(crate) enum Search {
    Found(Leading),
    /// The search takes too long because eigenvalues are too close to each other, or numbers are too large or too small
    /// for it.
    Slow,
    /// `go_on` stopped the search.
    Ended,
}

/// The number of vectors in a block when `count` are wanted. It is larger than `count`, to widen the gap to the vectors
/// that are left out.
fn block_of(count: usize) -> usize {
    2 * count + 4
}

/// Whether finding `count` vectors of a matrix (size, size) is faster than finding all: the matrix must be large, and
/// many times the size of the basis.
pub(crate) fn is_worth(size: usize, count: usize) -> bool {
    size >= 512 && size >= 4 * BLOCKS * block_of(count)
}

/// The `count` largest eigenvalues of a symmetric matrix (size, size) without negative eigenvalues, and their vectors.
/// `go_on` is asked before each block.
///
/// # Errors
/// [`tokenbed_core::Error::Shape`] if sizes do not fit.
pub(crate) fn leading(
    kernels: Kernels,
    matrix: &[f64],
    size: usize,
    count: usize,
    go_on: &dyn Fn() -> bool,
) -> Result<Search> {
    let block = block_of(count);
    let most = BLOCKS * block;
    let mut basis = Basis { kernels, size, vectors: with_room(most * size), images: with_room(most * size) };
    let mut next = start(block * size);
    for _ in 0..TRIES {
        if !go_on() {
            return Ok(Search::Ended);
        }
        if basis.add(matrix, next)? == 0 {
            // The basis already spans everything that its vectors generate, and that is not all that is wanted.
            break;
        }
        let Some(ritz) = basis.ritz(block)? else { break };
        let largest = ritz.values.first().copied().unwrap_or(0.0).max(0.0);
        let is_found = |i: usize| {
            let misses = &ritz.misses[i * size..][..size];
            norm(misses) <= CLOSE * ritz.values[i].max(0.0) + ROUNDING * largest
        };
        if (0..count).all(is_found) {
            let mut found = Leading { values: ritz.values, vectors: ritz.vectors };
            found.values.truncate(count);
            found.vectors.truncate(count * size);
            return Ok(Search::Found(found));
        }
        next = ritz.misses;
        if basis.len() + block > most {
            let Some(kept) = basis.ritz(2 * block)? else { break };
            basis.vectors = kept.vectors;
            basis.images = kept.images;
        }
    }
    Ok(Search::Slow)
}

/// Pseudo-random numbers from -1 to 1, the same each time.
fn start(count: usize) -> Vec<f64> {
    let mut state = 1u64;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1u32 << 30) - 1.0
    };
    (0..count).map(next).into_list()
}

/// Orthonormal vectors, and their images under the matrix.
struct Basis {
    kernels: Kernels,
    size: usize,
    /// (n, size): the vectors.
    vectors: Vec<f64>,
    /// (n, size): their images.
    images: Vec<f64>,
}

/// The best approximations to eigenvectors within a basis, beginning with the one of the largest eigenvalue.
struct Ritz {
    /// (count): the approximate eigenvalues.
    values: Vec<f64>,
    /// (count, size): the approximate eigenvectors.
    vectors: Vec<f64>,
    /// (count, size): their images under the matrix.
    images: Vec<f64>,
    /// (count, size): the residuals, which are the images minus the vectors times their values.
    misses: Vec<f64>,
}

impl Basis {
    fn len(&self) -> usize {
        self.vectors.len() / self.size
    }

    /// Adds vectors after making them orthonormal, and their images. Returns how many were new.
    fn add(&mut self, matrix: &[f64], mut more: Vec<f64>) -> Result<usize> {
        let before = self.len();
        for row in more.chunks_exact_mut(self.size) {
            if self.is_new(row) {
                self.vectors.put_slice(row);
            }
        }
        let added = self.len() - before;
        self.images.fill_to(self.vectors.len(), 0.0);
        let (from, images) = (&self.vectors[before * self.size..], &mut self.images[before * self.size..]);
        // A symmetric matrix is its own transpose.
        multiply(self.kernels, (from, added, false), (matrix, self.size, false), self.size, images)?;
        Ok(added)
    }

    /// Makes a vector orthogonal to the basis and of length 1. Returns whether anything was left of it.
    fn is_new(&self, row: &mut [f64]) -> bool {
        // The vector is scaled first: near its end, a search adds ever smaller vectors.
        for _ in 0..3 {
            let length = norm(row);
            if length == 0.0 || !length.is_finite() {
                return false;
            }
            row.iter_mut().for_each(|x| *x /= length);
            for other in self.vectors.chunks_exact(self.size) {
                let times = dot(row, other);
                row.iter_mut().zip(other).for_each(|(to, x)| *to -= times * x);
            }
            if norm(row) < LOST {
                return false;
            }
        }
        let length = norm(row);
        row.iter_mut().for_each(|x| *x /= length);
        true
    }

    /// The `count` best approximations, or as many as there are vectors; None if numbers are too large to find them.
    fn ritz(&self, count: usize) -> Result<Option<Ritz>> {
        let (n, size) = (self.len(), self.size);
        let mut projected = zeroed(n * n);
        multiply(self.kernels, (&self.vectors, n, false), (&self.images, n, true), size, &mut projected)?;
        // The library allocates three matrices of this size, and ends the process if there is no memory for them.
        had(3 * size_of_val(&projected[..]));
        let projected = DMatrix::from_column_slice(n, n, &projected);
        let Some(found) = SymmetricEigen::try_new(projected, f64::EPSILON, ROUNDS * n) else { return Ok(None) };
        let mut order = found.eigenvalues.iter().copied().zip(0..).into_list();
        order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        order.truncate(count);
        let count = order.len();
        let mut weights = with_room(count * n);
        order.iter().for_each(|&(_, column)| weights.put_slice(&found.eigenvectors.as_slice()[column * n..][..n]));
        let (mut vectors, mut images) = (zeroed(count * size), zeroed(count * size));
        multiply(self.kernels, (&weights, count, false), (&self.vectors, size, false), n, &mut vectors)?;
        multiply(self.kernels, (&weights, count, false), (&self.images, size, false), n, &mut images)?;
        let values = order.iter().map(|&(value, _)| value).into_list();
        let mut misses = filled(0.0, count * size);
        for (i, value) in values.iter().enumerate() {
            let rows = vectors[i * size..][..size].iter().zip(&images[i * size..][..size]);
            misses[i * size..][..size].iter_mut().zip(rows).for_each(|(to, (x, image))| *to = image - value * x);
        }
        Ok(Some(Ritz { values, vectors, images, misses }))
    }
}

/// out (rows, columns) = a (rows, inner) * b (inner, columns). Each of a and b comes with its number of rows or columns
/// of `out`, and with whether it is stored as its transpose.
fn multiply(
    kernels: Kernels,
    a: (&[f64], usize, bool),
    b: (&[f64], usize, bool),
    inner: usize,
    out: &mut [f64],
) -> Result<()> {
    let sizes = Product { rows: a.1, inner, columns: b.1 };
    let [a, b] = [a, b].map(|(elements, _, transposed)| Matrices { elements, of: &[0], transposed });
    matmul(kernels, sizes, 1, a, b, out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use super::*;
    use tokenbed_kernels::dispatch::active;
    use tokenbed_threads::set_num_threads;

    /// A matrix with these eigenvalues, and 0 for the rest, along pseudo-random directions; it is returned with those
    /// directions.
    fn matrix_of(values: &[f64], size: usize) -> (Vec<f64>, Vec<f64>) {
        let mut basis = Basis { kernels: active(), size, vectors: vec![], images: vec![] };
        for row in start(values.len() * size).chunks_exact_mut(size) {
            assert!(basis.is_new(row));
            basis.vectors.extend_from_slice(row);
        }
        let scaled: Vec<f64> = basis.vectors.iter().enumerate().map(|(i, x)| x * values[i / size]).collect();
        let mut matrix = vec![0.0; size * size];
        multiply(active(), (&scaled, size, true), (&basis.vectors, size, false), values.len(), &mut matrix).unwrap();
        for i in 0..size {
            for j in 0..i {
                matrix[i * size + j] = matrix[j * size + i];
            }
        }
        (matrix, basis.vectors)
    }

    fn found(matrix: &[f64], size: usize, count: usize) -> Leading {
        match leading(active(), matrix, size, count, &|| true).unwrap() {
            Search::Found(found) => found,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn finds_the_eigenvalues_and_vectors_of_a_matrix() {
        let falling: Vec<f64> = (0..512).map(|i| 0.97f64.powi(i)).collect();
        let close: Vec<f64> = (0..512).map(|i| 1.0 - 1e-3 * f64::from(i)).collect();
        let steep: Vec<f64> = (0..512).map(|i| 0.1f64.powi(i)).collect();
        let few = [5.0, 3.0, 2.0, 1.0, 0.5];
        for (values, count) in [(&falling[..], 4), (&close, 3), (&steep, 4), (&few, 5), (&few, 2)] {
            let (matrix, vectors) = matrix_of(values, 512);
            let found = found(&matrix, 512, count);
            for i in 0..count {
                assert!((found.values[i] - values[i]).abs() < 1e-12, "{} is not {}", found.values[i], values[i]);
                let along = dot(&found.vectors[i * 512..][..512], &vectors[i * 512..][..512]).abs();
                assert!((along - 1.0).abs() < 1e-9, "{i}: {along}");
            }
        }
    }

    #[test]
    fn finds_multiple_eigenvalues_as_often_as_they_occur() {
        let mut values = vec![1e-3; 512];
        values[..7].copy_from_slice(&[2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0]);
        let found = found(&matrix_of(&values, 512).0, 512, 5);
        for (found, expected) in found.values.iter().zip([2.0, 2.0, 2.0, 1.0, 1.0]) {
            assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
        }
    }

    #[test]
    fn matrices_of_low_or_zero_rank() {
        let found = found(&matrix_of(&[3.0], 512).0, 512, 3);
        assert!((found.values[0] - 3.0).abs() < 1e-12 && found.values[1..].iter().all(|x| x.abs() < 1e-12));
        let found = self::found(&vec![0.0; 512 * 512], 512, 2);
        assert_eq!(found.values, [0.0, 0.0]);
    }

    #[test]
    fn the_same_bits_on_any_number_of_threads() {
        let matrix = matrix_of(&(0..600).map(|i| 0.99f64.powi(i)).collect::<Vec<_>>(), 600).0;
        let of = |threads| {
            set_num_threads(threads).unwrap();
            let found = found(&matrix, 600, 3);
            (found.values, found.vectors)
        };
        let one = of(1);
        assert!(one == of(2) && one == of(5));
    }

    #[test]
    fn stops_when_told() {
        let matrix = matrix_of(&[1.0], 512).0;
        assert!(matches!(leading(active(), &matrix, 512, 1, &|| false).unwrap(), Search::Ended));
    }
}
