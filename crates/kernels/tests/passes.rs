//! Passes have the same bits on every instruction set, and are correct to the last rounding.

use tokenbed_kernels::dispatch::{self, Kernels};
use tokenbed_kernels::ops::elements::along::{Entropy, EntropyBack, IGNORED, Scale, Softmax, SoftmaxBack};
use tokenbed_kernels::ops::elements::norm_rows::{NormBack, NormRows};
use tokenbed_kernels::ops::elements::pointwise::{Arithmetic, Binary, Dropout, Function, Side, Unary, UnaryBack};
use tokenbed_kernels::ops::elements::total::Total;
use tokenbed_testkit::compare::{ROUNDED_ONCE_ULPS, assert_same_values, assert_ulps};
use tokenbed_testkit::place::{Guarded, Placed};
use tokenbed_testkit::random::Random;

/// Lengths of rows and runs, on both sides of the widths of vectors and of the lanes of sums.
const LENGTHS: [usize; 12] = [1, 2, 7, 8, 15, 16, 17, 31, 33, 64, 85, 1000];

/// The step between bit patterns of f32: some four million of them are tested, of every magnitude, with infinities and
/// NaN.
const STRIDE: usize = 1021;

/// In f64 a function is plain Rust with `libm`, which computes its values differently from the polynomials for f32.
fn definition(function: Function, x: &[f32]) -> Vec<f32> {
    let x: Vec<f64> = x.iter().map(|&x| x.into()).collect();
    let mut out = vec![0.0; x.len()];
    dispatch::scalar().unary(Unary { function, x: &x, out: &mut out });
    out.into_iter().map(|y| y as f32).collect()
}

#[test]
fn functions_are_rounded_once_over_all_magnitudes() {
    let x: Vec<f32> = (0..=u32::MAX).step_by(STRIDE).map(f32::from_bits).collect();
    for function in Function::ALL {
        let wanted = definition(function, &x);
        for kernels in dispatch::available() {
            let mut out = vec![0.0; x.len()];
            kernels.unary(Unary { function, x: &x, out: &mut out });
            assert_ulps(&out, &wanted, ROUNDED_ONCE_ULPS, &format!("{function:?} on {:?}", kernels.isa()));
        }
    }
}

/// Runs `run` on every instruction set, from several offsets, and asserts the bits of plain Rust.
fn same_everywhere(size: usize, what: &str, run: impl Fn(Kernels, usize, &mut [f32])) {
    let mut wanted = None;
    for kernels in dispatch::available() {
        for offset in [0, 3] {
            let mut out = Guarded::new(size, offset, -12345.5f32);
            run(kernels, offset, &mut out);
            out.assert_guards();
            let wanted = wanted.get_or_insert_with(|| out.to_vec());
            assert_same_values(&out, wanted, &format!("{what} of {size} on {:?}", kernels.isa()));
        }
    }
}

#[test]
fn bits_are_the_same_on_every_instruction_set() {
    let mut random = Random::new(3);
    for n in LENGTHS {
        let rows = 3;
        let x: Vec<f32> = random.units(n * rows).iter().map(|x| x * 8.0).collect();
        let y = random.units(n * rows);
        let weight = random.units(n);
        let placed = |x: &[f32], offset| Placed::new(x, offset);
        for function in Function::ALL {
            same_everywhere(x.len(), "unary", |kernels, at, out| {
                kernels.unary(Unary { function, x: &placed(&x, at), out });
            });
            same_everywhere(x.len(), "unary back", |kernels, at, out| {
                let saved = placed(&x, at);
                kernels.unary_back(UnaryBack { function, saved: &saved, grad: &placed(&y, at), out });
            });
        }
        for op in Arithmetic::ALL {
            same_everywhere(x.len(), "binary", |kernels, at, out| {
                let (a, b) = (placed(&x, at), placed(&y, at));
                kernels.binary(Binary { op, a: Side::Each(&a), b: Side::Each(&b), out });
            });
            same_everywhere(x.len(), "binary", |kernels, at, out| {
                let a = placed(&x, at);
                kernels.binary(Binary { op, a: Side::One(1.5), b: Side::Each(&a), out });
            });
        }
        for log in [false, true] {
            same_everywhere(x.len(), "softmax", |kernels, at, out| {
                kernels.softmax(Softmax { log, n, x: &placed(&x, at), out });
            });
            same_everywhere(x.len(), "softmax back", |kernels, at, out| {
                let (y, grad) = (placed(&x, at), placed(&y, at));
                kernels.softmax_back(SoftmaxBack { log, n, y: &y, grad: &grad, out });
            });
        }
        let targets = [0, IGNORED, (n - 1) as u32];
        same_everywhere(x.len(), "entropy", |kernels, at, out| {
            let (logits, mut of) = (placed(&x, at), [[0.0; 2]; 3]);
            kernels.entropy(Entropy { n, logits: &logits, targets: &targets, out: &mut of });
            let (rows, scale) = (&of, Scale::One(0.7));
            kernels.entropy_back(EntropyBack { n, logits: &logits, targets: &targets, rows, scale, out });
            assert!(out[n..2 * n].iter().all(|&x| x == 0.0), "of an ignored row");
        });
        same_everywhere(x.len(), "norm", |kernels, at, out| {
            let (x, weight) = (placed(&x, at), placed(&weight, at));
            let (weight, bias) = (Some(&weight[..]), None);
            kernels.norm_rows(NormRows { dim: n, eps: 1e-5, weight, bias, x: &x, out });
        });
        same_everywhere(x.len() + 2 * n, "norm back", |kernels, at, out| {
            let (x, grad, weight) = (placed(&x, at), placed(&y, at), placed(&weight, at));
            let mut sums = vec![0.0; 2 * n];
            let (rows, columns) = out.split_at_mut(x.len());
            let (weight, sums_of) = (Some(&weight[..]), &mut sums);
            let (x, grad) = (&x, &grad);
            kernels.norm_back(NormBack { dim: n, eps: 1e-5, weight, x, grad, out: rows, sums: sums_of });
            columns.iter_mut().zip(&sums).for_each(|(out, &sum)| *out = sum as f32);
        });
        same_everywhere(x.len(), "dropout", |kernels, at, out| {
            let kept: Vec<u8> = (0..x.len().div_ceil(8)).map(|i| (i * 37) as u8).collect();
            kernels.dropout(Dropout { scale: 2.5, kept: &kept, x: &placed(&x, at), out });
        });
        same_everywhere(1, "total", |kernels, at, out| {
            let mut total = 0.0;
            kernels.total(Total { x: &placed(&x, at), out: &mut total });
            out[0] = total as f32;
        });
    }
}
