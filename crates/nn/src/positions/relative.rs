//! Biases by distance: ALiBi's slopes (Press et al. 2022) and T5's buckets (Raffel et al. 2020).
//!
//! A bias (heads, query, key) that depends only on `key - query` is determined, for each head, by a line of its values
//! by distance; every row is a window of that line. Only `query + key - 1` values per head are computed, and the rest
//! is copying.

use super::check_len;
use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::ops::positions::windows::Windows;
use tokenbed_kernels::rows::store::Store;
use tokenbed_memory::{Gather, zeroed};
use tokenbed_threads::parallel_rows;

/// The numbers of queries and keys, and where the queries begin among the keys.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// The number of queries, which are the rows of a head.
    pub queries: usize,
    /// The number of keys, which are the columns.
    pub keys: usize,
    /// The position of the first query.
    pub offset: usize,
}

impl Span {
    /// The number of values in a head's line.
    pub fn line(&self) -> usize {
        if self.queries == 0 || self.keys == 0 { 0 } else { self.queries + self.keys - 1 }
    }

    /// The distance `key - query` that element `t` of a line stands for.
    pub fn distance(&self, t: usize) -> i64 {
        t as i64 - (self.queries as i64 - 1) - self.offset as i64
    }
}

/// `out` (heads x queries x keys): windows of the lines (heads x `span.line()`).
///
/// # Errors
/// [`Error::Shape`] for slices of other sizes.
pub fn spread(kernels: Kernels, lines: &[f32], heads: usize, span: Span, out: &mut [f32]) -> Result<()> {
    check_len("the lines", lines.len(), &[heads, span.line()])?;
    check_len("the result", out.len(), &[heads, span.queries, span.keys])?;
    if out.is_empty() {
        return Ok(());
    }
    let store = Store::for_bytes(size_of_val(out));
    parallel_rows(out, span.keys, size_of::<f32>() * span.keys, |range, out| {
        kernels.windows(store, &Windows { lines, rows: span.queries, dim: span.keys, first: range.start }, out);
    });
    Ok(())
}

/// The transpose of [`spread`], for gradients: `lines` (heads x `span.line()`) in f64 = sums of `grad` (heads x queries
/// x keys) along its diagonals, beginning with the first query.
///
/// # Errors
/// [`Error::Shape`] for slices of other sizes.
pub fn gather(grad: &[f32], heads: usize, span: Span, lines: &mut [f64]) -> Result<()> {
    check_len("the lines", lines.len(), &[heads, span.line()])?;
    check_len("the gradient", grad.len(), &[heads, span.queries, span.keys])?;
    lines.fill(0.0);
    if lines.is_empty() {
        return Ok(());
    }
    let Span { queries, keys, .. } = span;
    parallel_rows(lines, span.line(), size_of::<f32>() * queries * keys, |range, lines| {
        for (head, line) in range.zip(lines.chunks_exact_mut(span.line())) {
            let rows = grad[head * queries * keys..][..queries * keys].chunks_exact(keys);
            for (i, row) in rows.enumerate() {
                line[queries - 1 - i..].iter_mut().zip(row).for_each(|(sum, &g)| *sum += f64::from(g));
            }
        }
    });
    Ok(())
}

/// ALiBi's slope of each head. For n a power of two it is the geometric sequence whose first term and ratio are
/// `2^(-8 / n)`. For another n it is the sequence of the power of two below, followed by every other term of the
/// sequence of twice that power.
pub fn alibi_slopes(heads: usize) -> Vec<f32> {
    let below = heads.checked_ilog2().map_or(0, |log| 1usize << log);
    let slope = |step: usize, of: usize| libm::exp2(-8.0 * step as f64 / of as f64) as f32;
    let first = (1..=below).map(|step| slope(step, below));
    first.chain((0..heads - below).map(|i| slope(2 * i + 1, 2 * below))).into_list()
}

/// The lines of ALiBi's bias: `slope * (key - query)`, or `-slope * |key - query|` if symmetric.
pub fn alibi_lines(slopes: &[f32], span: Span, symmetric: bool) -> Vec<f32> {
    let value = |slope: f32, distance: i64| slope * (if symmetric { -distance.abs() } else { distance }) as f32;
    slopes.iter().flat_map(|&slope| (0..span.line()).map(move |t| value(slope, span.distance(t)))).into_list()
}

