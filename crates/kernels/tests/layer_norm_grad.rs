//! The backward pass of layer normalization: it has the same bits on every instruction set, and agrees with finite
//! differences in f64.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use tokenbed_kernels::dispatch;
use tokenbed_kernels::ops::lookup::layer_norm::Norm;
use tokenbed_testkit::compare::assert_same_bits;
use tokenbed_testkit::naive;
use tokenbed_testkit::random::{DIMS, Random};

const ROWS: usize = 3;
const EPS: f64 = 1e-5;

/// Gradients of the loss `sum(grad * layer_norm(x))`, by central differences in f64 of the naive formula.
struct Differences {
    x: Vec<f64>,
    weight: Vec<f64>,
    bias: Vec<f64>,
}

/// The formula in f64, row by row.
fn loss(x: &[f64], weight: &[f64], bias: &[f64], grad: &[f32]) -> f64 {
    let dim = weight.len();
    let row = |(x, grad): (&[f64], &[f32])| {
        let n = dim as f64;
        let mean = x.iter().sum::<f64>() / n;
        let rstd = 1.0 / (x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n + EPS).sqrt();
        (0..dim).map(|d| f64::from(grad[d]) * ((x[d] - mean) * rstd * weight[d] + bias[d])).sum::<f64>()
    };
    x.chunks_exact(dim).zip(grad.chunks_exact(dim)).map(row).sum()
}

fn differences(x: &[f32], weight: &[f32], bias: &[f32], grad: &[f32]) -> Differences {
    let wide = |values: &[f32]| values.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
    let given = [wide(x), wide(weight), wide(bias)];
    let by = |of: usize| {
        let step = 1e-6;
        let at = |i: usize, by: f64| {
            let mut moved = given.clone();
            moved[of][i] += by;
            loss(&moved[0], &moved[1], &moved[2], grad)
        };
        (0..given[of].len()).map(|i| (at(i, step) - at(i, -step)) / (2.0 * step)).collect()
    };
    Differences { x: by(0), weight: by(1), bias: by(2) }
}

fn assert_near(ours: &[f32], wanted: &[f64], what: &str) {
    let largest = wanted.iter().fold(1.0, |most: f64, x| most.max(x.abs()));
    for (i, (&a, &b)) in ours.iter().zip(wanted).enumerate() {
        assert!((f64::from(a) - b).abs() <= 3e-5 * largest, "{what}: {a} is not {b} at {i}");
    }
}

#[test]
fn agrees_with_finite_differences_with_the_same_bits_everywhere() {
    let mut random = Random::new(17);
    for dim in DIMS.into_iter().filter(|&dim| dim > 1) {
        let (x, grad) = (random.units(ROWS * dim), random.units(ROWS * dim));
        let (weight, bias) = (random.units(dim), random.units(dim));
        let norm = Norm { weight: &weight, bias: &bias, eps: EPS };
        let run = |kernels: dispatch::Kernels| {
            let (mut x, mut by_weight, mut by_bias) = (x.clone(), vec![0.0; dim], vec![0.0; dim]);
            kernels.layer_norm_grad(&norm, &grad, &mut x, &mut by_weight, &mut by_bias);
            (x, by_weight, by_bias)
        };
        let scalar = dispatch::available().next().expect("the scalar one");
        let wanted = run(scalar);
        for kernels in dispatch::available() {
            let (x, by_weight, by_bias) = run(kernels);
            let what = format!("{} dim {dim}", kernels.isa().name());
            assert_same_bits(&x, &wanted.0, &what);
            assert_same_bits(&by_weight, &wanted.1, &what);
            assert_same_bits(&by_bias, &wanted.2, &what);
        }
        // Two elements keep little after their mean is subtracted, so their differences are steeper than the step.
        if (3..=256).contains(&dim) {
            let by = differences(&x, &weight, &bias, &grad);
            assert_near(&wanted.0, &by.x, &format!("x, dim {dim}"));
            assert_near(&wanted.1, &by.weight, &format!("weight, dim {dim}"));
            assert_near(&wanted.2, &by.bias, &format!("bias, dim {dim}"));
        }
    }
}

/// The backward pass normalizes as forward does: with a gradient of 1, the weight's gradient is the normalized row.
#[test]
fn normalizes_as_forward_does() {
    let mut random = Random::new(18);
    let dim = 70;
    let x = random.units(dim);
    let (weight, bias) = (vec![1.0; dim], vec![0.0; dim]);
    let norm = Norm { weight: &weight, bias: &bias, eps: EPS };
    let units = naive::layer_norm(&x, &weight, &bias, EPS);
    let (mut back, mut by_weight, mut by_bias) = (x.clone(), vec![0.0; dim], vec![0.0; dim]);
    dispatch::active().layer_norm_grad(&norm, &vec![1.0; dim], &mut back, &mut by_weight, &mut by_bias);
    assert_near(&by_weight, &units, "units");
    assert_eq!(by_bias, vec![1.0; dim]);
    // Shifting a whole row does not change its normalized values.
    assert!(back.iter().all(|x| x.abs() < 1e-4));
}
