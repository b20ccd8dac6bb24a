//! Products of matrices against f64 sums.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::panic::catch_unwind;
use tokenbed_kernels::ops::matmul::{matmul_f32, matmul_f64};
use tokenbed_testkit::compare::{reduction_f32, reduction_f64};
use tokenbed_testkit::naive;
use tokenbed_testkit::place::{Guarded, Placed};
use tokenbed_testkit::random::Random;

/// (rows, inner, columns) on both sides of the blocks that products are cut into.
const SIZES: [(usize, usize, usize); 12] = [
    (1, 1, 1),
    (1, 7, 1),
    (3, 1, 5),
    (4, 8, 8),
    (5, 9, 17),
    (7, 16, 33),
    (8, 64, 31),
    (13, 85, 9),
    (16, 163, 16),
    (33, 20, 65),
    (64, 300, 3),
    (2, 768, 100),
];

#[test]
fn products_are_sums_of_products() {
    let mut random = Random::new(5);
    for (rows, inner, columns) in SIZES {
        let (a, b) = (random.units(rows * inner), random.units(inner * columns));
        let wide = |x: &[f32]| x.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
        let (a64, b64) = (wide(&a), wide(&b));
        let (wanted, magnitudes) = naive::matmul(rows, inner, columns, &a64, &b64);
        for offset in [0, 1, 5] {
            // NaN would stay if a result were added to what stood there.
            let mut out = Guarded::new(rows * columns, offset, -7.5f32);
            out.fill(f32::NAN);
            matmul_f32(rows, inner, columns, &Placed::new(&a, offset), &Placed::new(&b, offset), &mut out);
            out.assert_guards();
            let mut out64 = Guarded::new(rows * columns, offset, -7.5f64);
            out64.fill(f64::NAN);
            matmul_f64(rows, inner, columns, &Placed::new(&a64, offset), &Placed::new(&b64, offset), &mut out64);
            out64.assert_guards();
            for i in 0..rows * columns {
                let (narrow, wide) = ((f64::from(out[i]) - wanted[i]).abs(), (out64[i] - wanted[i]).abs());
                assert!(narrow <= reduction_f32(inner, magnitudes[i]), "{rows} {inner} {columns} at {i}");
                assert!(wide <= reduction_f64(inner, magnitudes[i]), "{rows} {inner} {columns} at {i}");
            }
        }
    }
}

#[test]
fn small_integers_are_exact() {
    let a: Vec<f32> = (0..15).map(|i| i as f32 - 7.0).collect();
    let b: Vec<f32> = (0..20).map(|i| 10.0 - i as f32).collect();
    let mut out = [f32::NAN; 12];
    matmul_f32(3, 5, 4, &a, &b, &mut out);
    let wide = |x: &[f32]| x.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
    let (wanted, _) = naive::matmul(3, 5, 4, &wide(&a), &wide(&b));
    assert_eq!(wide(&out), wanted);
}

#[test]
fn sums_over_nothing_are_zero() {
    let (mut out, mut out64) = ([f32::NAN; 6], [f64::NAN; 6]);
    matmul_f32(2, 0, 3, &[], &[], &mut out);
    matmul_f64(2, 0, 3, &[], &[], &mut out64);
    assert_eq!((out, out64), ([0.0; 6], [0.0; 6]));
}

#[test]
fn nothing() {
    matmul_f32(0, 5, 3, &[], &[1.0; 15], &mut []);
    matmul_f32(3, 5, 0, &[1.0; 15], &[], &mut []);
    matmul_f32(0, 0, 0, &[], &[], &mut []);
    // At once, however large the size beside the zero.
    matmul_f32(1 << 50, 0, 0, &[], &[], &mut []);
    matmul_f64(1 << 50, 0, 0, &[], &[], &mut []);
    matmul_f64(0, 0, 1 << 50, &[], &[], &mut []);
}

#[test]
fn wrong_sizes_are_refused() {
    let sizes = [
        (2, 3, 4, 5, 12, 8),
        (2, 3, 4, 6, 11, 8),
        (2, 3, 4, 6, 12, 9),
        (usize::MAX, 2, 1, 6, 2, 8),
        (1 << 33, 1 << 33, 1 << 33, 0, 0, 0),
    ];
    for (rows, inner, columns, a, b, out) in sizes {
        let refused = catch_unwind(|| {
            matmul_f32(rows, inner, columns, &vec![1.0; a], &vec![1.0; b], &mut vec![0.0; out]);
        });
        assert!(refused.is_err(), "{rows} {inner} {columns}");
        let refused = catch_unwind(|| {
            matmul_f64(rows, inner, columns, &vec![1.0; a], &vec![1.0; b], &mut vec![0.0; out]);
        });
        assert!(refused.is_err(), "{rows} {inner} {columns}");
    }
}
