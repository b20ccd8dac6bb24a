//! Products of batches of matrices.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use tokenbed_core::Error;
use tokenbed_core::ops::matmul::{Factor, Matrices, Product};
use tokenbed_kernels::dispatch::active;
use tokenbed_testkit::compare::{reduction_f32, reduction_f64};
use tokenbed_testkit::naive;
use tokenbed_testkit::place::Guarded;
use tokenbed_testkit::random::Random;

/// Products of one term, of matrices written row by row.
fn matmul<T: Factor>(sizes: Product, a: (&[T], &[usize]), b: (&[T], &[usize]), out: &mut [T]) -> Result<(), Error> {
    let matrices = |(elements, of)| Matrices { elements, of, transposed: false };
    tokenbed_core::ops::matmul::matmul(active(), sizes, 1, matrices(a), matrices(b), out)
}

const SIZES: [(usize, usize, usize); 6] = [(1, 1, 1), (2, 3, 4), (5, 1, 7), (9, 17, 8), (3, 64, 1), (16, 33, 20)];

#[test]
fn batches_name_their_matrices() {
    let mut random = Random::new(9);
    for (rows, inner, columns) in SIZES {
        let sizes = Product { rows, inner, columns };
        let (a, b) = (random.units(3 * rows * inner), random.units(2 * inner * columns));
        let wide = |x: &[f32]| x.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
        let whole = |x: &[f32]| x.iter().map(|&x| (x * 1000.0) as i64).collect::<Vec<_>>();
        let (a_of, b_of) = ([0, 2, 2, 1], [1, 1, 0, 0]);
        let size = rows * columns;
        let mut narrow = Guarded::new(4 * size, 1, -12345.5f32);
        matmul(sizes, (&a, &a_of), (&b, &b_of), &mut narrow).expect("sizes fit");
        narrow.assert_guards();
        let (a64, b64) = (wide(&a), wide(&b));
        let mut double = Guarded::new(4 * size, 1, -12345.5f64);
        matmul(sizes, (&a64, &a_of), (&b64, &b_of), &mut double).expect("sizes fit");
        double.assert_guards();
        let (ai, bi) = (whole(&a), whole(&b));
        let mut integers = Guarded::new(4 * size, 1, i64::MIN);
        matmul(sizes, (&ai, &a_of), (&bi, &b_of), &mut integers).expect("sizes fit");
        integers.assert_guards();
        for (batch, (p, q)) in a_of.into_iter().zip(b_of).enumerate() {
            let (p, q) = (p * rows * inner, q * inner * columns);
            let (wanted, magnitudes) = naive::matmul(rows, inner, columns, &a64[p..], &b64[q..]);
            let floats = |x: &[i64]| x.iter().map(|&x| x as f64).collect::<Vec<_>>();
            let (exact, _) = naive::matmul(rows, inner, columns, &floats(&ai[p..]), &floats(&bi[q..]));
            for i in 0..size {
                let at = batch * size + i;
                assert!((f64::from(narrow[at]) - wanted[i]).abs() <= reduction_f32(inner, magnitudes[i]));
                assert!((double[at] - wanted[i]).abs() <= reduction_f64(inner, magnitudes[i]));
                assert_eq!(integers[at] as f64, exact[i]);
            }
        }
    }
}

#[test]
fn integers_wrap() {
    let mut out = [0i64; 1];
    let sizes = Product { rows: 1, inner: 2, columns: 1 };
    matmul(sizes, (&[i64::MAX, 1], &[0]), (&[2, 1], &[0]), &mut out).expect("sizes fit");
    assert_eq!(out, [-1]);
}

fn nothing<T: Factor + PartialEq + std::fmt::Debug>(one: T) {
    let product = |rows, inner, columns| Product { rows, inner, columns };
    let none: &[T] = &[];
    matmul(product(2, 3, 2), (none, &[]), (none, &[]), &mut []).expect("no products");
    // A sum over no terms is zero, and overwrites what was there.
    let mut out = [one; 4];
    matmul(product(2, 0, 2), (none, &[0]), (none, &[0]), &mut out).expect("sizes fit");
    assert_eq!(out, [T::default(); 4]);
    matmul(product(0, 3, 2), (none, &[0]), (&[one; 6], &[0]), &mut []).expect("sizes fit");
    matmul(product(2, 3, 0), (&[one; 6], &[0]), (none, &[0]), &mut []).expect("sizes fit");
    // This returns at once, however large the size beside the zero is.
    matmul(product(1 << 50, 0, 0), (none, &[0]), (none, &[0]), &mut []).expect("sizes fit");
    matmul(product(0, 0, 1 << 50), (none, &[0]), (none, &[7]), &mut []).expect("sizes fit");
}

#[test]
fn sizes_of_zero_give_zeros_at_once() {
    nothing(1.0f32);
    nothing(1.0f64);
    nothing(1i64);
}

#[test]
fn missing_matrices_are_errors() {
    let (a, b) = ([1.0f32; 12], [1.0f32; 6]);
    let sizes = Product { rows: 2, inner: 3, columns: 2 };
    let mut out = Guarded::new(4, 0, -1.0f32);
    let refused = |result| matches!(result, Err(Error::Shape(_)));
    assert!(refused(matmul(sizes, (&a, &[2]), (&b, &[0]), &mut out)));
    assert!(refused(matmul(sizes, (&a, &[0]), (&b, &[1]), &mut out)));
    assert!(refused(matmul(sizes, (&a, &[usize::MAX]), (&b, &[0]), &mut out)));
    assert!(refused(matmul(sizes, (&a[..11], &[1]), (&b, &[0]), &mut out)));
    assert!(refused(matmul(sizes, (&a, &[0, 1]), (&b, &[0]), &mut out)));
    assert!(refused(matmul(sizes, (&a, &[0, 1]), (&b, &[0, 0]), &mut out)));
    assert!(refused(matmul(sizes, (&a, &[0]), (&b, &[0]), &mut out[..3])));
    for sizes in [(usize::MAX, 2, 2), (2, usize::MAX, 2), (2, 2, usize::MAX), (1 << 33, 1 << 33, 1 << 33)] {
        let sizes = Product { rows: sizes.0, inner: sizes.1, columns: sizes.2 };
        assert!(refused(matmul(sizes, (&a, &[0]), (&b, &[0]), &mut out)));
    }
    let one = Product { rows: 1, inner: 1, columns: 1 };
    assert!(refused(matmul(one, (&a, &[usize::MAX]), (&b, &[0]), &mut out[..1])));
    out.assert_untouched();
}
