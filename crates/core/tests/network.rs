//! Cross-entropy, layer normalization and dropout against f64 loops, and their errors.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use tokenbed_core::Error;
use tokenbed_core::ids::IdSlice;
use tokenbed_core::ops::entropy::{IGNORED, Scale, entropy, entropy_back, resolve_targets};
use tokenbed_core::ops::norm::{norm_back, norm_rows};
use tokenbed_core::ops::unary::{Unary, unary};
use tokenbed_core::ops::unary::{dropout, unary_back};
use tokenbed_kernels::dispatch::active;
use tokenbed_testkit::compare::{ROUNDED_ONCE_ULPS, assert_ulps, layer_norm_f32};
use tokenbed_testkit::naive;
use tokenbed_testkit::place::Guarded;
use tokenbed_testkit::random::Random;

fn refused(result: Result<(), Error>) -> bool {
    matches!(result, Err(Error::Shape(_)))
}

const LENGTHS: [usize; 8] = [1, 2, 15, 16, 17, 33, 85, 1000];

#[test]
fn entropies_equal_the_formula() {
    let mut random = Random::new(21);
    for n in LENGTHS {
        let logits: Vec<f32> = random.units(3 * n).iter().map(|x| x * 10.0).collect();
        let targets = [n as u32 - 1, IGNORED, 0];
        let mut rows = [[-1.0; 2]; 3];
        entropy(active(), n, &logits, &targets, &mut rows).expect("fits");
        let mut grad = Guarded::new(3 * n, 1, -12345.5f32);
        entropy_back(active(), n, &logits, &targets, &rows, Scale::Each(&[0.5, 7.0, -2.0]), &mut grad).expect("fits");
        grad.assert_guards();
        let mut wanted = vec![0.0; 3 * n];
        for (row, scale) in [(0, 0.5), (2, -2.0)] {
            let x: Vec<f64> = logits[row * n..][..n].iter().map(|&x| x.into()).collect();
            let soft = naive::softmax(&x);
            let target = targets[row] as usize;
            let loss = -soft[target].ln();
            assert!((rows[row][1] - loss).abs() < 1e-12, "{n}: {} is not {loss}", rows[row][1]);
            for k in 0..n {
                // Values that are 1 in f64, except for rounding, cancel.
                let less = if k == target { soft[k] - 1.0 } else { soft[k] };
                wanted[row * n + k] = if less.abs() < 1e-15 { grad[row * n + k] } else { (less * scale) as f32 };
            }
        }
        assert_eq!(rows[1], [0.0, 0.0]);
        assert_ulps(&grad, &wanted, ROUNDED_ONCE_ULPS, &n);
    }
}

#[test]
fn targets_out_of_range_are_errors() {
    let mut out = [0; 4];
    let ids = IdSlice::I32(&[2, -100, 0, 2]);
    assert_eq!(resolve_targets(ids, 3, Some(-100), &mut out).expect("good"), 3);
    assert_eq!(out, [2, IGNORED, 0, 2]);
    match resolve_targets(ids, 2, Some(-100), &mut out) {
        Err(Error::TokenIndex { flat: 0, value: 2, rows: 2, count: 2 }) => {}
        other => panic!("{other:?}"),
    }
    assert!(matches!(resolve_targets(ids, 3, None, &mut out), Err(Error::TokenIndex { flat: 1, value: -100, .. })));
    // The number that marks ignored rows is not a class.
    assert!(matches!(resolve_targets(IdSlice::U32(&[IGNORED]), 3, None, &mut out[..1]), Err(Error::TokenIndex { .. })));
    assert!(matches!(resolve_targets(IdSlice::U32(&[0]), usize::MAX, None, &mut out[..1]), Err(Error::Shape(_))));
    assert!(matches!(resolve_targets(ids, 3, None, &mut out[..3]), Err(Error::Shape(_))));
}

