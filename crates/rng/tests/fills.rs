//! Fills give the same values and leave the same state, however they run; invalid ones are refused.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use proptest::prelude::*;
use tokenbed_kernels::dispatch;
use tokenbed_rng::{DrawError, Generator, How, PARALLEL_FROM, normal, normal_with, randperm, skip_randperm};
use tokenbed_rng::{uniform, uniform_with};

type Fill = fn(How, &mut Generator, &mut [f32]) -> Result<(), DrawError>;

const FILLS: [Fill; 2] = [
    |how, generator, out| normal_with(how, generator, out, 0.5, 2.0),
    |how, generator, out| uniform_with(how, generator, out, -1.0, 3.0),
];

/// The bits that a fill gives after `before` draws, and the state it leaves.
fn filled(fill: Fill, how: How, before: usize, len: usize) -> (Vec<u32>, Vec<u8>) {
    let mut generator = Generator::new(99);
    (0..before).for_each(|_| _ = generator.random());
    let mut out = vec![f32::NAN; len];
    fill(how, &mut generator, &mut out).unwrap();
    (out.into_iter().map(f32::to_bits).collect(), generator.state())
}

#[test]
fn threads_change_nothing() {
    let sizes = [PARALLEL_FROM - 1, PARALLEL_FROM, PARALLEL_FROM + 5, 2 * PARALLEL_FROM + 333, 1_000_003];
    for fill in FILLS {
        for len in sizes {
            for before in [0, 1, 16, 617] {
                let serial = filled(fill, How::default(), before, len);
                for threads in [0, 1, 2, 3, 8, 1000] {
                    let parallel = filled(fill, How { threads, ..How::default() }, before, len);
                    assert!(parallel == serial, "{threads} threads, {len} values after {before} draws");
                }
            }
        }
    }
}

#[test]
fn instruction_sets_change_nothing() {
    for fill in FILLS {
        for len in [1, 15, 16, 17, 31, 33, 623, 624, 625, 640, 1249, 4999] {
            for before in [0, 1, 15, 16, 600, 623, 624] {
                let mut all =
                    dispatch::available().map(|kernels| filled(fill, How { kernels, threads: 1 }, before, len));
                let scalar = all.next().unwrap();
                assert!(all.all(|other| other == scalar), "{len} values after {before} draws");
            }
        }
    }
}

/// Fills of one value at a time give the same stream.
#[test]
fn uniforms_are_the_lower_bits_of_the_draws() {
    let (mut filling, mut drawing) = (Generator::new(4), Generator::new(4));
    let mut out = vec![0.0; 2000];
    uniform(&mut filling, &mut out, 0.0, 1.0).unwrap();
    for value in out {
        assert_eq!(value, (drawing.random() & 0x00ff_ffff) as f32 / 16_777_216.0);
    }
    assert_eq!(filling.state(), drawing.state());
}

#[test]
fn a_skipped_permutation_leaves_the_same_state() {
    for len in [0, 1, 2, 3, 250, 624, 625, 626, 5000] {
        let (mut drawn, mut skipped) = (Generator::new(6), Generator::new(6));
        let mut order = randperm(&mut drawn, len).unwrap();
        skip_randperm(&mut skipped, len).unwrap();
        assert_eq!(drawn.state(), skipped.state(), "{len}");
        order.sort_unstable();
        assert!(order.into_iter().eq(0..len as u32));
    }
}

#[test]
fn invalid_draws_are_refused_and_draw_nothing() {
    let mut generator = Generator::new(0);
    let before = generator.state();
    let mut out = [7.0; 40];
    for std in [-1.0, f64::NAN] {
        assert!(matches!(normal(&mut generator, &mut out, 0.0, std), Err(DrawError::Std { .. })));
    }
    let infinite = f64::INFINITY;
    for (low, high) in [(1.0, 0.0), (f64::NAN, 1.0), (0.0, f64::NAN), (-3e38, 3e38), (0.0, infinite), (-infinite, 0.0)]
    {
        assert!(uniform(&mut generator, &mut out, low, high).is_err(), "[{low}, {high})");
    }
    let len = (1 << 32) + 1;
    assert_eq!(randperm(&mut generator, len), Err(DrawError::PermutationTooLong { len }));
    assert_eq!(skip_randperm(&mut generator, len), Err(DrawError::PermutationTooLong { len }));
    assert_eq!(out, [7.0; 40]);
    assert_eq!(generator.state(), before);
    assert_eq!(
        DrawError::Std { std: -1.0 }.to_string(),
        "a normal draw needs std >= 0, not -1",
        "the message says what was asked for"
    );
}

proptest! {
    /// Any split of a uniform fill gives the same stream.
    #[test]
    fn uniform_fills_join(parts in prop::collection::vec(0_usize..1500, 1..6)) {
        let (mut whole, mut split) = (Generator::new(8), Generator::new(8));
        let mut all = vec![0.0; parts.iter().sum()];
        uniform(&mut whole, &mut all, 0.0, 1.0).unwrap();
        let mut at = 0;
        for len in parts {
            let mut part = vec![0.0; len];
            uniform(&mut split, &mut part, 0.0, 1.0).unwrap();
            prop_assert_eq!(&part[..], &all[at..at + len]);
            at += len;
        }
        prop_assert_eq!(whole.state(), split.state());
    }

    /// Any split of a normal fill at whole blocks gives the same stream.
    #[test]
    fn normal_fills_join(parts in prop::collection::vec(1_usize..90, 1..6), before in 0_usize..700) {
        let (mut whole, mut split) = (Generator::new(8), Generator::new(8));
        for _ in 0..before {
            prop_assert_eq!(whole.random(), split.random());
        }
        let mut all = vec![0.0; 16 * parts.iter().sum::<usize>()];
        normal(&mut whole, &mut all, 0.0, 1.0).unwrap();
        let mut at = 0;
        for blocks in parts {
            let mut part = vec![0.0; 16 * blocks];
            normal(&mut split, &mut part, 0.0, 1.0).unwrap();
            prop_assert_eq!(&part[..], &all[at..at + 16 * blocks]);
            at += 16 * blocks;
        }
        prop_assert_eq!(whole.state(), split.state());
    }
}
