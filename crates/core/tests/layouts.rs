//! Copies and arithmetic with any strides, against a loop over every index.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use proptest::prelude::*;
use std::fmt::Debug;
use tokenbed_core::Error;
use tokenbed_core::ops::Number;
use tokenbed_core::ops::binary::{Binary, binary, binary_dense};
use tokenbed_core::ops::copy::{Layout, copy};
use tokenbed_kernels::dispatch::active;
use tokenbed_testkit::naive::{indices, place};
use tokenbed_testkit::place::Guarded;
use tokenbed_testkit::property;

fn shape_error(result: Result<(), Error>) -> bool {
    matches!(result, Err(Error::Shape(_)))
}

/// Number of elements that a layout needs.
fn span(shape: &[usize], offset: usize, strides: &[usize]) -> usize {
    if shape.contains(&0) {
        return 0;
    }
    let last: Vec<usize> = shape.iter().map(|n| n - 1).collect();
    place(&last, offset, strides) + 1
}

/// The strides of a dense block.
fn dense(shape: &[usize]) -> Vec<usize> {
    let after = |i: usize| shape[i + 1..].iter().product();
    (0..shape.len()).map(after).collect()
}

/// A shape with strides for two operands, which broadcast (0), overlap or leave gaps.
fn layouts() -> impl Strategy<Value = (Vec<usize>, [Vec<usize>; 2], [usize; 2])> {
    (0..5usize).prop_flat_map(|rank| {
        let strides = || prop::collection::vec(prop_oneof![0..3usize, 0..12usize], rank);
        let shape = prop::collection::vec(prop_oneof![0..2usize, 1..5usize], rank);
        (shape, [strides(), strides()], [0..6usize, 0..6usize])
    })
}

proptest! {
    #![proptest_config(property::cases(1000))]

    #[test]
    fn copies_from_any_layout((shape, [strides, _], [offset, _]) in layouts()) {
        let from: Vec<u16> = (1..=span(&shape, offset, &strides).max(1) as u16).collect();
        let (all, to_strides) = (indices(&shape), dense(&shape));
        let mut to = Guarded::new(all.len().max(1), 1, 0u16);
        let layout = Layout { offset, strides: &strides };
        copy(&shape, &from, layout, &mut to, Layout { offset: 0, strides: &to_strides }).expect("fits");
        to.assert_guards();
        let wanted: Vec<u16> = all.iter().map(|index| from[place(index, offset, &strides)]).collect();
        prop_assert_eq!(&to[..all.len()], &wanted[..]);
        // One element fewer is too few.
        if !all.is_empty() {
            let short = &from[..from.len() - 1];
            assert!(shape_error(copy(&shape, short, layout, &mut to, Layout { offset: 0, strides: &to_strides })));
        }
    }

    #[test]
    fn copies_to_any_layout((shape, [strides, _], [offset, _]) in layouts()) {
        let all = indices(&shape);
        let (from, from_strides) = ((1..=all.len() as u16).collect::<Vec<_>>(), dense(&shape));
        let len = span(&shape, offset, &strides);
        let mut to = Guarded::new(len, 1, 0u16);
        let layout = Layout { offset, strides: &strides };
        let from_at = Layout { offset: 0, strides: &from_strides };
        copy(&shape, &from, from_at, &mut to, layout).expect("fits");
        to.assert_guards();
        let mut wanted = vec![0u16; len];
        all.iter().zip(&from).for_each(|(index, &x)| wanted[place(index, offset, &strides)] = x);
        prop_assert_eq!(&to[..], &wanted[..]);
        if len > 0 {
            let mut short = Guarded::new(len - 1, 1, 0u16);
            assert!(shape_error(copy(&shape, &from, from_at, &mut short, layout)));
            short.assert_untouched();
        }
    }

    #[test]
    fn arithmetic_under_any_layout((shape, strides, offsets) in layouts()) {
        for op in Binary::ALL {
            check_binary::<f32>(op, &shape, &strides, offsets, |i| i as f32 - 3.5, -12345.5, |a, b| match op {
                Binary::Add => a + b,
                Binary::Sub => a - b,
                Binary::Mul => a * b,
                Binary::Div => a / b,
                Binary::Max => a.max(b),
                Binary::Min => a.min(b),
                Binary::Pow => f64::from(a).powf(f64::from(b)) as f32,
                Binary::Eq => f32::from(a == b),
                Binary::Ne => f32::from(a != b),
                Binary::Lt => f32::from(a < b),
                Binary::Le => f32::from(a <= b),
            });
            check_binary::<i64>(op, &shape, &strides, offsets, |i| i as i64 - 3, i64::MIN, |a, b| match op {
                Binary::Add => a + b,
                Binary::Sub => a - b,
                Binary::Mul => a * b,
                Binary::Div => if b == 0 { 0 } else { a / b },
                Binary::Max => a.max(b),
                Binary::Min => a.min(b),
                Binary::Pow if b >= 0 => (0..b).fold(1, |power: i64, _| power.wrapping_mul(a)),
                Binary::Pow => if a == 1 { 1 } else if a == -1 { 1 - b % 2 * -2 } else { 0 },
                Binary::Eq => i64::from(a == b),
                Binary::Ne => i64::from(a != b),
                Binary::Lt => i64::from(a < b),
                Binary::Le => i64::from(a <= b),
            });
        }
    }

    #[test]
    fn dense_arithmetic_is_that_of_one_run((n, seed) in (0..5000usize, 0..1000i64)) {
        let [a, b] = [7, 11].map(|k| (0..n as i64).map(|i| (i * k + seed) % 101 - 50).collect::<Vec<_>>());
        let at = Layout { offset: 0, strides: &[1] };
        for op in Binary::ALL {
            let (mut out, mut wanted) = (Guarded::new(n, 1, i64::MIN), vec![0; n]);
            binary_dense(active(), op, &a, &b, &mut out).expect("fits");
            out.assert_guards();
            binary(active(), op, &[n], (&a, at), (&b, at), &mut wanted).expect("fits");
            prop_assert_eq!(&out[..], &wanted[..]);
        }
    }
}