#[test]
fn entropies_of_other_sizes_are_errors() {
    let (x, mut rows, mut out) = ([1.0f32; 6], [[0.0; 2]; 2], Guarded::new(6, 0, -1.0f32));
    assert!(refused(entropy(active(), 3, &x, &[0, 3], &mut rows)), "a target that is no class");
    assert!(refused(entropy(active(), 3, &x[..5], &[0, 1], &mut rows)));
    assert!(refused(entropy(active(), 3, &x, &[0], &mut rows)));
    assert!(refused(entropy(active(), usize::MAX, &x, &[0, 1], &mut rows)));
    assert!(refused(entropy_back(active(), 3, &x, &[0, 3], &rows, Scale::One(1.0), &mut out)));
    assert!(refused(entropy_back(active(), 3, &x, &[0, 1], &rows, Scale::Each(&[1.0]), &mut out)));
    assert!(refused(entropy_back(active(), 3, &x, &[0, 1], &rows, Scale::One(1.0), &mut out[..5])));
    out.assert_untouched();
    entropy(active(), 0, &[0.0f32; 0], &[IGNORED], &mut rows[..1]).expect("nothing to look at");
}

#[test]
fn normalized_rows_equal_the_formula() {
    let mut random = Random::new(22);
    for n in LENGTHS {
        let x: Vec<f32> = random.units(3 * n).iter().map(|x| x * 3.0 + 5.0).collect();
        let (weight, bias) = (random.units(n), random.units(n));
        let (ones, zeros) = (vec![1.0; n], vec![0.0; n]);
        for (w, b) in [(None, None), (Some(&weight), None), (None, Some(&bias)), (Some(&weight), Some(&bias))] {
            let mut out = Guarded::new(3 * n, 1, -12345.5f32);
            norm_rows(active(), n, 1e-5, w.map(|w| &w[..]), b.map(|b| &b[..]), &x, &mut out).expect("fits");
            out.assert_guards();
            let (w, b) = (w.unwrap_or(&ones), b.unwrap_or(&zeros));
            for (row, out) in x.chunks(n).zip(out.chunks(n)) {
                for (d, (y, out)) in naive::layer_norm(row, w, b, 1e-5).into_iter().zip(out).enumerate() {
                    assert!((f64::from(*out) - y).abs() <= layer_norm_f32(y, w[d], b[d]), "{n} at {d}: {out}, not {y}");
                }
            }
        }
    }
}

#[test]
fn normalizations_of_other_sizes_are_errors() {
    let (x, mut out) = ([1.0f32; 6], Guarded::new(6, 0, -1.0f32));
    assert!(refused(norm_rows(active(), 0, 1e-5, None, None, &x, &mut out)));
    assert!(refused(norm_rows(active(), 4, 1e-5, None, None, &x, &mut out)));
    assert!(refused(norm_rows(active(), 3, 1e-5, Some(&x[..2]), None, &x, &mut out)));
    assert!(refused(norm_rows(active(), 3, 1e-5, None, Some(&x[..4]), &x, &mut out)));
    assert!(refused(norm_rows(active(), 3, 1e-5, None, None, &x, &mut out[..3])));
    let mut short = [0.0; 2];
    assert!(refused(norm_back(active(), 3, 1e-5, None, &x, &x, &mut out, Some(&mut short), None)));
    assert!(refused(norm_back(active(), 3, 1e-5, None, &x, &x[..3], &mut out, None, None)));
    out.assert_untouched();
    let (mut weight, mut bias) = ([7.0f32; 3], [7.0f32; 3]);
    norm_back(active(), 3, 1e-5, None, &[], &[], &mut [], Some(&mut weight), Some(&mut bias)).expect("no rows");
    assert_eq!((weight.map(f32::to_bits), bias.map(f32::to_bits)), ([0; 3], [0; 3]), "sums over nothing, and not -0");
}

#[test]
fn dropout_and_gradients_of_other_sizes_are_errors() {
    let (x, mut out) = ([1.0f32; 9], Guarded::new(9, 0, -1.0f32));
    assert!(refused(dropout(active(), 2.0, &[0xff], &x, &mut out)));
    assert!(refused(dropout(active(), 2.0, &[0xff; 2], &x, &mut out[..8])));
    assert!(refused(unary_back(active(), Unary::Gelu, &x, &x[..8], &mut out)));
    assert!(refused(unary(active(), Unary::Gelu, &x[..8], &mut out)));
    out.assert_untouched();
    dropout(active(), 2.0, &[0b1000_0001, 0], &x, &mut out).expect("fits");
    out.assert_guards();
    assert_eq!(&out[..], [2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0]);
}
