//! Absolute, relative and rotary positions of tokens, forward and backward.

pub mod ids;
pub mod interpolate;
pub mod relative;
pub mod rotary;
pub mod scaling;
pub mod shaw;
pub mod sinusoid;
pub mod transformer_xl;

use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::ops::products::matmul::{Matrices, Product, Tiles};
use tokenbed_memory::{Gather, zeroed};
use tokenbed_threads::parallel_rows;

/// Checks that a slice has as many elements as the product of `sizes`.
fn check_len(what: &str, len: usize, sizes: &[usize]) -> Result<()> {
    let need = sizes.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    if need == Some(len) { Ok(()) } else { Err(Error::Shape(format!("{what} has {len} elements, not {sizes:?}"))) }
}

/// Sizes of attention scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it all")]
pub struct Scores {
    pub batch: usize,
    pub heads: usize,
    pub queries: usize,
    pub keys: usize,
    /// The number of elements in a head.
    pub dim: usize,
    /// The position of the first query among the keys, which is the number of keys that are memory.
    pub offset: usize,
}

impl Scores {
    /// The elements of one batch row and head of a tensor (batch, heads, length, dim).
    fn head<'a>(&self, x: &'a [f32], length: usize, batch: usize, head: usize) -> &'a [f32] {
        &x[(batch * self.heads + head) * length * self.dim..][..length * self.dim]
    }

    /// Checks the sizes of the query, of the key if there is one, and of the scores.
    fn check(&self, query: &[f32], key: Option<&[f32]>, scores: &[f32]) -> Result<()> {
        check_len("query", query.len(), &[self.batch, self.heads, self.queries, self.dim])?;
        if let Some(key) = key {
            check_len("key", key.len(), &[self.batch, self.heads, self.keys, self.dim])?;
        }
        check_len("the scores", scores.len(), &[self.batch, self.heads, self.queries, self.keys])
    }
}

/// A dense matrix, or with `T` one that is stored as its transpose.
#[derive(Clone, Copy)]
enum Matrix<'a> {
    N(&'a [f32]),
    T(&'a [f32]),
}

/// `a` (rows x inner) * `b` (inner x columns), on this thread: callers divide the heads among threads.
fn product(kernels: Kernels, rows: usize, inner: usize, columns: usize, a: Matrix<'_>, b: Matrix<'_>) -> Vec<f32> {
    let mut out = zeroed(rows * columns);
    let of = |matrix| match matrix {
        Matrix::N(elements) => Matrices { elements, of: &[0], transposed: false },
        Matrix::T(elements) => Matrices { elements, of: &[0], transposed: true },
    };
    let tiles = Tiles::new(kernels, Product { rows, inner, columns }, 1, of(a), of(b), &mut out);
    assert!(
        tiles.is_some_and(|tiles| {
            while tiles.run_next() {}
            true
        }),
        "product: the sizes of the matrices do not match"
    );
    out
}

/// The rows of `x`, with `row` added to each.
fn with_row(x: &[f32], row: &[f32]) -> Vec<f32> {
    x.chunks_exact(row.len()).flat_map(|x| x.iter().zip(row).map(|(x, y)| x + y)).into_list()
}

/// Cuts a slice into `N` pieces of these lengths.
fn cut<const N: usize>(mut rest: &mut [f32], lengths: [usize; N]) -> [&mut [f32]; N] {
    lengths.map(|length| {
        let (part, left) = std::mem::take(&mut rest).split_at_mut(length);
        rest = left;
        part
    })
}

/// Runs `work` for each head, in parallel, with a piece of `per_head` zeros to write to. Returns all pieces.
fn each_head(scores: &Scores, per_head: usize, work: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
    let mut all = zeroed(scores.heads * per_head);
    if !all.is_empty() {
        // The cost of a head is its products, which outweigh its memory by far.
        let cost = scores.batch * scores.queries * scores.keys * scores.dim;
        parallel_rows(&mut all, per_head, cost.max(1), |heads, out| {
            heads.zip(out.chunks_exact_mut(per_head)).for_each(|(head, out)| work(head, out));
        });
    }
    all
}

/// Copies the piece at `at` of each head, (batch, length, dim), to `out` (batch, heads, length, dim).
fn collect_heads(scores: &Scores, all: &[f32], at: usize, length: usize, out: &mut [f32]) {
    let (size, per_head) = (length * scores.dim, all.len() / scores.heads.max(1));
    for batch in 0..scores.batch {
        for head in 0..scores.heads {
            let from = &all[head * per_head + at + batch * size..][..size];
            out[(batch * scores.heads + head) * size..][..size].copy_from_slice(from);
        }
    }
}
