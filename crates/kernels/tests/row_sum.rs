//! Sums of a gradient's rows: every instruction set and way of storing has the bits of the naive loop.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tokenbed_kernels::dispatch::{self, Kernels};
use tokenbed_kernels::ids::CheckedIds;
use tokenbed_kernels::ops::learn::row_sum::{RowSum, Sums};
use tokenbed_kernels::rows::store::Store;
use tokenbed_testkit::compare::assert_same_bits;
use tokenbed_testkit::place::{Guarded, Placed};
use tokenbed_testkit::random::{DIMS, Random};

const SENTRY: f32 = -12345.5;
const STORES: [Store; 2] = [Store::Cached, Store::Streaming];
const GRAD_ROWS: usize = 23;
/// The number of places in each sum: none, one, as many as fit in registers, and more, in whole groups and not.
const COUNTS: [usize; 10] = [1, 2, 4, 0, 5, 8, 1, 9, 3, 13];
/// Rows of a table, with gaps before, between and after them.
const IDS: [u32; 10] = [3, 4, 7, 8, 9, 15, 16, 17, 30, 31];
const FIRST: usize = 2;
const ROWS: usize = 33;

struct Case {
    grad: Vec<f32>,
    places: Vec<u32>,
    starts: Vec<u32>,
    coefficients: Vec<f32>,
}

fn case(dim: usize, random: &mut Random) -> Case {
    let mut starts = vec![0];
    COUNTS.iter().for_each(|&count| starts.push(starts[starts.len() - 1] + count as u32));
    let len = COUNTS.iter().sum();
    let coefficients = random.units(len);
    Case { grad: random.units(GRAD_ROWS * dim), places: random.ids(len, GRAD_ROWS), starts, coefficients }
}

fn naive(case: &Case, dim: usize, weighted: bool, columns: &Range<usize>) -> Vec<Vec<f32>> {
    let sum = |i: usize, d: usize| {
        let mut sum = 0.0f32;
        for k in case.starts[i] as usize..case.starts[i + 1] as usize {
            let g = case.grad[case.places[k] as usize * dim + d];
            sum = if weighted { g.mul_add(case.coefficients[k], sum) } else { sum + g };
        }
        sum + 0.0
    };
    (0..COUNTS.len()).map(|i| columns.clone().map(|d| sum(i, d)).collect()).collect()
}

fn checked<'a>(kernels: Kernels, places: &'a [u32]) -> CheckedIds<'a> {
    CheckedIds::new(kernels, places, GRAD_ROWS).expect("places of the test are good")
}

#[test]
fn every_dim_and_part_of_it_at_every_offset() {
    let mut random = Random::new(11);
    for dim in DIMS {
        let case = case(dim, &mut random);
        for columns in [0..dim, 0..dim / 2, dim / 2..dim, dim..dim] {
            for weighted in [false, true] {
                let sums = naive(&case, dim, weighted, &columns);
                let rows = sums.concat();
                let mut dense = vec![vec![0.0; columns.len()]; ROWS];
                IDS.iter().zip(&sums).for_each(|(&id, sum)| dense[id as usize - FIRST].clone_from(sum));
                let dense = dense.concat();
                for offset in [0, 1, 4, 15] {
                    let grad = Placed::new(&case.grad, offset);
                    for (kernels, store) in dispatch::available().flat_map(|k| STORES.map(|store| (k, store))) {
                        let what = format!("{} {store:?} {columns:?} of {dim}, {weighted}", kernels.isa().name());
                        let coefficients = weighted.then_some(&case.coefficients[..]);
                        let of = RowSum { grad: &grad, dim, places: checked(kernels, &case.places), coefficients };
                        let mut scratch = vec![f32::NAN; columns.len()];
                        for (wanted, ids) in [(&rows, None), (&dense, Some((&IDS[..], FIRST)))] {
                            let mut out = Guarded::new(wanted.len(), (offset * 3) % 16, SENTRY);
                            let to = Sums { starts: &case.starts, columns: &columns, dense: ids };
                            kernels.row_sums(store, &of, to, &mut scratch, &mut out);
                            out.assert_guards();
                            assert_same_bits(&out, wanted, &what);
                        }
                        for (i, sum) in sums.iter().enumerate() {
                            let mut out = Guarded::new(columns.len(), offset, SENTRY);
                            let places = case.starts[i] as usize..case.starts[i + 1] as usize;
                            kernels.row_sum(&of, places, &columns, &mut out);
                            out.assert_guards();
                            assert_same_bits(&out, sum, &what);
                        }
                    }
                }
            }
        }
    }
}

