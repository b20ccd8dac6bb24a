//! Scores: every instruction set has the bits of the definition, and agrees with f64.

#![allow(clippy::expect_used, reason = "helpers of tests")]

use tokenbed_kernels::dispatch;
use tokenbed_testkit::compare::{assert_same_bits, assert_same_values, reduction_f32};
use tokenbed_testkit::place::{Guarded, Placed};
use tokenbed_testkit::random::{DIMS, Random};

const SENTRY: f32 = -12345.5;
const ROWS: usize = 5;

fn scalar() -> tokenbed_kernels::dispatch::Kernels {
    dispatch::available().next().expect("the scalar kernels are everywhere")
}

#[test]
fn every_dim_at_some_offsets() {
    let mut random = Random::new(1);
    for dim in DIMS.into_iter().chain([32, 96, 100, 300]) {
        let (rows, query) = (random.units(ROWS * dim), random.units(dim));
        let (mut dots, mut squares) = (vec![0.0; ROWS], vec![0.0; ROWS]);
        scalar().scores(&rows, &query, &mut dots, &mut squares);
        for (r, row) in rows.chunks(dim.max(1)).enumerate() {
            for (sum, other) in [(dots[r], &query[..]), (squares[r], row)] {
                let products = row.iter().zip(other).map(|(&x, &y)| f64::from(x) * f64::from(y));
                let (wanted, magnitude) = products.fold((0.0, 0.0), |(sum, all), x| (sum + x, all + x.abs()));
                assert!((f64::from(sum) - wanted).abs() <= reduction_f32(dim, magnitude), "dim {dim} row {r}");
            }
        }
        for offset in [0, 1, 3, 15] {
            let (rows, query) = (Placed::new(&rows, offset), Placed::new(&query, offset / 2));
            for kernels in dispatch::available() {
                let mut out = [Guarded::new(ROWS, offset, SENTRY), Guarded::new(ROWS, 1, SENTRY)];
                let [its_dots, its_squares] = &mut out;
                kernels.scores(&rows, &query, its_dots, its_squares);
                its_dots.assert_guards();
                its_squares.assert_guards();
                let what = format!("{} dim {dim} offset {offset}", kernels.isa().name());
                assert_same_bits(its_dots, &dots, &what);
                assert_same_bits(its_squares, &squares, &what);
            }
        }
    }
}

#[test]
fn special_numbers_and_empty_inputs() {
    let mut random = Random::new(2);
    for dim in [1, 16, 40, 64] {
        let (rows, query) = (random.awkward(ROWS * dim), random.awkward(dim));
        let (mut dots, mut squares) = (vec![0.0; ROWS], vec![0.0; ROWS]);
        scalar().scores(&rows, &query, &mut dots, &mut squares);
        for kernels in dispatch::available() {
            let (mut its_dots, mut its_squares) = (vec![0.0; ROWS], vec![0.0; ROWS]);
            kernels.scores(&rows, &query, &mut its_dots, &mut its_squares);
            assert_same_values(&its_dots, &dots, &kernels.isa().name());
            assert_same_values(&its_squares, &squares, &kernels.isa().name());
            kernels.scores(&[], &query, &mut [], &mut []);
        }
    }
}

#[test]
#[should_panic(expected = "scores: another number of rows")]
fn rejects_rows_of_another_length() {
    scalar().scores(&[0.0; 5], &[0.0; 2], &mut [0.0; 2], &mut [0.0; 2]);
}
