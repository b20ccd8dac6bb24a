//! The ops of training against their references, on every instruction set that this machine has: equal bits.

#![allow(clippy::unwrap_used, reason = "tests")]

use tokenbed_kernels::isa::Isa;
use tokenbed_kernels::ops::adamw_dense::AdamStep;
use tokenbed_kernels::ops::gemm::{Sizes, View, gemm};
use tokenbed_kernels::ops::row_dots::Picked;
use tokenbed_kernels::ops::row_mix::Coefficients;
use tokenbed_kernels::table::{Kernels, available};

fn scalar() -> &'static Kernels {
    available().find(|kernels| kernels.isa() == Isa::Scalar).unwrap()
}

/// Floats of both signs and many sizes.
fn floats(seed: u32, len: usize) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..len).map(|_| next() * 4f32.powf(3.0 * next())).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

/// What follows the output and must stay.
const SENTRY: f32 = 7.25;

#[test]
fn row_dots_and_row_mix() {
    for stride in [16, 32, 48, 80, 112] {
        let table = floats(1, 20 * stride);
        for (down, across) in [(0, 3), (1, 1), (2, 3), (3, 6), (10, 6), (5, 7), (4, 0)] {
            let a: Vec<u32> = (0..down as u32).map(|i| i * 7 % 20).collect();
            let b: Vec<u32> = (0..across as u32).map(|i| i * 3 % 20).collect();
            let [a, b] = [&a, &b].map(|rows| Picked { table: &table, rows });
            let dots = |kernels: &Kernels| {
                let mut out = vec![SENTRY; down * across + 3];
                kernels.row_dots(a, b, stride, &mut out[..down * across]);
                assert!(out[down * across..].iter().all(|&x| x == SENTRY));
                out.truncate(down * across);
                out
            };
            let expected = dots(scalar());
            for (i, x) in expected.iter().enumerate() {
                let row = |picked: &Picked<'_>, at: usize| &table[picked.rows[at] as usize * stride..][..stride];
                let pairs = row(&a, i / across).iter().zip(row(&b, i % across));
                let exact: f64 = pairs.clone().map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
                let size: f64 = pairs.map(|(x, y)| (f64::from(*x) * f64::from(*y)).abs()).sum();
                assert!((f64::from(*x) - exact).abs() <= 1e-6 * size + 1e-12);
            }
            let coefficients = Coefficients { values: &expected, across, down: 1 };
            let mix = |kernels: &Kernels| {
                let mut out = vec![SENTRY; down * stride + 3];
                kernels.row_mix(coefficients, b, stride, &mut out[..down * stride]);
                assert!(out[down * stride..].iter().all(|&x| x == SENTRY));
                out.truncate(down * stride);
                out
            };
            let mixed = mix(scalar());
            for kernels in available() {
                assert_eq!(bits(&dots(kernels)), bits(&expected), "dots {:?} {stride} {down} {across}", kernels.isa());
                assert_eq!(bits(&mix(kernels)), bits(&mixed), "mix {:?} {stride} {down} {across}", kernels.isa());
            }
        }
    }
}

#[test]
fn exponentials() {
    for width in [16, 64, 128] {
        let mut rows = floats(2, 6 * width);
        rows[width] = f32::NEG_INFINITY;
        rows[2 * width..3 * width].fill(f32::NEG_INFINITY);
        rows[2 * width + 5] = -1e30;
        rows[3 * width + 1] = 1e4;
        rows[4 * width + 2] = f32::NAN;
        let run = |kernels: &Kernels| {
            let (mut x, mut out) = (rows.clone(), vec![SENTRY; 13]);
            kernels.exp_rows(&mut x, width, &mut out[..12]);
            assert_eq!(out[12], SENTRY);
            (x, out)
        };
        let (expected, sums) = run(scalar());
        for (row, (exps, out)) in rows.chunks(width).zip(expected.chunks(width).zip(sums.chunks(2))) {
            if row.iter().any(|x| x.is_nan()) {
                assert!(out[1].is_nan());
                continue;
            }
            for (x, e) in row.iter().zip(exps) {
                let exact = f64::from(x - out[0]).exp();
                assert!((f64::from(*e) - exact).abs() <= 3e-7 * exact + 2e-38, "{x}: {e} is not {exact}");
            }
        }
        for kernels in available() {
            let (x, out) = run(kernels);
            let numbers =
                |values: &[f32]| values.iter().map(|x| if x.is_nan() { 0 } else { x.to_bits() }).collect::<Vec<_>>();
            assert_eq!(numbers(&x), numbers(&expected), "{:?} {width}", kernels.isa());
            assert_eq!(numbers(&out), numbers(&sums), "{:?} {width}", kernels.isa());
        }
    }
}

#[test]
fn a_step_of_adamw() {
    let by =
        AdamStep { decay: 0.9999, follow: 0.1, beta2: 0.999, follow2: 0.001, step: -0.01, root: 0.0316, eps: 1e-8 };
    for len in [0, 1, 7, 16, 33, 100] {
        let run = |kernels: &Kernels| {
            let mut parts = [floats(3, len), floats(4, len), floats(5, len).iter().map(|x| x.abs()).collect()];
            let [p, m, v] = &mut parts;
            kernels.adamw_dense(by, p, m, v, &floats(6, len));
            parts.map(|part| bits(&part))
        };
        let expected = run(scalar());
        for kernels in available() {
            assert_eq!(run(kernels), expected, "{:?} {len}", kernels.isa());
        }
    }
}

#[test]
fn products_by_strides() {
    let (rows, inner, columns) = (5, 7, 6);
    let (a, b) = (floats(7, 200), floats(8, 200));
    for (a_row, a_column, b_row, b_column) in [(7, 1, 6, 1), (1, 5, 1, 7), (9, 1, 1, 11)] {
        let mut out = vec![1.0; 5 * 8];
        let (left, right) =
            (View { values: &a, row: a_row, column: a_column }, View { values: &b, row: b_row, column: b_column });
        gemm(Sizes { rows, inner, columns }, left, right, 1.0, &mut out, 8);
        for (i, x) in out.iter().enumerate() {
            let (r, c) = (i / 8, i % 8);
            let product = |k: usize| f64::from(a[r * a_row + k * a_column]) * f64::from(b[k * b_row + c * b_column]);
            let exact = 1.0 + if c < columns { (0..inner).map(product).sum::<f64>() } else { 0.0 };
            assert!((f64::from(*x) - exact).abs() < 1e-4 * exact.abs().max(100.0));
        }
    }
}