/// No sums, no rows, and no gradient.
#[test]
fn accepts_empty_inputs() {
    for kernels in dispatch::available() {
        let of = RowSum { grad: &[], dim: 3, places: checked(kernels, &[]), coefficients: None };
        // These ids were checked against a table without rows.
        let none = CheckedIds::new(kernels, &[], 0).expect("no places");
        let of = RowSum { places: none, ..of };
        let columns = 0..3;
        let mut out = [SENTRY; 6];
        let to = |starts, dense| Sums { starts, columns: &columns, dense };
        kernels.row_sums(Store::Cached, &of, to(&[0], Some((&[], 5))), &mut [0.0; 3], &mut out);
        assert_eq!(out, [0.0; 6]);
        kernels.row_sums(Store::Cached, &of, to(&[0], None), &mut [0.0; 3], &mut []);
        kernels.row_sums(Store::Cached, &of, to(&[0, 0, 0], None), &mut [0.0; 3], &mut out);
        assert_eq!(out, [0.0; 6]);
    }
}

#[test]
fn rejects_wrong_sizes_before_any_write() {
    let grad = vec![1.0; GRAD_ROWS * 8];
    let refuses = |expected: &str, call: &dyn Fn(Kernels, &mut [f32])| {
        for kernels in dispatch::available() {
            let mut out = Guarded::new(16, 0, SENTRY);
            let panic = catch_unwind(AssertUnwindSafe(|| call(kernels, &mut out))).expect_err("a bug passed");
            assert_eq!(panic.downcast_ref::<&str>().map(ToString::to_string).as_deref(), Some(expected));
            out.assert_untouched();
        }
    };
    let places = [1u32, 2, 3];
    let run = |dim: usize,
               starts: &'static [u32],
               columns: Range<usize>,
               ids: Option<(&'static [u32], usize)>,
               scratch: usize| {
        let grad = grad.clone();
        move |kernels: Kernels, out: &mut [f32]| {
            let of = RowSum { grad: &grad, dim, places: checked(kernels, &places), coefficients: None };
            let to = Sums { starts, columns: &columns, dense: ids };
            kernels.row_sums(Store::Cached, &of, to, &mut vec![0.0; scratch], out);
        }
    };
    refuses("row_sum: gradient too small", &run(9, &[0, 3], 0..8, None, 8));
    refuses("row_sum: gradient too small", &run(usize::MAX, &[0, 3], 0..8, None, 8));
    refuses("row_sum: columns past the end", &run(8, &[0, 3], 0..9, None, 9));
    refuses("row_sum: bad starts", &run(8, &[], 0..8, None, 8));
    refuses("row_sum: bad starts", &run(8, &[0, 2, 1], 0..8, None, 8));
    refuses("row_sum: bad starts", &run(8, &[0, 2, 4], 0..8, None, 8));
    refuses("row_sum: out of another size", &run(8, &[0, 3], 0..8, None, 8));
    refuses("row_sum: out of another size", &run(8, &[0, 1, 3], 0..7, None, 7));
    refuses("row_sum: scratch too small", &run(8, &[0, 1, 3], 0..8, None, 7));
    refuses("row_sum: ids do not ascend", &run(8, &[0, 1, 3], 0..8, Some((&[5, 5], 5)), 8));
    refuses("row_sum: ids do not ascend", &run(8, &[0, 1, 3], 0..8, Some((&[5], 5)), 8));
    refuses("row_sum: ids outside of out", &run(8, &[0, 1, 3], 0..8, Some((&[5, 7], 5)), 8));
    refuses("row_sum: ids outside of out", &run(8, &[0, 1, 3], 0..8, Some((&[4, 5], 5)), 8));
    let weighted = |kernels: Kernels, out: &mut [f32]| {
        let of = RowSum { grad: &grad, dim: 8, places: checked(kernels, &places), coefficients: Some(&[1.0; 2]) };
        kernels.row_sum(&of, 0..3, &(0..8), &mut out[..8]);
    };
    refuses("row_sum: other coefficients", &weighted);
    let past = |kernels: Kernels, out: &mut [f32]| {
        let of = RowSum { grad: &grad, dim: 8, places: checked(kernels, &places), coefficients: None };
        kernels.row_sum(&of, 0..4, &(0..8), &mut out[..8]);
    };
    refuses("row_sum: no such places", &past);
}
