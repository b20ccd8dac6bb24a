//! Products of batches of matrices, cut into tiles that any number of threads compute.
//!
//! ```text
//! for i in 0..products: out[i] (rows x columns) = sum over t in 0..terms of A[a.of[i * terms + t]] * B[b.of[i * terms + t]]
//! ```
//!
//! A tile is computed by the `matrixmultiply` crate, which chooses its instruction set itself. If the tile is a row or
//! a column, [`crate::ops::elements::thin`] computes it. All terms of a tile are added in sequence. How the tiles are
//! cut depends only on the sizes, so the bits are the same whichever thread computes them.

use crate::dispatch::Kernels;
use crate::ops::elements::thin::Thin;
use crate::real::Real;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The sizes of one product: (rows, inner) * (inner, columns).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it all")]
pub struct Product {
    pub rows: usize,
    pub inner: usize,
    pub columns: usize,
}

/// Dense matrices, end to end, and which of them take part: `of` gives the index of one for each term of each product.
#[derive(Clone, Copy, Debug)]
pub struct Matrices<'a, T> {
    /// The elements of all matrices.
    pub elements: &'a [T],
    /// The indices of those that take part, in order; broadcast batches repeat some.
    pub of: &'a [usize],
    /// Whether the matrices are stored as their transposes.
    pub transposed: bool,
}

/// The strides to the element below and to the next one in the row.
#[derive(Clone, Copy, Debug)]
struct Steps {
    down: usize,
    beside: usize,
}

/// A type in which products are computed.
pub trait Factor: Copy + Default + Send + Sync {
    /// `out = a * b`, or `out += a * b`; the rows of `out` are dense and `step` apart. Without an inner dimension, the
    /// product is zeros.
    ///
    /// # Safety
    /// `a` and `b` may be read wherever their [`Steps`] lead within the sizes. `out` may be written at its rows, and
    /// nobody else reads them. No size is zero.
    #[doc(hidden)]
    unsafe fn tile(
        kernels: Kernels,
        sizes: Product,
        a: Part<Self>,
        b: Part<Self>,
        out: *mut Self,
        step: usize,
        add: bool,
    );
}

/// A part of a matrix.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Part<T> {
    start: *const T,
    steps: Steps,
}

impl<T> Part<T> {
    pub(super) fn new(start: *const T, down: usize, beside: usize) -> Self {
        Self { start, steps: Steps { down, beside } }
    }
}

macro_rules! float {
    ($t:ty, $by:path) => {
        impl Factor for $t {
            unsafe fn tile(
                kernels: Kernels,
                sizes: Product,
                a: Part<$t>,
                b: Part<$t>,
                out: *mut $t,
                step: usize,
                add: bool,
            ) {
                let Product { rows, inner, columns } = sizes;
                // SAFETY: as the caller promises.
                if unsafe { thin(kernels, sizes, a, b, out, step, add) } {
                    return;
                }
                let steps = |part: Part<$t>| (part.steps.down as isize, part.steps.beside as isize);
                let ((a_down, a_beside), (b_down, b_beside)) = (steps(a), steps(b));
                let (a, b, beta) = (a.start, b.start, if add { 1.0 } else { 0.0 });
                // SAFETY: as the caller promises; with beta = 0 `out` is not read.
                unsafe {
                    $by(
                        rows,
                        inner,
                        columns,
                        1.0,
                        a,
                        a_down,
                        a_beside,
                        b,
                        b_down,
                        b_beside,
                        beta,
                        out,
                        step as isize,
                        1,
                    )
                }
            }
        }
    };
}
float!(f32, matrixmultiply::sgemm);
float!(f64, matrixmultiply::dgemm);

/// Up to this many rows are computed one by one. For these, `matrixmultiply` would copy the other factor for each tile,
/// and compute rows that do not exist.
const THIN: usize = 3;

