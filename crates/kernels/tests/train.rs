//! The ops of training have the bits of their references on every instruction set of this machine.

#![allow(clippy::unwrap_used, reason = "tests")]

use tokenbed_kernels::dispatch::{self, Kernels, available};
use tokenbed_kernels::isa::Isa;
use tokenbed_kernels::ops::products::gemm::{View, gemm};
use tokenbed_kernels::ops::products::matmul::Product;
use tokenbed_kernels::ops::products::row_dots::Picked;
use tokenbed_kernels::ops::products::row_mix::Coefficients;

fn scalar() -> Kernels {
    available().find(|kernels| kernels.isa() == Isa::Scalar).unwrap()
}

/// Floats of both signs and many magnitudes.
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

/// The value after the output, which must stay.
const SENTRY: f32 = 7.25;

#[test]
fn row_dots_and_row_mix_have_the_bits_of_the_reference() {
    for stride in [16, 32, 48, 80, 112] {
        let table = floats(1, 20 * stride);
        for (down, across) in [(0, 3), (1, 1), (2, 3), (3, 6), (10, 6), (5, 7), (4, 0)] {
            let a: Vec<u32> = (0..down as u32).map(|i| i * 7 % 20).collect();
            let b: Vec<u32> = (0..across as u32).map(|i| i * 3 % 20).collect();
            let [a, b] = [&a, &b].map(|rows| Picked { table: &table, rows });
            let dots = |kernels: Kernels| {
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
            let mix = |kernels: Kernels| {
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
fn exponentials_have_the_bits_of_the_reference() {
    for width in [16, 64, 128] {
        let mut rows = floats(2, 6 * width);
        rows[width] = f32::NEG_INFINITY;
        rows[2 * width..3 * width].fill(f32::NEG_INFINITY);
        rows[2 * width + 5] = -1e30;
        rows[3 * width + 1] = 1e4;
        rows[4 * width + 2] = f32::NAN;
        let run = |kernels: Kernels| {
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
fn strided_products() {
    let (a, b) = (floats(7, 200), floats(8, 200));
    for (rows, inner, columns) in
        [(5, 7, 6), (1, 7, 6), (3, 7, 6), (4, 1, 6), (5, 7, 1), (5, 0, 6), (0, 7, 6), (5, 7, 0)]
    {
        for (a_row, a_column, b_row, b_column) in [(7, 1, 6, 1), (1, 5, 1, 7), (9, 1, 1, 11)] {
            for (add, row) in [(true, 8), (false, 8), (false, columns.max(1)), (true, columns.max(1))] {
                let start = if add { 1.0 } else { f32::NAN };
                let mut out = vec![SENTRY; 5 * 8];
                (0..rows).for_each(|r| out[r * row..][..columns].fill(start));
                let (left, right) = (
                    View { values: &a, row: a_row, column: a_column },
                    View { values: &b, row: b_row, column: b_column },
                );
                gemm(dispatch::active(), Product { rows, inner, columns }, left, right, add, &mut out, row);
                for (i, x) in out.iter().enumerate() {
                    let (r, c) = (i / row, i % row);
                    if r >= rows || c >= columns {
                        assert_eq!(*x, SENTRY);
                        continue;
                    }
                    let product =
                        |k: usize| f64::from(a[r * a_row + k * a_column]) * f64::from(b[k * b_row + c * b_column]);
                    let exact = f64::from(u8::from(add)) + (0..inner).map(product).sum::<f64>();
                    let size = 1.0 + (0..inner).map(|k| product(k).abs()).sum::<f64>();
                    assert!(
                        (f64::from(*x) - exact).abs() <= 1e-6 * size,
                        "{rows} {inner} {columns}: {x} is not {exact}"
                    );
                }
            }
        }
    }
}
