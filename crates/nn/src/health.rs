//! Finds what is wrong with a table from its numbers alone: rows that are zeros or not finite, that did not change, or
//! whose norm is extreme.
//!
//! Rows are read as float32, and everything is computed in float64. The squares of a row are summed in the order of its
//! elements, so that the bits are the same on any number of threads.

use crate::float_rows::FloatRows;
use std::sync::OnceLock;
use tokenbed_core::{Error, Result};
use tokenbed_memory::{Gather, zeroed};
use tokenbed_threads::parallel_rows;

/// One in 500 million normal deviates lies this far out.
const FAR: f64 = 6.0;
/// The standard deviation of normal deviates, divided by the median of their absolute deviations.
const TO_DEVIATION: f64 = 1.4826;
/// A spread of logarithms smaller than this is rounding error: if most norms are equal, no row counts as an outlier.
const NO_SPREAD: f64 = 1e-12;

/// What the norms of a table say about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Health {
    /// Statistics over the norms of all rows that are not zeros and contain no NaN or infinity; None if there is no
    /// such row.
    pub norms: Option<Spread>,
    /// Rows that are all zeros.
    pub zero: Vec<u32>,
    /// Rows with an element that is NaN or infinite as float32.
    pub not_finite: Vec<u32>,
    /// Rows with an extreme norm, the most extreme first.
    pub outliers: Vec<Outlier>,
}

/// Statistics over some numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names say it all")]
pub struct Spread {
    pub min: f64,
    pub median: f64,
    pub mean: f64,
    pub max: f64,
}

/// A row and its norm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outlier {
    /// The number of the row.
    pub id: u32,
    /// Its Euclidean norm.
    pub norm: f64,
    /// The distance between the logarithm of the norm and the median, in robust standard deviations.
    pub deviation: f64,
}

/// A row that is looked up often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hot {
    /// The number of the row.
    pub id: u32,
    /// How often it is looked up.
    pub count: f64,
    /// Its share of all lookups.
    pub share: f64,
}

/// Examines a table.
///
/// # Errors
/// Only those of [`FloatRows`].
pub fn examine(table: FloatRows<'_>) -> Result<Health> {
    let norms = norms(table)?;
    let ids_of = |wanted: fn(f64) -> bool| (0..).zip(&norms).filter(move |&(_, &norm)| wanted(norm)).map(|(id, _)| id);
    let good: Vec<u32> = ids_of(|norm| norm > 0.0 && norm.is_finite()).into_list();
    let good_norms: Vec<f64> = good.iter().map(|&id| norms[id as usize]).into_list();
    Ok(Health {
        zero: ids_of(|norm| norm == 0.0).into_list(),
        not_finite: ids_of(|norm| !norm.is_finite()).into_list(),
        outliers: outliers(&good, &good_norms),
        norms: spread(good_norms),
    })
}

/// The Euclidean norm of each row.
fn norms(table: FloatRows<'_>) -> Result<Vec<f64>> {
    /// Elements that are converted at a time, if they are not float32.
    const AT_ONCE: usize = 1 << 16;
    let dim = table.dim();
    let block = (AT_ONCE / dim).max(1);
    let mut norms = zeroed(table.len());
    let failed = OnceLock::new();
    parallel_rows(&mut norms, 1, table.row_bytes(), |rows, norms| {
        let mut room = Vec::new();
        for (from, norms) in rows.step_by(block).zip(norms.chunks_mut(block)) {
            match table.look(from..from + norms.len(), &mut room) {
                Ok(rows) => norms_of(rows, dim, norms),
                Err(error) => drop(failed.set(error)),
            }
        }
    });
    failed.into_inner().map_or(Ok(norms), Err)
}

/// Rows whose squares are summed side by side: each addition waits for the previous one of its row, but not for those
/// of other rows.
const TOGETHER: usize = 8;

/// The norms of rows, (rows, dim).
fn norms_of(rows: &[f32], dim: usize, norms: &mut [f64]) {
    let (whole, rest) = norms.as_chunks_mut::<TOGETHER>();
    let (together, single) = rows.split_at(whole.len() * TOGETHER * dim);
    for (rows, norms) in together.chunks_exact(TOGETHER * dim).zip(whole) {
        let rows: [&[f32]; TOGETHER] = std::array::from_fn(|i| &rows[i * dim..][..dim]);
        let mut sums = [0.0; TOGETHER];
        for d in 0..dim {
            for (sum, row) in sums.iter_mut().zip(rows) {
                let x = f64::from(row[d]);
                *sum += x * x;
            }
        }
        *norms = sums.map(f64::sqrt);
    }
    for (row, norm) in single.chunks_exact(dim).zip(rest) {
        *norm = row.iter().fold(0.0, |sum, &x| sum + f64::from(x) * f64::from(x)).sqrt();
    }
}