/// Computes a tile of few rows, or of one column. Returns whether the tile was one of these.
///
/// # Safety
/// As for [`Factor::tile`].
unsafe fn thin<T: Real>(
    kernels: Kernels,
    sizes: Product,
    a: Part<T>,
    b: Part<T>,
    out: *mut T,
    step: usize,
    add: bool,
) -> bool {
    let Product { rows, inner, columns } = sizes;
    // SAFETY: the caller promises that a column of `a` and `b` is as long as the matrix is wide or high.
    unsafe {
        if rows <= THIN {
            for row in 0..rows {
                let vector = Part { start: a.start.add(row * a.steps.down), steps: a.steps };
                let out = std::slice::from_raw_parts_mut(out.add(row * step), columns);
                vector_by(kernels, vector.start, a.steps.beside, b, inner, out, add);
            }
            return true;
        }
        if columns == 1 && step == 1 {
            let turned = Part { start: a.start, steps: Steps { down: a.steps.beside, beside: a.steps.down } };
            vector_by(kernels, b.start, b.steps.down, turned, inner, std::slice::from_raw_parts_mut(out, rows), add);
            return true;
        }
        false
    }
}

/// Multiplies a vector of `inner` elements with stride `apart` by a matrix with as many rows.
///
/// # Safety
/// The vector and the matrix, which is as wide as `out`, may be read completely.
unsafe fn vector_by<T: Real>(
    kernels: Kernels,
    vector: *const T,
    apart: usize,
    matrix: Part<T>,
    inner: usize,
    out: &mut [T],
    add: bool,
) {
    let Steps { down, beside } = matrix.steps;
    // SAFETY: the caller promises that the slices end with the last element that the loops below reach.
    unsafe {
        let vector = std::slice::from_raw_parts(vector, (inner - 1) * apart + 1);
        let elements = std::slice::from_raw_parts(matrix.start, (inner - 1) * down + (out.len() - 1) * beside + 1);
        let rows = beside == 1;
        let step = if rows { down } else { beside };
        kernels.thin(Thin { vector, apart, inner, matrix: elements, rows, step, add, out });
    }
}

impl Factor for i64 {
    unsafe fn tile(_: Kernels, sizes: Product, a: Part<i64>, b: Part<i64>, out: *mut i64, step: usize, add: bool) {
        for row in 0..sizes.rows {
            // SAFETY: the caller promises that rows of `columns` elements may be written.
            let out = unsafe { std::slice::from_raw_parts_mut(out.add(row * step), sizes.columns) };
            if !add {
                out.fill(0);
            }
            for k in 0..sizes.inner {
                // SAFETY: the caller promises that both indices are below the sizes.
                let a = unsafe { *a.start.add(row * a.steps.down + k * a.steps.beside) };
                for (column, out) in out.iter_mut().enumerate() {
                    // SAFETY: as above.
                    let b = unsafe { *b.start.add(k * b.steps.down + column * b.steps.beside) };
                    *out = out.wrapping_add(a.wrapping_mul(b));
                }
            }
        }
    }
}

/// The largest tile: large enough that bringing its factors into the caches costs little compared with the product.
const MOST: (usize, usize) = (256, 1024);
/// The smallest tile that others are cut to.
const LEAST: (usize, usize) = (64, 64);
/// The number of tiles that threads should have to share.
const WANTED: usize = 32;
/// The columns of a tile with few rows: 16 KB of results stay in the first-level cache.
const THIN_WIDTH: usize = 4096;

/// Products waiting to be computed.
#[derive(Debug)]
pub struct Tiles<'a, T> {
    kernels: Kernels,
    sizes: Product,
    terms: usize,
    a: Matrices<'a, T>,
    b: Matrices<'a, T>,
    out: *mut T,
    /// The rows and columns of a tile.
    tile: (usize, usize),
    /// The number of tiles in a product, vertically and horizontally.
    grid: (usize, usize),
    count: usize,
    next: AtomicUsize,
    writes: PhantomData<&'a mut [T]>,
}

// SAFETY: everything shared is only read, except `out`. Each tile of it is written by the one thread that took its
// number from `next`.
unsafe impl<T: Factor> Sync for Tiles<'_, T> {}

