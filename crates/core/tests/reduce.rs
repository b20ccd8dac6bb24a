//! Sums, means and softmax against f64 loops.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use tokenbed_core::Error;
use tokenbed_core::ops::along::softmax;
use tokenbed_core::ops::reduce::{Reduce, reduce};
use tokenbed_core::ops::{Around, Number};
use tokenbed_kernels::dispatch::active;
use tokenbed_testkit::compare::{ROUNDED_ONCE_ULPS, assert_same_values, assert_ulps};
use tokenbed_testkit::naive;
use tokenbed_testkit::place::Guarded;
use tokenbed_testkit::random::Random;

const SIZES: [(usize, usize, usize); 9] =
    [(1, 1, 1), (1, 7, 1), (3, 5, 1), (1, 5, 3), (4, 3, 7), (2, 1, 5), (5, 33, 2), (1, 1000, 1), (7, 2, 16)];

fn around((outer, n, inner): (usize, usize, usize)) -> Around {
    Around { outer, n, inner }
}

/// The columns that are reduced, one for each element of (outer, inner).
fn columns<T: Copy>((outer, n, inner): (usize, usize, usize), x: &[T]) -> Vec<Vec<T>> {
    let column = |o: usize, i: usize| (0..n).map(|k| x[(o * n + k) * inner + i]).collect();
    (0..outer).flat_map(|o| (0..inner).map(move |i| (o, i))).map(|(o, i)| column(o, i)).collect()
}

fn reduced<T: Number + std::fmt::Debug>(op: Reduce, sizes: (usize, usize, usize), x: &[T], sentry: T) -> Vec<T> {
    let mut out = Guarded::new(sizes.0 * sizes.2, 1, sentry);
    reduce(active(), op, around(sizes), x, &mut out).expect("sizes fit");
    out.assert_guards();
    out.to_vec()
}

#[test]
fn sums_and_means_are_rounded_once() {
    let mut random = Random::new(7);
    for sizes in SIZES {
        let mut x = random.units(sizes.0 * sizes.1 * sizes.2);
        // A sum in f32 would lose the small ones.
        x.iter_mut().step_by(3).for_each(|x| *x *= 1e9);
        let sum = |column: &Vec<f32>| column.iter().map(|&x| f64::from(x)).sum::<f64>();
        let sums: Vec<f32> = columns(sizes, &x).iter().map(|column| sum(column) as f32).collect();
        let means: Vec<f32> = columns(sizes, &x).iter().map(|column| (sum(column) / sizes.1 as f64) as f32).collect();
        assert_same_values(&reduced(Reduce::Sum, sizes, &x, -12345.5), &sums, &"sum");
        assert_same_values(&reduced(Reduce::Mean, sizes, &x, -12345.5), &means, &"mean");
        let wide: Vec<f64> = x.iter().map(|&x| x.into()).collect();
        let sums: Vec<f64> = columns(sizes, &wide).iter().map(|column| column.iter().sum()).collect();
        assert_eq!(reduced(Reduce::Sum, sizes, &wide, -12345.5), sums);
        let whole: Vec<i64> = x.iter().map(|&x| x as i64).collect();
        let sums: Vec<i64> = columns(sizes, &whole).iter().map(|column| column.iter().sum()).collect();
        assert_eq!(reduced(Reduce::Sum, sizes, &whole, i64::MIN), sums);
        let means: Vec<i64> = sums.iter().map(|sum| sum / sizes.1 as i64).collect();
        assert_eq!(reduced(Reduce::Mean, sizes, &whole, i64::MIN), means);
    }
}

#[test]
fn nan_and_infinity_propagate() {
    let of = |op, x: &[f32]| reduced(op, (1, x.len(), 1), x, -1.0)[0];
    assert!(of(Reduce::Sum, &[1.0, f32::NAN]).is_nan());
    assert!(of(Reduce::Sum, &[f32::INFINITY, f32::NEG_INFINITY]).is_nan());
    assert_eq!(of(Reduce::Sum, &[f32::INFINITY, 1.0]), f32::INFINITY);
    assert_eq!(of(Reduce::Sum, &[f32::MAX, f32::MAX]), f32::INFINITY);
    assert_eq!(of(Reduce::Mean, &[f32::MAX, f32::MAX]), f32::MAX);
    assert_eq!(reduced(Reduce::Sum, (1, 2, 1), &[i64::MAX, 1], 0), [i64::MIN]);
}

