//! Positions on slices: properties for all numbers, documented error bounds, and sizes that do not fit.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use tokenbed_core::Error;
use tokenbed_core::ids::IdSlice;
use tokenbed_kernels::dispatch;
use tokenbed_kernels::ops::positions::rotate::Pairs;
use tokenbed_kernels::rows::format::OutFormat;
use tokenbed_nn::positions::Scores;
use tokenbed_nn::positions::ids::{Real, mask, ragged, skipping};
use tokenbed_nn::positions::interpolate::interpolate;
use tokenbed_nn::positions::relative::{Buckets, Span, alibi_lines, alibi_slopes, gather, spread};
use tokenbed_nn::positions::rotary::{At, Heads, Rotary};
use tokenbed_nn::positions::scaling::{Scaling, frequencies};
use tokenbed_nn::positions::shaw::Shaw;
use tokenbed_nn::positions::sinusoid::{Layout, sinusoids};
use tokenbed_testkit::random::Random;
use tokenbed_threads::set_num_threads;

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_ne_bytes()).collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_ne_bytes(b.try_into().expect("four bytes"))).collect()
}

const HEADS: Heads = Heads { heads: 1, head_dim: 8, format: OutFormat::Float32, inverse: false };

fn rotated(rotary: &mut Rotary, heads: Heads, at: At<'_>, x: &[f32]) -> Vec<f32> {
    let mut out = vec![0; x.len() * 4];
    rotary.forward(dispatch::active(), heads, at, Some(&bytes(x)), &mut out).expect("sizes fit");
    floats(&out)
}