impl<'a, T: Factor> Tiles<'a, T> {
    /// Divides `out`, which holds the products end to end, each the sum of `terms`. Returns None if the sizes do not
    /// fit, or if a matrix index is out of range.
    pub fn new(
        kernels: Kernels,
        sizes: Product,
        terms: usize,
        a: Matrices<'a, T>,
        b: Matrices<'a, T>,
        out: &'a mut [T],
    ) -> Option<Self> {
        let Product { rows, inner, columns } = sizes;
        let size = rows.checked_mul(columns)?;
        if terms == 0 || a.of.len() != b.of.len() || !a.of.len().is_multiple_of(terms) {
            return None;
        }
        let products = a.of.len() / terms;
        let fits = |matrices: &Matrices<'_, T>, size: usize| {
            let end = |&i: &usize| i.checked_add(1)?.checked_mul(size).filter(|&end| end <= matrices.elements.len());
            matrices.of.iter().all(|i| end(i).is_some())
        };
        if size.checked_mul(products)? != out.len()
            || !fits(&a, rows.checked_mul(inner)?)
            || !fits(&b, inner.checked_mul(columns)?)
        {
            return None;
        }
        if inner == 0 {
            out.fill(T::default());
        }
        let tile = tile_of(rows, columns, products);
        let grid = (rows.div_ceil(tile.0), columns.div_ceil(tile.1));
        let count = if out.is_empty() || inner == 0 { 0 } else { products * grid.0 * grid.1 };
        let (out, next) = (out.as_mut_ptr(), AtomicUsize::new(0));
        Some(Self { kernels, sizes, terms, a, b, out, tile, grid, count, next, writes: PhantomData })
    }

    /// The number of tiles.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The number of multiplications and additions in a whole tile.
    pub fn work(&self) -> usize {
        let tile = self.tile.0.min(self.sizes.rows) * self.tile.1.min(self.sizes.columns);
        2 * tile.saturating_mul(self.sizes.inner).saturating_mul(self.terms)
    }

    /// Computes the next tile. Returns whether there was one.
    pub fn run_next(&self) -> bool {
        let i = self.next.fetch_add(1, Ordering::Relaxed);
        if i >= self.count {
            return false;
        }
        let Product { rows, inner, columns } = self.sizes;
        let (product, place) = (i / (self.grid.0 * self.grid.1), i % (self.grid.0 * self.grid.1));
        let (row, column) = (place / self.grid.1 * self.tile.0, place % self.grid.1 * self.tile.1);
        let sizes = Product { rows: self.tile.0.min(rows - row), inner, columns: self.tile.1.min(columns - column) };
        for term in 0..self.terms {
            let at = product * self.terms + term;
            let a = part(&self.a, at, (rows, inner), (row, 0));
            let b = part(&self.b, at, (inner, columns), (0, column));
            // SAFETY: `new` checked that the matrices exist and that `out` has the size of the products. The tile lies
            // inside its product, none of its sizes is zero, and no other thread takes its number.
            unsafe {
                let out = self.out.add((product * rows + row) * columns + column);
                T::tile(self.kernels, sizes, a, b, out, columns, term > 0);
            }
        }
        true
    }
}

/// The rows and columns of the tiles: halved until there are enough tiles, or until they are small.
fn tile_of(rows: usize, columns: usize, products: usize) -> (usize, usize) {
    // A product of few rows reads the matrix once, and in long pieces, because the next page is not prefetched.
    let (mut height, mut width) = if rows <= THIN { (MOST.0, THIN_WIDTH) } else { MOST };
    let least = if rows <= THIN { (LEAST.0, THIN_WIDTH / 4) } else { LEAST };
    let enough = |height, width| {
        rows.div_ceil(height).saturating_mul(columns.div_ceil(width)).saturating_mul(products) >= WANTED
    };
    while !enough(height, width) && (height > least.0 || width > least.1) {
        if width > least.1 && (width.min(columns) >= height.min(rows) || height <= least.0) {
            width /= 2;
        } else {
            height /= 2;
        }
    }
    (height, width)
}

/// The part, beginning at the element `from`, of the matrix of size `size` that takes part at `at`.
fn part<T>(matrices: &Matrices<'_, T>, at: usize, size: (usize, usize), from: (usize, usize)) -> Part<T> {
    let steps = if matrices.transposed { Steps { down: 1, beside: size.0 } } else { Steps { down: size.1, beside: 1 } };
    let offset = matrices.of[at] * size.0 * size.1 + from.0 * steps.down + from.1 * steps.beside;
    Part { start: matrices.elements[offset..].as_ptr(), steps }
}