/// The median of numbers, which are reordered. There must be at least one.
fn median(values: &mut [f64]) -> f64 {
    let count = values.len();
    let (below, &mut upper, _) = values.select_nth_unstable_by(count / 2, f64::total_cmp);
    let lower = if count.is_multiple_of(2) { below.iter().copied().max_by(f64::total_cmp) } else { None };
    (lower.unwrap_or(upper) + upper) / 2.0
}

fn spread(mut norms: Vec<f64>) -> Option<Spread> {
    let count = norms.len();
    let min = norms.iter().copied().min_by(f64::total_cmp)?;
    let max = norms.iter().copied().max_by(f64::total_cmp)?;
    let mean = norms.iter().sum::<f64>() / count as f64;
    Some(Spread { min, median: median(&mut norms), mean, max })
}

/// The rows whose norms are outliers. The logarithm is libm's, so that the bits are the same on every system.
fn outliers(ids: &[u32], norms: &[f64]) -> Vec<Outlier> {
    if ids.len() < 3 {
        return Vec::new();
    }
    let logs = norms.iter().map(|&norm| libm::log(norm)).into_list();
    let mut values = logs.iter().copied().into_list();
    let middle = median(&mut values);
    values.iter_mut().for_each(|log| *log = (*log - middle).abs());
    let scale = TO_DEVIATION * median(&mut values);
    if scale < NO_SPREAD {
        return Vec::new();
    }
    let all = ids.iter().zip(norms).zip(&logs);
    let all = all.map(|((&id, &norm), log)| Outlier { id, norm, deviation: (log - middle) / scale });
    let mut far = all.filter(|it| it.deviation.abs() > FAR).into_list();
    far.sort_by(|a, b| b.deviation.abs().total_cmp(&a.deviation.abs()).then(a.id.cmp(&b.id)));
    far
}

/// The smallest set of rows that receives at least half of all lookups, the most frequent first. `counts` holds the
/// lookups of each row.
///
/// # Errors
/// [`Error::Shape`] for more rows than a u32 can count.
pub fn hottest(counts: &[f64]) -> Result<Vec<Hot>> {
    let rows = u32::try_from(counts.len())
        .map_err(|_| Error::Shape(format!("{} rows are too many to count in 32 bits", counts.len())))?;
    let total: f64 = counts.iter().sum();
    let count = |id: u32| counts[id as usize];
    let mut order: Vec<u32> = (0..rows).into_list();
    order.sort_by(|&a, &b| count(b).partial_cmp(&count(a)).unwrap_or(std::cmp::Ordering::Equal));
    let mut sum = 0.0;
    let hot = order.into_iter().take_while(|&id| {
        let goes_on = sum * 2.0 < total;
        sum += count(id);
        goes_on
    });
    Ok(hot.map(|id| Hot { id, count: count(id), share: count(id) / total }).into_list())
}