/// Cosines and sines at position a million are within the documented bound, as their frequencies in f64 are.
#[test]
fn angles_of_large_positions_are_within_their_bound() {
    for scaling in [Scaling::None, Scaling::Linear { factor: 3.0 }] {
        let radians = frequencies(8, 10_000.0, &scaling, 0.0).radians;
        let mut rotary = Rotary::new(8, 10_000.0, scaling, Pairs::Half).expect("even");
        for position in [0, 1, 999, 262_144, 1_000_000, 1_000_003] {
            let at = At::From { offset: position, length: 1 };
            let found = rotated(&mut rotary, HEADS, at, &[1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
            let bound = 0.5f64.powi(25) + position as f64 * 0.5f64.powi(51);
            for (p, radians) in radians.iter().enumerate() {
                // The exact angle in twice the precision of f64, with whole turns removed exactly.
                let exact = exact_angle(position as f64, *radians);
                assert!((f64::from(found[p]) - exact.cos()).abs() <= bound, "{position} {p}");
                assert!((f64::from(found[4 + p]) - exact.sin()).abs() <= bound, "{position} {p}");
            }
        }
    }
}

/// `a * b` minus whole turns, with the product's rounding error added back.
fn exact_angle(a: f64, b: f64) -> f64 {
    let product = a * b;
    let rest = a.mul_add(b, -product);
    let turn = 2.0 * std::f64::consts::PI;
    // The part of a turn that f64 cannot hold.
    let turn_rest = 2.449_293_598_294_706_4e-16;
    let turns = (product / turn).round();
    turns.mul_add(-turn, product) - turns * turn_rest + rest
}

#[test]
fn positions_given_and_counted_are_the_same() {
    let mut random = Random::new(1);
    let x = random.units(6 * 8);
    for scaling in [Scaling::None, Scaling::Dynamic { factor: 2.0, original: 4.0 }] {
        let mut rotary = Rotary::new(6, 500.0, scaling, Pairs::Interleaved).expect("even");
        for from in [0, 3, 4_000_000] {
            let counted = rotated(&mut rotary, HEADS, At::From { offset: from, length: 3 }, &x);
            let each: Vec<i64> = (0..6).map(|i| (from + i % 3) as i64).collect();
            assert_eq!(rotated(&mut rotary, HEADS, At::Each(IdSlice::I64(&each)), &x), counted);
        }
    }
}

/// Each pair turns by the axis of its section, near and far from the angles that are kept.
#[test]
fn sections_turn_by_axes_of_their_own() {
    let mut random = Random::new(2);
    let x = random.units(2 * 2 * 8);
    let heads = Heads { heads: 2, head_dim: 8, ..HEADS };
    for interleaved in [false, true] {
        let axes = if interleaved { [0, 1, 2, 0] } else { [0, 0, 1, 2] };
        let plain = || Rotary::new(8, 500.0, Scaling::None, Pairs::Half).expect("even");
        let mut rotary = plain().with_sections(&[2, 1, 1], interleaved).expect("4 pairs");
        for far in [0, 5_000_000] {
            let positions = [3, 4 + far, 7, 9, 0, 2 + far];
            let joined = rotated(&mut rotary, heads, At::Each(IdSlice::I64(&positions)), &x);
            for (axis, positions) in positions.chunks(2).enumerate() {
                let alone = rotated(&mut plain(), heads, At::Each(IdSlice::I64(positions)), &x);
                for (i, (found, wanted)) in joined.iter().zip(&alone).enumerate() {
                    assert!(axes[i % 4] != axis || found == wanted, "{i}");
                }
            }
            let single = rotated(&mut rotary, heads, At::Each(IdSlice::I64(&positions[..2])), &x);
            assert_eq!(single, rotated(&mut plain(), heads, At::Each(IdSlice::I64(&positions[..2])), &x));
        }
        assert!(matches!(plain().with_sections(&[2, 1], interleaved), Err(Error::Shape(_))));
        assert!(matches!(plain().with_sections(&[usize::MAX, 5], interleaved), Err(Error::Shape(_))));
    }
}

#[test]
fn rejects_bad_rotations() {
    let factors = Scaling::LongRope { factor: 2.0, original: 8.0, short: vec![1.0], long: vec![1.0], attention: None };
    assert!(matches!(Rotary::new(4, 10.0, factors, Pairs::Half), Err(Error::Shape(_))));
    assert!(matches!(Rotary::new(3, 10.0, Scaling::None, Pairs::Half), Err(Error::Shape(_))));
    let mut rotary = Rotary::new(8, 10.0, Scaling::None, Pairs::Half).expect("even");
    let mut run = |heads: Heads, at: At<'_>, x: usize, out: usize| {
        rotary.forward(dispatch::active(), heads, at, Some(&vec![0; x]), &mut vec![0; out])
    };
    let at = At::From { offset: 0, length: 2 };
    assert!(run(HEADS, at, 64, 64).is_ok());
    assert!(matches!(run(HEADS, at, 64, 32), Err(Error::Shape(_))));
    assert!(matches!(run(HEADS, at, 60, 60), Err(Error::Shape(_))));
    assert!(matches!(run(HEADS, at, 96, 96), Err(Error::Shape(_))));
    assert!(matches!(run(Heads { head_dim: 4, ..HEADS }, at, 64, 64), Err(Error::Shape(_))));
    assert!(matches!(run(HEADS, At::Each(IdSlice::I8(&[0])), 64, 64), Err(Error::Shape(_))));
    assert!(matches!(run(HEADS, At::Each(IdSlice::I8(&[0, -1])), 64, 64), Err(Error::Usage(_))));
    assert!(matches!(run(HEADS, At::Each(IdSlice::U64(&[0, u64::MAX])), 64, 64), Err(Error::Usage(_))));
}

#[test]
fn sinusoids_are_the_same_on_any_number_of_threads() {
    let run = |threads: usize| {
        set_num_threads(threads).expect("a number of threads");
        let mut out = vec![0.0; 3000 * 64];
        sinusoids(|i| i as f64, 64, 10_000.0, Layout::Half, &mut out).expect("sizes fit");
        out
    };
    let alone = run(1);
    assert!([2, 3, 8].iter().all(|&threads| run(threads) == alone));
    assert!(sinusoids(|_| 0.0, 3, 10.0, Layout::Half, &mut [0.0; 6]).is_err());
    assert!(sinusoids(|_| 0.0, 4, 10.0, Layout::Half, &mut [0.0; 6]).is_err());
}

/// A table that grows linearly stays linear, whatever it is stretched to.
#[test]
fn a_line_stays_a_line() {
    let table: Vec<f32> = (0..9).map(|i| i as f32).collect();
    let mut out = vec![0.0; 33];
    interpolate(&table, 9, 1, true, 33, &mut out).expect("sizes fit");
    assert!(out.iter().enumerate().all(|(i, &x)| x == i as f32 / 4.0));
    assert!(interpolate(&[], 0, 3, true, 2, &mut [0.0; 6]).is_err());
    assert!(interpolate(&table, 3, 3, true, 2, &mut [0.0; 5]).is_err());
}

/// `<spread(lines), grad> = <lines, gather(grad)>`: each is the transpose of the other.
#[test]
fn gathering_is_the_transpose_of_spreading() {
    let mut random = Random::new(3);
    for (queries, keys) in [(1, 1), (5, 3), (3, 5), (1, 9), (9, 1), (40, 70)] {
        let span = Span { queries, keys, offset: 2 };
        let lines = random.units(2 * span.line());
        let grad = random.units(2 * queries * keys);
        let mut out = vec![0.0; grad.len()];
        spread(dispatch::active(), &lines, 2, span, &mut out).expect("sizes fit");
        let mut back = vec![0.0; lines.len()];
        gather(&grad, 2, span, &mut back).expect("sizes fit");
        let dot = |a: &[f32], b: &[f64]| a.iter().zip(b).map(|(&a, b)| f64::from(a) * b).sum::<f64>();
        let wide: Vec<f64> = grad.iter().map(|&g| f64::from(g)).collect();
        assert!((dot(&out, &wide) - dot(&lines, &back)).abs() < 1e-9 * grad.len() as f64);
    }
    let span = Span { queries: 2, keys: 2, offset: 0 };
    assert!(spread(dispatch::active(), &[0.0; 4], 1, span, &mut [0.0; 4]).is_err());
    assert!(gather(&[0.0; 5], 1, span, &mut [0.0; 3]).is_err());
}

#[test]
fn slopes_shrink_by_the_same_factor() {
    for log in 0..8 {
        let heads = 1usize << log;
        let slopes = alibi_slopes(heads);
        assert_eq!(slopes[heads - 1], 0.5f32.powi(8));
        assert!(slopes.windows(2).all(|pair| pair[1] < pair[0]));
    }
    assert!(alibi_slopes(0).is_empty());
    let span = Span { queries: 1, keys: 3, offset: 2 };
    assert_eq!(alibi_lines(&[0.5], span, false), [-1.0, -0.5, 0.0]);
}

/// Every bucket is used, in the order of the distances.
#[test]
fn buckets_are_in_order() {
    for (bidirectional, count, distance) in [(true, 32, 128), (false, 32, 128), (false, 2, 2), (true, 4, 9)] {
        let buckets = Buckets::new(bidirectional, count, distance).expect("enough");
        let one: Vec<i64> = (0..2000).map(|d| buckets.of(-d)).collect();
        assert!(one.windows(2).all(|pair| pair[0] <= pair[1]));
        let own = if bidirectional { count / 2 } else { count } as i64;
        assert_eq!((one[0], one[1999]), (0, own - 1));
        assert_eq!(buckets.of(2000), if bidirectional { 2 * own - 1 } else { 0 });
    }
    assert!(Buckets::new(true, 3, 128).is_err());
    assert!(Buckets::new(false, 32, 16).is_err());
}

#[test]
fn positions_of_ids_and_rows() {
    let ids = IdSlice::I32(&[7, 0, 9, 0, 8, 8]);
    let mut tokens = [9; 6];
    mask(ids, 0, &mut tokens).expect("sizes fit");
    assert_eq!(tokens, [1, 0, 1, 0, 1, 1]);
    let mut places = [0; 6];
    skipping(ids, Real::Not(0), 3, 5, -1, &mut places).expect("sizes fit");
    assert_eq!(places, [5, -1, 6, -1, 5, 6]);
    assert!(skipping(ids, Real::NonZero, 4, 0, 0, &mut places).is_err());
    assert!(skipping(ids, Real::NonZero, 3, 0, 0, &mut places[..5]).is_err());
    assert_eq!(ragged(IdSlice::U8(&[0, 2, 2, 6]), 3, &mut places).expect("sizes fit"), 4);
    assert_eq!(places, [3, 4, 3, 4, 5, 6]);
    for bad in [&[0i64, 7][..], &[1, 6], &[0, 3, 2, 6], &[], &[0, -1, 6]] {
        assert!(matches!(ragged(IdSlice::I64(bad), 0, &mut places), Err(Error::Shape(_))));
    }
}

#[test]
fn rejects_scores_of_other_sizes() {
    let scores = Scores { batch: 1, heads: 2, queries: 3, keys: 3, dim: 4, offset: 0 };
    let x = [0.5; 24];
    let good = Shaw { scores, weight: &[1.0; 20], query: &x, key: None };
    let mut out = [0.0; 18];
    good.forward(dispatch::active(), &mut out).expect("sizes fit");
    assert_eq!(out, [2.0; 18]);
    assert!(good.forward(dispatch::active(), &mut out[..17]).is_err());
    assert!(Shaw { weight: &[1.0; 16], ..good }.forward(dispatch::active(), &mut out).is_err());
    assert!(Shaw { weight: &[1.0; 21], ..good }.forward(dispatch::active(), &mut out).is_err());
    assert!(Shaw { query: &x[1..], ..good }.forward(dispatch::active(), &mut out).is_err());
    assert!(Shaw { key: Some(&x[1..]), ..good }.forward(dispatch::active(), &mut out).is_err());
}