#[test]
fn dense_operands_of_other_sizes_are_errors() {
    for (a, b, n) in [(2, 3, 3), (3, 2, 3), (3, 3, 2), (1, 1, 0)] {
        let mut out = Guarded::new(n, 1, 9.0f32);
        assert!(shape_error(binary_dense(active(), Binary::Add, &vec![0.0; a], &vec![0.0; b], &mut out)));
        out.assert_untouched();
    }
}

fn check_binary<T: Number + Debug>(
    op: Binary,
    shape: &[usize],
    strides: &[Vec<usize>; 2],
    offsets: [usize; 2],
    value: impl Fn(usize) -> T,
    sentry: T,
    f: impl Fn(T, T) -> T,
) {
    let operand = |i: usize| -> Vec<T> { (0..span(shape, offsets[i], &strides[i])).map(&value).collect() };
    let layout = |i: usize| Layout { offset: offsets[i], strides: &strides[i] };
    let (a, b, all) = (operand(0), operand(1), indices(shape));
    let mut out = Guarded::new(all.len(), 1, sentry);
    binary(active(), op, shape, (&a, layout(0)), (&b, layout(1)), &mut out).expect("fits");
    out.assert_guards();
    let wanted =
        all.iter().map(|index| f(a[place(index, offsets[0], &strides[0])], b[place(index, offsets[1], &strides[1])]));
    // A NaN equals itself here.
    let same = |(a, b): (&T, &T)| a == b || (a.partial_cmp(a), b.partial_cmp(b)) == (None, None);
    let wanted = wanted.collect::<Vec<_>>();
    assert!(out.len() == wanted.len() && out.iter().zip(&wanted).all(same), "{:?}, {wanted:?}", &out[..]);
    let mut other = Guarded::new(all.len() + 1, 1, sentry);
    assert!(shape_error(binary(active(), op, shape, (&a, layout(0)), (&b, layout(1)), &mut other)));
    if !all.is_empty() {
        assert!(shape_error(binary(
            active(),
            op,
            shape,
            (&a[1..], layout(0)),
            (&b, layout(1)),
            &mut other[..all.len()]
        )));
        assert!(shape_error(binary(
            active(),
            op,
            shape,
            (&a, layout(0)),
            (&b[1..], layout(1)),
            &mut other[..all.len()]
        )));
    }
    other.assert_untouched();
}

