//! Sizes that are divided among threads give the same bits at any number of threads.

#![allow(clippy::expect_used, reason = "helpers of tests")]

use tokenbed_core::ops::Around;
use tokenbed_core::ops::along::{softmax, softmax_back};
use tokenbed_core::ops::binary::{Binary, binary};
use tokenbed_core::ops::copy::{Layout, copy};
use tokenbed_core::ops::entropy::{Scale, entropy, entropy_back};
use tokenbed_core::ops::matmul::{Matrices, Product, matmul};
use tokenbed_core::ops::norm::{norm_back, norm_rows};
use tokenbed_core::ops::reduce::{Reduce, reduce};
use tokenbed_core::ops::unary::{Unary, dropout, unary, unary_back};
use tokenbed_kernels::dispatch::active;
use tokenbed_testkit::compare::assert_same_bits;
use tokenbed_testkit::random::Random;
use tokenbed_threads::{set_num_threads, started};

const ROWS: usize = 1031;
const DIM: usize = 1025;

/// The results of all operations, one after the other.
fn all(x: &[f32], y: &[f32]) -> Vec<f32> {
    let mut results = Vec::new();
    let mut out = vec![0.0f32; x.len()];
    let around = Around { outer: ROWS, n: DIM, inner: 1 };
    for op in Unary::ALL {
        unary(active(), op, x, &mut out).expect("fits");
        results.extend(&out);
        unary_back(active(), op, x, y, &mut out).expect("fits");
        results.extend(&out);
    }
    let dense = Layout { offset: 0, strides: &[DIM, 1] };
    let across = Layout { offset: 0, strides: &[0, 1] };
    let down = Layout { offset: 0, strides: &[1, 0] };
    for (a, b) in [(dense, dense), (dense, across), (down, dense)] {
        binary(active(), Binary::Mul, &[ROWS, DIM], (x, a), (y, b), &mut out).expect("fits");
        results.extend(&out);
    }
    copy(
        &[DIM, ROWS],
        x,
        Layout { offset: 0, strides: &[1, DIM] },
        &mut out,
        Layout { offset: 0, strides: &[ROWS, 1] },
    )
    .expect("fits");
    assert!((0..DIM).step_by(7).all(|c| (0..ROWS).all(|r| out[c * ROWS + r] == x[r * DIM + c])));
    results.extend(&out);
    for log in [false, true] {
        softmax(active(), log, around, x, &mut out).expect("fits");
        results.extend(&out);
        softmax_back(active(), log, around, x, y, &mut out).expect("fits");
        results.extend(&out);
    }
    let targets: Vec<u32> = (0..ROWS as u32).collect::<Vec<_>>().iter().map(|i| i % DIM as u32).collect();
    let mut rows = vec![[0.0; 2]; ROWS];
    entropy(active(), DIM, x, &targets, &mut rows).expect("fits");
    results.extend(rows.iter().map(|row| row[1] as f32));
    entropy_back(active(), DIM, x, &targets, &rows, Scale::Each(&y[..ROWS]), &mut out).expect("fits");
    results.extend(&out);
    let weight = &y[..DIM];
    norm_rows(active(), DIM, 1e-5, Some(weight), Some(weight), x, &mut out).expect("fits");
    results.extend(&out);
    let (mut dw, mut db) = (vec![0.0; DIM], vec![0.0; DIM]);
    norm_back(active(), DIM, 1e-5, Some(weight), x, y, &mut out, Some(&mut dw), Some(&mut db)).expect("fits");
    results.extend(out.iter().chain(&dw).chain(&db));
    for (outer, n, inner) in [(1, ROWS * DIM, 1), (ROWS, DIM, 1), (1, ROWS, DIM)] {
        let mut sums = vec![0.0; outer * inner];
        reduce(active(), Reduce::Sum, Around { outer, n, inner }, x, &mut sums).expect("fits");
        results.extend(&sums);
    }
    let kept: Vec<u8> = (0..x.len().div_ceil(8)).map(|i| (i * 31) as u8).collect();
    dropout(active(), 1.25, &kept, x, &mut out).expect("fits");
    results.extend(&out);
    // (rows, dim) times its transpose, and the sum of two products.
    let sizes = Product { rows: 300, inner: DIM, columns: 200 };
    let mut product = vec![0.0; 300 * 200];
    let matrices = |of, transposed| Matrices { elements: x, of, transposed };
    matmul(active(), sizes, 1, matrices(&[0], false), matrices(&[1], true), &mut product).expect("fits");
    results.extend(&product);
    matmul(active(), sizes, 2, matrices(&[0, 1], false), matrices(&[1, 2], false), &mut product).expect("fits");
    results.extend(&product);
    results
}

#[test]
fn bits_do_not_depend_on_threads() {
    let mut random = Random::new(17);
    let x: Vec<f32> = random.units(ROWS * DIM).iter().map(|x| x * 6.0).collect();
    let y = random.units(ROWS * DIM);
    set_num_threads(1).expect("a number of threads");
    let wanted = all(&x, &y);
    for threads in [2, 3, 8] {
        set_num_threads(threads).expect("a number of threads");
        assert_same_bits(&all(&x, &y), &wanted, &format!("{threads} threads"));
    }
    assert!(started() > 0, "something was divided");
}
