//! Functions of one operand against their definitions, and at extreme values.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use tokenbed_core::Error;
use tokenbed_core::ops::unary::{Unary, unary, unary_back};
use tokenbed_kernels::dispatch::active;
use tokenbed_testkit::compare::{ROUNDED_ONCE_ULPS, assert_ulps};
use tokenbed_testkit::naive;
use tokenbed_testkit::place::Guarded;
use tokenbed_testkit::random::Random;

fn single(op: Unary, x: &[f32]) -> Vec<f32> {
    let mut out = Guarded::new(x.len(), 1, -12345.5f32);
    unary(active(), op, x, &mut out).expect("sizes fit");
    out.assert_guards();
    out.to_vec()
}

fn one(op: Unary, x: f32) -> f32 {
    single(op, &[x])[0]
}

fn definition(op: Unary, x: f64) -> f64 {
    match op {
        Unary::Relu => x.max(0.0),
        Unary::Gelu => 0.5 * x * (1.0 + naive::erf(x / 2f64.sqrt())),
        Unary::Tanh => x.tanh(),
        Unary::Sigmoid => (1.0 + (-x).exp()).recip(),
        Unary::Sqrt => x.sqrt(),
        Unary::Exp => x.exp(),
        Unary::Log => x.ln(),
        Unary::Log1p => x.ln_1p(),
        Unary::Abs => x.abs(),
        Unary::LogSigmoid => -(-x).exp().ln_1p(),
    }
}

#[test]
fn functions_equal_their_definitions() {
    let mut random = Random::new(10);
    for op in Unary::ALL {
        // Further out the series of erf suffers from cancellation.
        let x: Vec<f32> =
            random.units(5000).iter().map(|x| x * 3.0).chain((-30..=30).map(|i| i as f32 / 10.0)).collect();
        let wanted: Vec<f32> = x.iter().map(|&x| definition(op, x.into()) as f32).collect();
        assert_ulps(&single(op, &x), &wanted, ROUNDED_ONCE_ULPS, &format!("{op:?}"));
        let wide: Vec<f64> = x.iter().map(|&x| x.into()).collect();
        let mut out = vec![0.0f64; x.len()];
        unary(active(), op, &wide, &mut out).expect("sizes fit");
        let close = |(&x, out): (&f64, f64)| {
            let wanted = definition(op, x);
            (out - wanted).abs() <= 1e-13 || out == wanted || out.is_nan() && wanted.is_nan()
        };
        assert!(wide.iter().zip(out).all(close), "{op:?}");
    }
}

/// Values from published tables, for the tail of gelu, where 1 + erf(x) cancels.
#[test]
fn gelu_keeps_its_tail() {
    for (x, wanted) in [(-6.0, -5.919_526e-9), (-10.0, -7.619_853e-23), (-13.0, -7.952_314e-38), (6.0, 6.0)] {
        assert_ulps(&[one(Unary::Gelu, x)], &[wanted], 4, &x);
    }
    for x in [-14.8f32, -40.0, -1e10, -f32::MAX] {
        assert_eq!(one(Unary::Gelu, x), 0.0, "{x}");
    }
    assert_eq!(one(Unary::Gelu, f32::MAX), f32::MAX);
}

#[test]
fn at_large_values_functions_reach_their_limits() {
    let inf = f32::INFINITY;
    for (x, limit) in
        [(1000.0, 1.0), (-1000.0, 0.0), (inf, 1.0), (-inf, 0.0), (f32::MAX, 1.0), (-f32::MAX, 0.0), (0.0, 0.5)]
    {
        assert_eq!(one(Unary::Sigmoid, x), limit);
    }
    assert!(one(Unary::Sigmoid, -100.0) > 0.0, "down to the smallest number");
    for (x, limit) in [(1000.0, 1.0), (-1000.0, -1.0), (inf, 1.0), (-inf, -1.0), (0.0, 0.0)] {
        assert_eq!(one(Unary::Tanh, x), limit);
    }
    assert_eq!((one(Unary::Exp, 1000.0), one(Unary::Exp, -1000.0)), (inf, 0.0));
    assert_eq!((one(Unary::Log, inf), one(Unary::Log, 0.0), one(Unary::Log1p, -1.0)), (inf, -inf, -inf));
    assert_eq!((one(Unary::LogSigmoid, 1000.0), one(Unary::LogSigmoid, -1000.0)), (-0.0, -1000.0));
    assert_eq!((one(Unary::LogSigmoid, inf), one(Unary::LogSigmoid, -inf)), (-0.0, -inf));
    assert_eq!(one(Unary::Relu, inf), inf);
    assert_eq!(one(Unary::Relu, -inf), 0.0);
    assert_eq!(one(Unary::Gelu, inf), inf);
}

#[test]
fn zeros_and_the_smallest_keep_their_sign() {
    let tiny = f32::from_bits(1);
    assert_eq!(one(Unary::Tanh, -0.0).to_bits(), (-0.0f32).to_bits());
    assert_eq!(one(Unary::Gelu, -0.0).to_bits(), (-0.0f32).to_bits());
    assert_eq!(one(Unary::Tanh, tiny), tiny);
    assert_eq!((one(Unary::Relu, tiny), one(Unary::Relu, -tiny)), (tiny, 0.0));
    assert_eq!(one(Unary::Relu, -0.0), 0.0);
}

#[test]
fn roots_are_rounded_correctly() {
    let x: Vec<f32> = (0..=u32::MAX >> 1).step_by(9973).map(f32::from_bits).collect();
    for (root, x) in single(Unary::Sqrt, &x).into_iter().zip(x) {
        assert!(root.to_bits() == x.sqrt().to_bits() || x.is_nan() && root.is_nan(), "{x}");
    }
    assert_eq!(one(Unary::Sqrt, -0.0).to_bits(), (-0.0f32).to_bits());
    assert!(one(Unary::Sqrt, -f32::MIN_POSITIVE).is_nan());
    // 0.5 / sqrt(x), of the results: infinite where the root is 0.
    let mut out = [0.0f32; 3];
    unary_back(active(), Unary::Sqrt, &[2.0, 0.5, 0.0], &[1.0, -3.0, 1.0], &mut out).expect("sizes fit");
    assert_eq!(out, [0.25, -3.0, f32::INFINITY]);
}

#[test]
fn nan_propagates() {
    for op in Unary::ALL {
        assert!(one(op, f32::NAN).is_nan(), "{op:?}");
        assert!(one(op, -f32::NAN).is_nan(), "{op:?}");
    }
}

#[test]
fn other_sizes_are_errors() {
    for op in Unary::ALL {
        assert!(single(op, &[]).is_empty());
        let mut out = Guarded::new(3, 0, -1.0f32);
        let refused = unary(active(), op, &[1.0, 2.0], &mut out);
        assert!(matches!(refused, Err(Error::Shape(_))));
        out.assert_untouched();
    }
}
