//! Products of matrices agree with sums in f64.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use tokenbed_kernels::dispatch;
use tokenbed_kernels::ops::products::matmul::{Factor, Matrices, Product, Tiles};
use tokenbed_testkit::compare::{reduction_f32, reduction_f64};
use tokenbed_testkit::naive;
use tokenbed_testkit::place::{Guarded, Placed};
use tokenbed_testkit::random::Random;

/// (rows, inner, columns): sizes on both sides of the blocks of products, single rows and single columns.
const SIZES: [(usize, usize, usize); 16] = [
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
    (1, 33, 200),
    (200, 33, 1),
    (65, 7, 1025),
    (257, 5, 65),
];

/// The transpose of a matrix.
fn turned<T: Copy>(rows: usize, columns: usize, x: &[T]) -> Vec<T> {
    (0..columns).flat_map(|c| (0..rows).map(move |r| x[r * columns + c])).collect()
}

fn run<T: Factor>(sizes: Product, terms: usize, a: Matrices<'_, T>, b: Matrices<'_, T>, out: &mut [T]) {
    let tiles = Tiles::new(dispatch::active(), sizes, terms, a, b, out).expect("sizes fit");
    (0..tiles.count()).for_each(|_| assert!(tiles.run_next()));
    assert!(!tiles.run_next());
}

#[test]
fn products_agree_with_sums_in_f64() {
    let mut random = Random::new(5);
    for (rows, inner, columns) in SIZES {
        let sizes = Product { rows, inner, columns };
        let (a, b) = (random.units(rows * inner), random.units(inner * columns));
        let wide = |x: &[f32]| x.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
        let (wanted, magnitudes) = naive::matmul(rows, inner, columns, &wide(&a), &wide(&b));
        for (offset, a_turned, b_turned) in [(0, false, false), (1, true, false), (5, false, true), (0, true, true)] {
            let a = if a_turned { turned(rows, inner, &a) } else { a.clone() };
            let b = if b_turned { turned(inner, columns, &b) } else { b.clone() };
            let of = [0];
            // A NaN would remain if a result were added to the previous contents.
            let mut out = Guarded::new(rows * columns, offset, -7.5f32);
            out.fill(f32::NAN);
            let (a32, b32) = (Placed::new(&a, offset), Placed::new(&b, offset));
            let a_of = Matrices { elements: &a32, of: &of, transposed: a_turned };
            let b_of = Matrices { elements: &b32, of: &of, transposed: b_turned };
            run(sizes, 1, a_of, b_of, &mut out);
            out.assert_guards();
            let mut out64 = Guarded::new(rows * columns, offset, -7.5f64);
            out64.fill(f64::NAN);
            let (a64, b64) = (wide(&a), wide(&b));
            let a_of = Matrices { elements: &a64, of: &of, transposed: a_turned };
            let b_of = Matrices { elements: &b64, of: &of, transposed: b_turned };
            run(sizes, 1, a_of, b_of, &mut out64);
            out64.assert_guards();
            for i in 0..rows * columns {
                let (narrow, wide) = ((f64::from(out[i]) - wanted[i]).abs(), (out64[i] - wanted[i]).abs());
                assert!(narrow <= reduction_f32(inner, magnitudes[i]), "{sizes:?} {a_turned} {b_turned} at {i}");
                assert!(wide <= reduction_f64(inner, magnitudes[i]), "{sizes:?} {a_turned} {b_turned} at {i}");
            }
        }
    }
}

#[test]
fn several_terms_are_summed_in_order() {
    let mut random = Random::new(6);
    for (rows, inner, columns) in SIZES {
        let sizes = Product { rows, inner, columns };
        let (a, b) = (random.units(2 * rows * inner), random.units(3 * inner * columns));
        let (a_of, b_of) = ([0, 1, 1, 0, 0, 1], [2, 1, 0, 0, 1, 2]);
        let matrices = |elements, of| Matrices { elements, of, transposed: false };
        let mut sums = vec![f32::NAN; 2 * rows * columns];
        run(sizes, 3, matrices(&a, &a_of), matrices(&b, &b_of), &mut sums);
        let mut each = vec![f32::NAN; 6 * rows * columns];
        run(sizes, 1, matrices(&a, &a_of), matrices(&b, &b_of), &mut each);
        for (i, &sum) in sums.iter().enumerate() {
            let (product, at) = (i / (rows * columns), i % (rows * columns));
            let terms = (0..3).map(|term| f64::from(each[(product * 3 + term) * rows * columns + at]));
            let (wanted, magnitude) = terms.fold((0.0, 0.0), |(sum, size), x: f64| (sum + x, size + x.abs()));
            let allowed = reduction_f32(3 * inner, magnitude + inner as f64);
            assert!((f64::from(sum) - wanted).abs() <= allowed, "{sizes:?} at {i}");
        }
    }
}

#[test]
fn small_integers_are_exact() {
    let a: Vec<i64> = (0..15).map(|i| i - 7).collect();
    let b: Vec<i64> = (0..20).map(|i| 10 - i).collect();
    let wide = |x: &[i64]| x.iter().map(|&x| x as f64).collect::<Vec<_>>();
    let (wanted, _) = naive::matmul(3, 5, 4, &wide(&a), &wide(&b));
    let b = turned(5, 4, &b);
    let mut out = [i64::MIN; 12];
    let (a, b) = (
        Matrices { elements: &a[..], of: &[0], transposed: false },
        Matrices { elements: &b[..], of: &[0], transposed: true },
    );
    run(Product { rows: 3, inner: 5, columns: 4 }, 1, a, b, &mut out);
    assert_eq!(wide(&out), wanted);
}

#[test]
fn products_without_an_inner_dimension_are_zero() {
    let mut out = [f32::NAN; 6];
    let none = Matrices { elements: &[], of: &[0], transposed: false };
    run(Product { rows: 2, inner: 0, columns: 3 }, 1, none, none, &mut out);
    assert_eq!(out, [0.0; 6]);
}

#[test]
fn rejects_sizes_that_do_not_fit() {
    let elements = [1.0f32; 12];
    let of = |of| Matrices { elements: &elements, of, transposed: false };
    let sizes = Product { rows: 2, inner: 3, columns: 2 };
    let refused = |sizes, terms, a, b, out: usize| {
        Tiles::new(dispatch::active(), sizes, terms, of(a), of(b), &mut vec![0.0; out]).is_none()
    };
    assert!(!refused(sizes, 1, &[1], &[1], 4));
    assert!(refused(sizes, 1, &[2], &[0], 4));
    assert!(refused(sizes, 1, &[0], &[2], 4));
    assert!(refused(sizes, 1, &[usize::MAX], &[0], 4));
    assert!(refused(sizes, 1, &[0], &[0], 5));
    assert!(refused(sizes, 0, &[0], &[0], 4));
    assert!(refused(sizes, 2, &[0], &[0], 4));
    assert!(refused(sizes, 1, &[0, 1], &[0], 4));
    for large in [(usize::MAX, 2, 2), (2, usize::MAX, 2), (2, 2, usize::MAX)] {
        let sizes = Product { rows: large.0, inner: large.1, columns: large.2 };
        assert!(refused(sizes, 1, &[0], &[0], 4));
    }
}