/// T5's buckets, which say which distances share a bias.
#[derive(Clone, Copy, Debug)]
pub struct Buckets {
    bidirectional: bool,
    /// The number of buckets in one direction.
    buckets: i64,
    exact: i64,
    /// `log(max_distance / exact)`.
    log: f32,
}

impl Buckets {
    /// `count` buckets, divided between both directions if bidirectional. Half of a direction's buckets hold a single
    /// distance each; the others reach up to `max_distance` in growing steps.
    ///
    /// # Errors
    /// [`Error::Usage`] if there are too few buckets for that, or `max_distance` is not beyond the single distances.
    pub fn new(bidirectional: bool, count: usize, max_distance: usize) -> Result<Self> {
        let buckets = if bidirectional { count / 2 } else { count };
        let exact = buckets / 2;
        if exact == 0 {
            let least = if bidirectional { 4 } else { 2 };
            return Err(Error::Usage(format!("numBuckets must be at least {least}, not {count}")));
        }
        if max_distance <= exact {
            return Err(Error::Usage(format!(
                "maxDistance must be more than the {exact} distances that have buckets of their own, not {max_distance}"
            )));
        }
        let log = (max_distance as f64 / exact as f64).ln() as f32;
        Ok(Self { bidirectional, buckets: buckets as i64, exact: exact as i64, log })
    }

    /// The bucket of a distance `key - query`. It is computed in f32, operation by operation as Transformers does: at
    /// the edges of buckets the rounding decides.
    pub fn of(&self, distance: i64) -> i64 {
        let upper = if self.bidirectional && distance > 0 { self.buckets } else { 0 };
        let n = if self.bidirectional { distance.abs() } else { (-distance).max(0) };
        if n < self.exact {
            return upper + n;
        }
        let log = f64::from(n as f32 / self.exact as f32).ln() as f32;
        let beyond = (log / self.log * (self.buckets - self.exact) as f32) as i64;
        upper + (self.exact + beyond).min(self.buckets - 1)
    }

    /// `out` (queries x keys) = the buckets of a span.
    ///
    /// # Errors
    /// [`Error::Shape`] if `out` has another size.
    pub fn table(&self, span: Span, out: &mut [i32]) -> Result<()> {
        check_len("the result", out.len(), &[span.queries, span.keys])?;
        let line = self.line(span);
        if span.keys > 0 {
            for (i, row) in out.chunks_exact_mut(span.keys).enumerate() {
                let from = &line[span.queries - 1 - i..][..span.keys];
                row.iter_mut().zip(from).for_each(|(out, &bucket)| *out = bucket as i32);
            }
        }
        Ok(())
    }

    /// The bucket of each element of a line.
    fn line(&self, span: Span) -> Vec<usize> {
        (0..span.line()).map(|t| self.of(span.distance(t)) as usize).into_list()
    }

    /// The lines of the bias from a table (count x heads).
    ///
    /// # Errors
    /// [`Error::Shape`] for a table of another size.
    pub fn bias_lines(&self, weight: &[f32], heads: usize, span: Span) -> Result<Vec<f32>> {
        self.check(weight.len(), heads)?;
        let line = self.line(span);
        Ok((0..heads).flat_map(|head| line.iter().map(move |bucket| weight[bucket * heads + head])).into_list())
    }

    /// The gradient of the table (count x heads), given the gradient of the lines. It is summed in f64 and rounded
    /// once.
    ///
    /// # Errors
    /// [`Error::Shape`] for slices of other sizes.
    pub fn bias_gradient(&self, lines: &[f64], heads: usize, span: Span, grad: &mut [f32]) -> Result<()> {
        self.check(grad.len(), heads)?;
        check_len("the lines", lines.len(), &[heads, span.line()])?;
        let line = self.line(span);
        let mut sums = zeroed::<f64>(grad.len());
        for head in 0..heads {
            let values = &lines[head * line.len()..][..line.len()];
            line.iter().zip(values).for_each(|(bucket, value)| sums[bucket * heads + head] += value);
        }
        grad.iter_mut().zip(sums).for_each(|(grad, sum)| *grad = sum as f32);
        Ok(())
    }

    fn check(&self, len: usize, heads: usize) -> Result<()> {
        let used = if self.bidirectional { 2 * self.buckets } else { self.buckets } as usize;
        let good = heads > 0 && len.is_multiple_of(heads) && len / heads >= used;
        if good {
            Ok(())
        } else {
            Err(Error::Shape(format!(
                "a table of {len} elements does not have rows of {heads} heads for {used} buckets"
            )))
        }
    }
}
