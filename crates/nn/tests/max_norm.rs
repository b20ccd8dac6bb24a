//! Rows are limited to a norm, for every p.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use tokenbed_core::Error;
use tokenbed_core::ids::{BadIds, IdSlice};
use tokenbed_kernels::dispatch;
use tokenbed_nn::max_norm::renormalize;
use tokenbed_testkit::compare::{ROUNDED_ONCE_ULPS, assert_same_bits, assert_ulps};
use tokenbed_testkit::naive;
use tokenbed_testkit::random::Random;

const ROWS: usize = 9;
const DIM: usize = 13;

fn run(table: &mut [f32], ids: &[i32], limit: (f64, f64)) {
    let dim = table.len() / ROWS;
    let ids = (IdSlice::I32(ids), BadIds::Throw);
    renormalize(dispatch::active(), (table, ROWS, dim), ids, limit, &mut Vec::new()).expect("sizes fit");
}

/// The norm by the definition for each p.
fn norm(row: &[f32], p: f64) -> f64 {
    let magnitudes = || row.iter().map(|x| f64::from(x.abs()));
    if p == f64::INFINITY {
        magnitudes().fold(0.0, f64::max)
    } else if p == f64::NEG_INFINITY {
        magnitudes().fold(f64::INFINITY, f64::min)
    } else if p == 0.0 {
        magnitudes().filter(|&x| x > 0.0).count() as f64
    } else {
        naive::norm(row, p)
    }
}

#[test]
fn named_rows_are_limited_and_others_stay() {
    let mut random = Random::new(16);
    let ids = [3, 0, 3, 8, 3];
    for p in [1.0, 2.0, 3.0, 0.5, f64::INFINITY, 0.0, f64::NEG_INFINITY, -1.0] {
        for max_norm in [0.0, 0.1, 1.0, 3.0, 1e9] {
            let before: Vec<f32> = random.units(ROWS * DIM);
            let mut table = before.clone();
            run(&mut table, &ids, (max_norm, p));
            for (row, (ours, old)) in table.chunks_exact(DIM).zip(before.chunks_exact(DIM)).enumerate() {
                let length = norm(old, p);
                if [0, 3, 8].contains(&row) && length > max_norm {
                    let scale = max_norm / (length + 1e-7);
                    let wanted: Vec<f32> = old.iter().map(|&x| (f64::from(x) * scale) as f32).collect();
                    // The norm, the scale and the product are each rounded.
                    assert_ulps(ours, &wanted, 2 * ROUNDED_ONCE_ULPS + 1, &format!("p {p} row {row}"));
                } else {
                    assert_same_bits(ours, old, &format!("p {p} row {row}"));
                }
            }
        }
    }
}

/// A row that was scaled twice would shrink twice, by the 1e-7 in the formula.
#[test]
fn a_row_named_often_is_scaled_once() {
    let mut random = Random::new(17);
    let before: Vec<f32> = random.units(ROWS * DIM);
    let (mut once, mut often) = (before.clone(), before);
    run(&mut once, &[4], (1e-3, 2.0));
    run(&mut often, &[4; 50], (1e-3, 2.0));
    assert_same_bits(&often, &once, &"often");
}

#[test]
fn a_row_at_the_norm_is_not_above_it() {
    let mut table = [0.0f32; ROWS * 2];
    table[..2].copy_from_slice(&[3.0, 4.0]);
    run(&mut table, &[0], (5.0, 2.0));
    assert_eq!(table[..2], [3.0, 4.0]);
    run(&mut table, &[0], (2.5, 2.0));
    assert_ulps(&table[..2], &[1.5, 2.0], 1, &"halved");
    // A row of zeros has no direction and stays.
    run(&mut table, &[1], (0.0, 2.0));
    assert_eq!(table[2..4], [0.0, 0.0]);
}

/// As in PyTorch: comparisons with NaN are false, and a norm beyond f32 scales to zero.
#[test]
fn rows_without_a_norm() {
    for p in [1.0, 2.0, 3.0, f64::INFINITY, f64::NEG_INFINITY] {
        for row in [[f32::NAN, 100.0], [100.0, f32::NAN]] {
            let mut table = [1.0f32; ROWS * 2];
            table[..2].copy_from_slice(&row);
            run(&mut table, &[0], (1.0, p));
            assert_same_bits(&table[..2], &row, &p);
        }
    }
    let mut table = [0.0f32; ROWS * 2];
    table[0] = f32::INFINITY;
    table[1] = 1.0;
    run(&mut table, &[0], (1.0, 2.0));
    assert!(table[0].is_nan() && table[1] == 0.0);
}

#[test]
fn ids_of_every_kind_and_policy() {
    let one = |ids: IdSlice<'_>, bad| {
        let mut table = vec![10.0f32; ROWS];
        renormalize(dispatch::active(), (&mut table, ROWS, 1), (ids, bad), (1.0, 2.0), &mut Vec::new())
            .expect("mended");
        table.iter().enumerate().filter(|&(_, &x)| x < 10.0).map(|(row, _)| row).collect::<Vec<_>>()
    };
    assert_eq!(one(IdSlice::U8(&[1, 7, 1]), BadIds::Throw), [1, 7]);
    assert_eq!(one(IdSlice::I64(&[-5, 4, 100]), BadIds::Clamp), [0, 4, 8]);
    assert_eq!(one(IdSlice::U64(&[u64::MAX, 4]), BadIds::Replace(2)), [2, 4]);
    assert!(one(IdSlice::I16(&[]), BadIds::Throw).is_empty());
}

#[test]
fn errors_change_nothing() {
    let before = Random::new(18).units(ROWS * DIM);
    let mut table = before.clone();
    let mut call = |rows, dim, ids: &[i32]| {
        let ids = (IdSlice::I32(ids), BadIds::Throw);
        renormalize(dispatch::active(), (&mut table, rows, dim), ids, (1e-3, 2.0), &mut Vec::new())
    };
    let failed = call(ROWS, DIM, &[0, 1, 9, -1]);
    assert!(matches!(failed, Err(Error::TokenIndex { flat: 2, value: 9, rows: ROWS, count: 2 })));
    for (rows, dim) in [(ROWS, DIM - 1), (ROWS + 1, DIM), (usize::MAX, DIM), (0, 0)] {
        assert!(matches!(call(rows, dim, &[0]), Err(Error::Shape(_))));
    }
    assert_same_bits(&table, &before, &"untouched");
}