/// These would loop over, or allocate, the size beside a zero.
#[test]
fn sizes_of_zero_take_no_time_or_memory() {
    assert_eq!(reduced::<f32>(Reduce::Sum, (2, 0, 2), &[], -1.0), [0.0; 4]);
    assert!(reduced::<f32>(Reduce::Mean, (2, 0, 2), &[], -1.0).iter().all(|x| x.is_nan()));
    assert_eq!(reduced::<i64>(Reduce::Mean, (2, 0, 2), &[], -1), [0; 4]);
    for sizes in [(0, 3, 2), (3, 2, 0), (0, 0, 0), (0, 3, 1 << 50), (1 << 50, 3, 0), (0, 1 << 50, 1 << 50)] {
        reduce::<f32>(active(), Reduce::Sum, around(sizes), &[], &mut [])
            .unwrap_or_else(|error| panic!("{sizes:?}: {error}"));
    }
    for sizes in [(2, 0, 2), (0, 3, 2), (3, 2, 0), (1 << 50, 0, 1), (1 << 31, 0, 1 << 31), (1 << 50, 5, 0)] {
        softmax::<f32>(active(), false, around(sizes), &[], &mut []).expect("nothing fits");
    }
}

#[test]
fn sizes_that_do_not_match_are_errors() {
    let sizes = [(2, 3, 4), (1, 23, 1), (usize::MAX, 3, 4), (1 << 32, 1 << 32, 1 << 32), (usize::MAX, usize::MAX, 0)];
    for sizes in sizes {
        for (input, output) in [(23, 8), (24, 7), (24, 9), (25, 8), (0, 0)] {
            let (x, mut out) = (vec![0.0f32; input], Guarded::new(output, 0, -1.0f32));
            assert!(matches!(reduce(active(), Reduce::Sum, around(sizes), &x, &mut out), Err(Error::Shape(_))));
            let soft = softmax(active(), false, around(sizes), &x, &mut out);
            assert!(matches!(soft, Err(Error::Shape(_))));
            out.assert_untouched();
        }
    }
}

#[test]
fn softmax_equals_the_formula() {
    let mut random = Random::new(8);
    for sizes in SIZES {
        let x: Vec<f32> = random.units(sizes.0 * sizes.1 * sizes.2).iter().map(|x| x * 20.0).collect();
        let mut wanted = vec![0.0f32; x.len()];
        let (_, n, inner) = sizes;
        for (c, column) in columns(sizes, &x).into_iter().enumerate() {
            let soft = naive::softmax(&column.iter().map(|&x| x.into()).collect::<Vec<f64>>());
            let (o, i) = (c / inner, c % inner);
            (0..n).for_each(|k| wanted[(o * n + k) * inner + i] = soft[k] as f32);
        }
        let mut out = Guarded::new(x.len(), 3, -12345.5f32);
        softmax(active(), false, around(sizes), &x, &mut out).expect("sizes fit");
        out.assert_guards();
        assert_ulps(&out, &wanted, ROUNDED_ONCE_ULPS, &"softmax");
        let wide: Vec<f64> = x.iter().map(|&x| x.into()).collect();
        let (mut soft, mut logs) = (vec![0.0f64; x.len()], vec![0.0f64; x.len()]);
        softmax(active(), false, around(sizes), &wide, &mut soft).expect("sizes fit");
        softmax(active(), true, around(sizes), &wide, &mut logs).expect("sizes fit");
        assert!(soft.iter().zip(&logs).all(|(soft, log)| (soft.ln() - log).abs() < 1e-13));
    }
}

#[test]
fn softmax_of_extreme_values_is_right() {
    let soft = |log: bool, x: &[f32]| {
        let mut out = vec![-1.0f32; x.len()];
        softmax(active(), log, around((1, x.len(), 1)), x, &mut out).expect("sizes fit");
        out
    };
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    assert_eq!(soft(false, &[5.0]), [1.0]);
    assert_eq!(soft(true, &[5.0]), [0.0]);
    assert_eq!(soft(false, &[f32::MAX, f32::MAX]), [0.5, 0.5]);
    assert_eq!(soft(false, &[-f32::MAX, f32::MAX]), [0.0, 1.0]);
    assert_eq!(soft(true, &[-1000.0, 1000.0]), [-2000.0, 0.0]);
    assert_eq!(soft(false, &[-inf, 3.0, 3.0]), [0.0, 0.5, 0.5]);
    assert_eq!(soft(true, &[-inf, 3.0])[0], -inf);
    // The result is NaN, as in PyTorch: all elements are minus infinity.
    for x in [&[-inf, -inf][..], &[inf, 1.0], &[inf, inf], &[nan, 1.0], &[1.0, nan, 5.0], &[5.0, nan, 1.0], &[nan, inf]]
    {
        assert!(soft(true, x).iter().all(|x| x.is_nan()), "{x:?}");
        assert!(soft(false, x).iter().any(|x| x.is_nan()), "{x:?}");
    }
    assert!(soft(false, &[1.0, nan, 5.0]).iter().all(|x| x.is_nan()), "all of them, wherever it stands");
}