/// The rows whose bits did not change.
///
/// # Errors
/// [`Error::Shape`] for tables of different sizes or types.
pub fn unchanged(now: FloatRows<'_>, before: FloatRows<'_>) -> Result<Vec<u32>> {
    if !now.is_like(&before) {
        return Err(Error::Shape("both tables must have the same type and size".into()));
    }
    let mut same: Vec<u8> = zeroed(now.len());
    parallel_rows(&mut same, 1, 2 * now.row_bytes(), |rows, same| {
        for (id, same) in rows.zip(same) {
            *same = u8::from(now.bytes(id..id + 1) == before.bytes(id..id + 1));
        }
    });
    Ok((0..).zip(same).filter(|&(_, same)| same == 1).map(|(id, _)| id).into_list())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use tokenbed_core::DType;
    use tokenbed_threads::set_num_threads;

    /// Pseudo-random numbers from -1 to 1.
    fn noise(count: usize) -> Vec<f32> {
        (0..count as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 23) as f32 - 1.0).collect()
    }

    fn bytes<T: bytemuck::Pod>(elements: &[T]) -> &[u8] {
        bytemuck::cast_slice(elements)
    }

    fn healthy<T: bytemuck::Pod>(dtype: DType, elements: &[T], dim: usize) -> Health {
        examine(FloatRows::new(dtype, bytes(elements), dim).unwrap()).unwrap()
    }

    #[test]
    fn norms_are_summed_in_order_on_any_number_of_threads() {
        for (rows, dim) in [(1, 1), (7, 3), (8, 5), (1003, 129), (20_000, 64)] {
            let table = noise(rows * dim);
            let expected: Vec<f64> = table
                .chunks(dim)
                .map(|row| row.iter().fold(0.0, |sum, &x| sum + f64::from(x) * f64::from(x)).sqrt())
                .collect();
            for threads in [1, 2, 5] {
                set_num_threads(threads).unwrap();
                let found = norms(FloatRows::new(DType::Float32, bytes(&table), dim).unwrap()).unwrap();
                assert!(found == expected, "{rows} x {dim}, {threads} threads");
                let wide: Vec<f64> = table.iter().map(|&x| x.into()).collect();
                let found = norms(FloatRows::new(DType::Float64, bytes(&wide), dim).unwrap()).unwrap();
                assert!(found == expected, "float64, {rows} x {dim}, {threads} threads");
            }
        }
    }

    #[test]
    fn reports_outliers() {
        let mut table = noise(100 * 4);
        table[4..8].fill(-0.0);
        table[9] = f32::NAN;
        table[12] = f32::INFINITY;
        table[20..24].fill(1e20);
        table[24..28].fill(1e-20);
        let Health { norms, zero, not_finite, outliers } = healthy(DType::Float32, &table, 4);
        assert_eq!((zero, not_finite), (vec![1], vec![2, 3]));
        assert_eq!(outliers.iter().map(|it| it.id).collect::<Vec<_>>(), [5, 6]);
        assert!(outliers[0].deviation > 6.0 && outliers[1].deviation < -6.0);
        let Spread { min, median, mean, max } = norms.unwrap();
        assert_eq!((min, max), (outliers[1].norm, outliers[0].norm));
        assert!((0.5..2.0).contains(&median) && mean > 1e18);
        // 1e300 is infinite as float32.
        assert_eq!(healthy(DType::Float64, &[1e300, 1.0], 1).not_finite, [0]);
    }

    #[test]
    fn small_tables() {
        let nothing = Health { norms: None, zero: vec![], not_finite: vec![], outliers: vec![] };
        assert_eq!(healthy::<f32>(DType::Float32, &[], 3), nothing);
        let health = healthy(DType::Float32, &[3.0f32, 4.0, 0.0, 1.0], 2);
        assert_eq!(health.norms, Some(Spread { min: 1.0, median: 3.0, mean: 3.0, max: 5.0 }));
        let health = healthy(DType::Float32, &[1.0f32, 1.0, 1.0, 5.0], 1);
        assert_eq!(health.outliers, [], "where most norms are the same");
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 3.0, 1.0, 2.0]), 2.5);
        for (bytes, dim) in [(&[0; 7][..], 1), (&[0; 8], 0), (&[0; 8], 3), (&[0; 8], usize::MAX)] {
            assert_eq!(FloatRows::new(DType::Float32, bytes, dim).unwrap_err().code(), "SHAPE");
        }
        assert_eq!(FloatRows::new(DType::Int32, &[0; 8], 1).unwrap_err().code(), "DTYPE");
    }

    #[test]
    fn the_hottest_rows_take_half_of_all_lookups() {
        let ids = |counts: &[f64]| hottest(counts).unwrap().iter().map(|it| it.id).collect::<Vec<_>>();
        assert_eq!(ids(&[1.0, 5.0, 1.0, 5.0, 0.0]), [1, 3]);
        assert_eq!(ids(&[1.0, 1.0, 1.0, 1.0]), [0, 1]);
        assert_eq!(ids(&[0.0, -0.0]), []);
        assert_eq!(ids(&[]), []);
        assert_eq!(hottest(&[1.0, 3.0]).unwrap(), [Hot { id: 1, count: 3.0, share: 0.75 }]);
        assert_eq!(ids(&[f64::MAX, f64::MAX]), [0], "whose sum is infinite");
    }

    #[test]
    fn rows_are_compared_by_their_bits() {
        let (before, mut now) = (noise(5000 * 8), noise(5000 * 8));
        let rows = |elements| FloatRows::new(DType::Float32, bytes(elements), 8).unwrap();
        for id in 0..5000 {
            now[id * 8 + id % 8] += if id % 3 == 0 { 0.0 } else { 1e-3 };
        }
        now[8..16].fill(f32::NAN);
        let expected: Vec<u32> = (0..5000).filter(|id| id % 3 == 0).collect();
        assert!(unchanged(rows(&now), rows(&before)).unwrap() == expected);
        let nan = [f32::NAN; 8];
        assert_eq!(unchanged(rows(&nan), rows(&nan)).unwrap(), [0]);
        assert_eq!(unchanged(rows(&[0.0; 8]), rows(&[-0.0; 8])).unwrap(), []);
        assert!(unchanged(rows(&nan), rows(&before)).is_err());
    }
}