#[test]
fn layouts_that_overflow_or_do_not_match_are_errors() {
    let from = [1u8; 100];
    let mut to = Guarded::new(100, 0, 0u8);
    let most = usize::MAX;
    let layouts: [(&[usize], usize, &[usize]); 8] = [
        (&[2], most, &[1]),
        (&[2], 0, &[most]),
        (&[2], 1, &[most]),
        (&[3], 0, &[most / 2 + 1]),
        (&[most], 0, &[most]),
        (&[10, 10], 0, &[1]),
        (&[10], 0, &[10, 1]),
        (&[], 100, &[]),
    ];
    for (shape, offset, strides) in layouts {
        let (wrong, right) = (Layout { offset, strides }, dense(shape_or_small(shape)));
        let right = Layout { offset: 0, strides: &right };
        assert!(shape_error(copy(shape, &from, wrong, &mut to, right)), "{shape:?} {offset} {strides:?}");
        assert!(shape_error(copy(shape, &from, right, &mut to, wrong)), "{shape:?} {offset} {strides:?}");
        to.assert_untouched();
    }
}

/// A small shape in place of one whose product overflows, which `dense` could not handle.
fn shape_or_small(shape: &[usize]) -> &[usize] {
    if shape == [usize::MAX] { &[1] } else { shape }
}

/// The stride of a dimension of size 1 is never used.
#[test]
fn a_stride_that_is_never_used_may_be_anything() {
    let from = [1u8, 2, 3, 4, 5, 6];
    let mut to = [0u8; 6];
    let from_at = Layout { offset: 0, strides: &[usize::MAX, 3, 1] };
    copy(&[1, 2, 3], &from, from_at, &mut to, Layout { offset: 0, strides: &[usize::MAX / 2 + 9, 3, 1] })
        .expect("fits");
    assert_eq!(to, from);
    let from_at = Layout { offset: 5, strides: &[usize::MAX, usize::MAX] };
    copy(&[1, 1], &from, from_at, &mut to, Layout { offset: 0, strides: &[usize::MAX, usize::MAX] }).expect("fits");
    assert_eq!(to[0], 6);
}

#[test]
fn empty_shapes_return_at_once() {
    for shape in [&[0usize][..], &[0, 5], &[5, 0], &[3, 0, 2], &[1 << 50, 0], &[1 << 50, 1 << 10, 0]] {
        let strides = vec![1usize; shape.len()];
        let at = Layout { offset: 0, strides: &strides };
        copy::<u8>(shape, &[], at, &mut [], at).expect("nothing fits");
        binary::<f32>(active(), Binary::Add, shape, (&[], at), (&[], at), &mut []).expect("nothing fits");
    }
}

#[test]
fn a_scalar_has_no_dimensions() {
    let at = Layout { offset: 0, strides: &[] };
    let mut out = [0.0f32];
    binary(active(), Binary::Div, &[], (&[1.0], at), (&[4.0], at), &mut out).expect("fits");
    copy(&[], &[7u8], at, &mut [0], at).expect("fits");
    assert_eq!(out, [0.25]);
    assert!(shape_error(binary(active(), Binary::Add, &[], (&[], at), (&[4.0], at), &mut out)));
}

#[test]
fn integers_wrap_and_never_trap() {
    let of = |op, a: i64, b: i64| {
        let (at, mut out) = (Layout { offset: 0, strides: &[1] }, [0]);
        binary(active(), op, &[1], (&[a], at), (&[b], at), &mut out).expect("fits");
        out[0]
    };
    assert_eq!(of(Binary::Add, i64::MAX, 1), i64::MIN);
    assert_eq!(of(Binary::Sub, i64::MIN, 1), i64::MAX);
    assert_eq!(of(Binary::Mul, i64::MAX, 2), -2);
    assert_eq!(of(Binary::Div, -7, 2), -3);
    assert_eq!(of(Binary::Div, 7, 0), 0);
    // This is the one quotient that overflows.
    assert_eq!(of(Binary::Div, i64::MIN, -1), i64::MIN);
}
