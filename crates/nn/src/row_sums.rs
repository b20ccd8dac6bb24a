//! Sums of a table's rows, from which means are made, and a check that the rows are finite.

use crate::float_rows::FloatRows;
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use tokenbed_core::{Error, Result};
use tokenbed_memory::Slice;
use tokenbed_threads::{parallel_ranges, parallel_rows};

/// Elements that are processed together: they stay in the second-level cache while each thread adds its columns.
const BLOCK: usize = 1 << 18;

/// out (dim) = the sum of the rows that `ids` names, each times `weight`. It is summed in float64, in the order of the
/// rows whatever the order of the ids, and each row counts as often as it is named. The bits are the same on any number
/// of threads.
///
/// # Errors
/// [`Error::Shape`] if `out` has another length; [`Error::TokenIndex`] for an id without a row.
pub fn weighted_sum(table: FloatRows<'_>, ids: &[u32], weight: f64, out: &mut [f64]) -> Result<()> {
    let dim = table.dim();
    if out.len() != dim {
        return Err(Error::Shape(format!("the result has {} elements for rows of {dim}", out.len())));
    }
    check(table, ids)?;
    let mut order = ids.to_list();
    order.sort_unstable();
    out.fill(0.0);
    let mut room = Vec::new();
    for rows in runs(&order, (BLOCK / dim).max(1)) {
        let height = rows.len();
        let rows = table.look(rows, &mut room)?;
        parallel_rows(out, 1, height * size_of::<f32>(), |columns, sums| {
            for row in rows.chunks_exact(dim) {
                for (sum, &x) in sums.iter_mut().zip(&row[columns.clone()]) {
                    *sum += f64::from(x) * weight;
                }
            }
        });
    }
    Ok(())
}

/// Groups ascending ids into ranges of at most `most` consecutive rows; a repeated id begins another range.
fn runs(ids: &[u32], most: usize) -> impl Iterator<Item = Range<usize>> {
    let chunks = ids.chunk_by(|&a, &b| b == a + 1).flat_map(move |run| run.chunks(most));
    chunks.map(|run| run[0] as usize..run[0] as usize + run.len())
}

/// The first row named by `ids` with an element that is NaN or infinite as float32; None if all are finite.
///
/// # Errors
/// [`Error::TokenIndex`] for an id without a row.
pub fn first_not_finite(table: FloatRows<'_>, ids: &[u32]) -> Result<Option<u32>> {
    check(table, ids)?;
    let first = AtomicU32::new(u32::MAX);
    let failed = OnceLock::new();
    parallel_ranges(ids.len(), table.row_bytes(), |range| {
        let mut room = Vec::new();
        for &id in &ids[range] {
            let at = id as usize;
            match table.look(at..at + 1, &mut room) {
                // `all` would examine one element at a time.
                Ok(row) if row.iter().fold(true, |all, x| all & x.is_finite()) => {}
                Ok(_) => _ = first.fetch_min(id, Ordering::Relaxed),
                Err(error) => drop(failed.set(error)),
            }
        }
    });
    match failed.into_inner() {
        Some(error) => Err(error),
        // No row has that number, because a u32 can count the rows.
        None => Ok(Some(first.into_inner()).filter(|&id| id != u32::MAX)),
    }
}

/// Checks that every id has a row.
fn check(table: FloatRows<'_>, ids: &[u32]) -> Result<()> {
    let rows = table.len();
    let is_bad = |id: &u32| *id as usize >= rows;
    match ids.iter().position(is_bad) {
        None => Ok(()),
        Some(flat) => {
            let count = ids.iter().filter(|id| is_bad(id)).count();
            Err(Error::TokenIndex { flat, value: ids[flat].into(), rows, count })
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use tokenbed_core::DType;
    use tokenbed_threads::set_num_threads;

    fn noise(count: usize) -> Vec<f32> {
        (0..count as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 23) as f32 - 1.0).collect()
    }

    #[test]
    fn rows_are_summed_in_their_order() {
        for (rows, dim) in [(1, 1), (40, 3), (3000, 100), (70_000, 4)] {
            let table = noise(rows * dim);
            let some: Vec<u32> = (0..rows as u32).rev().filter(|id| id % 7 != 2).collect();
            let again = [0, rows as u32 - 1, rows as u32 / 2, 0, 0];
            for ids in [&some[..], &again, &[]] {
                let mut order = ids.to_vec();
                order.sort();
                let mut expected = vec![0.0; dim];
                for &id in &order {
                    let row = &table[id as usize * dim..][..dim];
                    expected.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x) * 0.3);
                }
                for threads in [1, 2, 5] {
                    set_num_threads(threads).unwrap();
                    let wide: Vec<f64> = table.iter().map(|&x| x.into()).collect();
                    let tables = [
                        FloatRows::new(DType::Float32, bytemuck::cast_slice(&table), dim),
                        FloatRows::new(DType::Float64, bytemuck::cast_slice(&wide), dim),
                    ];
                    for table in tables {
                        let mut found = vec![f64::NAN; dim];
                        weighted_sum(table.unwrap(), ids, 0.3, &mut found).unwrap();
                        assert!(found == expected, "{rows} x {dim}, {threads} threads");
                    }
                }
            }
        }
    }

    #[test]
    fn rows_that_are_not_finite_are_found() {
        let (rows, dim) = (5000, 50);
        let mut table = noise(rows * dim);
        let found = |table: &[f32], ids: &[u32]| {
            first_not_finite(FloatRows::new(DType::Float32, bytemuck::cast_slice(table), dim).unwrap(), ids).unwrap()
        };
        let all: Vec<u32> = (0..rows as u32).rev().collect();
        assert_eq!(found(&table, &all), None);
        for (id, x) in [(4999, f32::NAN), (4000, f32::INFINITY), (7, f32::NEG_INFINITY)] {
            table[id * dim + id % dim] = x;
            for threads in [1, 3] {
                set_num_threads(threads).unwrap();
                assert_eq!(found(&table, &all), Some(id as u32));
            }
        }
        assert_eq!((found(&table, &[3, 4000]), found(&table, &[3]), found(&table, &[])), (Some(4000), None, None));
    }

    #[test]
    fn rejects_ids_out_of_range() {
        let table = FloatRows::new(DType::Float32, &[0; 16], 2).unwrap();
        let error = weighted_sum(table, &[1, 2, 9], 1.0, &mut [0.0; 2]).unwrap_err();
        assert!(matches!(error, Error::TokenIndex { flat: 1, value: 2, rows: 2, count: 2 }));
        assert_eq!(first_not_finite(table, &[2]).unwrap_err().code(), "TOKEN_INDEX");
        assert_eq!(weighted_sum(table, &[1], 1.0, &mut [0.0; 3]).unwrap_err().code(), "SHAPE");
    }
}
