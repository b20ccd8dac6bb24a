//! The input layer: consecutive and given positions, segments, scale and normalization.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use tokenbed_core::Error;
use tokenbed_core::ids::{BadIds, IdSlice};
use tokenbed_kernels::dispatch;
use tokenbed_nn::embedding::Table;
use tokenbed_nn::token_position::{At, Inputs, Layer, Norm, Scratch, Side, forward};
use tokenbed_testkit::compare::{assert_same_bits, layer_norm_f32};
use tokenbed_testkit::naive;
use tokenbed_testkit::place::Guarded;
use tokenbed_testkit::random::Random;
use tokenbed_threads::set_num_threads;

const SENTRY: f32 = -12345.5;
const DIM: usize = 19;
const TOKENS: usize = 11;
const POSITIONS: usize = 8;

struct Tables {
    token: Vec<f32>,
    position: Vec<f32>,
}

impl Tables {
    fn new() -> Self {
        let mut random = Random::new(13);
        Self { token: random.units(TOKENS * DIM), position: random.units(POSITIONS * DIM) }
    }

    fn both(&self) -> Layer<'_> {
        let token = Table::new(&self.token, TOKENS, DIM).expect("sizes fit");
        plain(token, Table::new(&self.position, POSITIONS, DIM).expect("sizes fit"))
    }
}

fn plain<'a>(token: Table<'a>, position: Table<'a>) -> Layer<'a> {
    Layer { token, scale: 1.0, segment: None, position: Some(position), norm: None }
}

fn inputs<'a>(ids: IdSlice<'a>, bad: BadIds, at: At<'a>) -> Inputs<'a> {
    Inputs { ids, bad, segments: None, at }
}

#[test]
fn consecutive_positions() {
    let tables = Tables::new();
    let mut scratch = Scratch::default();
    let ids = Random::new(14).ids(24, TOKENS);
    for kernels in dispatch::available() {
        for (offset, length) in [(0, 8), (0, 1), (7, 1), (2, 6), (5, 3), (4, 4), (0, 2)] {
            let at: Vec<u32> = (0..24).map(|i| (offset + i % length) as u32).collect();
            let mut out = Guarded::new(24 * DIM, 1, SENTRY);
            let positions = At::From { offset, length };
            let inputs = inputs(IdSlice::U32(&ids), BadIds::Throw, positions);
            forward(kernels, &tables.both(), &inputs, &mut scratch, &mut out).expect("sizes fit");
            out.assert_guards();
            assert_same_bits(&out, &naive::gather_add(&tables.token, &tables.position, DIM, &ids, &at), &offset);
        }
    }
}

#[test]
fn given_positions() {
    let tables = Tables::new();
    let mut scratch = Scratch::default();
    let mut random = Random::new(15);
    for kernels in dispatch::available() {
        for len in [1, 2, 5, 30] {
            let (ids, at) = (random.ids(len, TOKENS), random.ids(len, POSITIONS));
            let wanted = naive::gather_add(&tables.token, &tables.position, DIM, &ids, &at);
            let (small, wide): (Vec<u8>, Vec<i64>) =
                (ids.iter().map(|&id| id as u8).collect(), at.iter().map(|&at| at.into()).collect());
            let mut out = Guarded::new(len * DIM, 1, SENTRY);
            for (ids, at) in [(IdSlice::U32(&ids), IdSlice::U32(&at)), (IdSlice::U8(&small), IdSlice::I64(&wide))] {
                out.fill(SENTRY);
                let inputs = inputs(ids, BadIds::Throw, At::Each(at));
                forward(kernels, &tables.both(), &inputs, &mut scratch, &mut out).expect("sizes fit");
                out.assert_guards();
                assert_same_bits(&out, &wanted, &len);
            }
        }
    }
}

/// The side and code of the error of a call with 6 ids, after checking that it writes nothing.
fn refused(ids: &[i32], bad: BadIds, at: At<'_>) -> (Side, Error) {
    let tables = Tables::new();
    let mut out = Guarded::new(ids.len() * DIM, 1, SENTRY);
    let inputs = inputs(IdSlice::I32(ids), bad, at);
    let failed = forward(dispatch::active(), &tables.both(), &inputs, &mut Scratch::default(), &mut out);
    out.assert_untouched();
    failed.expect_err("a bad call passed")
}

const GOOD: [i32; 6] = [0, 1, 2, 3, 4, 10];

#[test]
fn rejects_positions_out_of_range() {
    for (offset, length) in [(3, 6), (8, 1), (usize::MAX, 1), (usize::MAX, 6), (usize::MAX - 1, 2)] {
        let (side, error) = refused(&GOOD, BadIds::Clamp, At::From { offset, length });
        assert_eq!((side, error.code()), (Side::Position, "SHAPE"));
        assert!(error.to_string().starts_with(&format!("positions {offset} to ")), "{error}");
    }
    // Given positions are never mended, whatever the policy for ids.
    for bad in [BadIds::Throw, BadIds::Clamp, BadIds::Replace(0)] {
        let failed = refused(&GOOD, bad, At::Each(IdSlice::I8(&[0, 1, 8, -1, 7, 0])));
        assert!(matches!(failed, (Side::Position, Error::TokenIndex { flat: 2, value: 8, rows: POSITIONS, count: 2 })));
    }
}

#[test]
fn rejects_lengths_that_do_not_divide() {
    for length in [0, 4, 5, 7, 12, usize::MAX] {
        let (side, error) = refused(&GOOD, BadIds::Throw, At::From { offset: 0, length });
        assert_eq!((side, error.to_string()), (Side::Position, format!("6 ids are not whole sequences of {length}")));
    }
    for positions in [&[0u8; 5][..], &[0; 7], &[]] {
        let (side, error) = refused(&GOOD, BadIds::Throw, At::Each(IdSlice::U8(positions)));
        assert_eq!(
            (side, error.to_string()),
            (Side::Position, format!("there are {} positions for 6 ids", positions.len()))
        );
    }
}

#[test]
fn bad_ids() {
    let ids = [0, 1, 11, 3, -1, 10];
    for at in [At::From { offset: 0, length: 3 }, At::Each(IdSlice::U8(&[0; 6]))] {
        for bad in [BadIds::Throw, BadIds::Replace(11)] {
            let failed = refused(&ids, bad, at);
            assert!(matches!(failed, (Side::Token, Error::TokenIndex { flat: 2, value: 11, rows: TOKENS, count: 2 })));
        }
    }
    // Positions are checked first.
    assert_eq!(refused(&ids, BadIds::Throw, At::Each(IdSlice::U8(&[9; 6]))).0, Side::Position);
    let tables = Tables::new();
    for (bad, mended) in [(BadIds::Clamp, [0, 1, 10, 3, 0, 10]), (BadIds::Replace(5), [0, 1, 5, 3, 5, 10])] {
        let mut out = vec![SENTRY; 6 * DIM];
        let at = At::From { offset: 1, length: 6 };
        let inputs = inputs(IdSlice::I32(&ids), bad, at);
        forward(dispatch::active(), &tables.both(), &inputs, &mut Scratch::default(), &mut out).expect("mended");
        let wanted = naive::gather_add(&tables.token, &tables.position, DIM, &mended, &[1, 2, 3, 4, 5, 6]);
        assert_same_bits(&out, &wanted, &"mended");
    }
}

#[test]
fn rejects_sizes_that_do_not_fit() {
    let tables = Tables::new();
    let good = tables.both();
    let narrow = Table::new(&tables.position, POSITIONS * DIM, 1).expect("sizes fit");
    let empty = Table::new(&[], 0, DIM).expect("sizes fit");
    let norm = |weight: usize, bias: usize| {
        Some(Norm { weight: &tables.token[..weight], bias: &tables.token[..bias], eps: 1e-5 })
    };
    let inputs = inputs(IdSlice::U8(&[0, 1]), BadIds::Throw, At::From { offset: 0, length: 2 });
    for (side, layer, len) in [
        (Side::Token, good, 2 * DIM - 1),
        (Side::Token, good, 2 * DIM + 1),
        (Side::Token, Layer { position: Some(narrow), ..good }, 2 * DIM),
        (Side::Token, Layer { segment: Some(narrow), ..good }, 2 * DIM),
        (Side::Segment, Layer { segment: Some(empty), ..good }, 2 * DIM),
        (Side::Token, Layer { norm: norm(DIM, DIM - 1), ..good }, 2 * DIM),
        (Side::Token, Layer { norm: norm(DIM + 1, DIM), ..good }, 2 * DIM),
    ] {
        let mut out = Guarded::new(len, 0, SENTRY);
        let failed = forward(dispatch::active(), &layer, &inputs, &mut Scratch::default(), &mut out);
        assert!(matches!(failed, Err((found, Error::Shape(_))) if found == side));
        out.assert_untouched();
    }
}

#[test]
fn segments_scale_and_normalization() {
    let tables = Tables::new();
    let mut random = Random::new(16);
    let (segments, weight, bias) = (random.units(3 * DIM), random.units(DIM), random.units(DIM));
    let segment = Some(Table::new(&segments, 3, DIM).expect("sizes fit"));
    let norm = Some(Norm { weight: &weight, bias: &bias, eps: 1e-12 });
    let (ids, kinds) = (random.ids(24, TOKENS), random.ids(24, 3));
    let small: Vec<u8> = kinds.iter().map(|&kind| kind as u8).collect();
    let at: Vec<u32> = (0..24).map(|i| i % 6 + 2).collect();
    for (kernels, given) in dispatch::available().flat_map(|kernels| [(kernels, true), (kernels, false)]) {
        let mut sums = naive::gather(&tables.token, DIM, &ids);
        let kinds = if given { &kinds[..] } else { &[0; 24] };
        let [first, second] = [naive::gather(&segments, DIM, kinds), naive::gather(&tables.position, DIM, &at)];
        // Scaled first, then the segment is added, then the position.
        sums.iter_mut().zip(first.iter().zip(&second)).for_each(|(x, (a, b))| *x = (*x * 1.7 + a) + b);
        let inputs = Inputs {
            segments: given.then_some(IdSlice::U8(&small)),
            ..inputs(IdSlice::U32(&ids), BadIds::Throw, At::From { offset: 2, length: 6 })
        };
        let mut out = Guarded::new(24 * DIM, 1, SENTRY);
        let layer = Layer { scale: 1.7, segment, ..tables.both() };
        forward(kernels, &layer, &inputs, &mut Scratch::default(), &mut out).expect("sizes fit");
        out.assert_guards();
        assert_same_bits(&out, &sums, &"summed");
        let layer = Layer { norm, ..layer };
        forward(kernels, &layer, &inputs, &mut Scratch::default(), &mut out).expect("sizes fit");
        for (ours, row) in out.chunks_exact(DIM).zip(sums.chunks_exact(DIM)) {
            for (i, (&ours, wanted)) in ours.iter().zip(naive::layer_norm(row, &weight, &bias, 1e-12)).enumerate() {
                assert!((f64::from(ours) - wanted).abs() <= layer_norm_f32(wanted, weight[i], bias[i]));
            }
        }
    }
}

#[test]
fn rejects_segments_out_of_range() {
    let tables = Tables::new();
    let layer = Layer { segment: tables.both().position, ..tables.both() };
    let at = At::From { offset: 0, length: 3 };
    let refused = |segments: &[i8]| {
        let inputs = Inputs { segments: Some(IdSlice::I8(segments)), ..inputs(IdSlice::I32(&GOOD), BadIds::Clamp, at) };
        let mut out = Guarded::new(6 * DIM, 0, SENTRY);
        let failed = forward(dispatch::active(), &layer, &inputs, &mut Scratch::default(), &mut out);
        out.assert_untouched();
        failed.expect_err("a bad call passed")
    };
    let failed = refused(&[0, 1, 7, -1, 8, 0]);
    assert!(matches!(failed, (Side::Segment, Error::TokenIndex { flat: 3, value: -1, rows: POSITIONS, count: 2 })));
    assert_eq!(refused(&[0; 5]).1.to_string(), "there are 5 segments for 6 ids");
}

/// The batch is large enough to be divided, and parts begin in the middle of sequences.
#[test]
fn gives_the_same_bits_on_any_number_of_threads() {
    let (rows, dim, length) = (97, 257, 999);
    let mut random = Random::new(17);
    let [token, position, segment] = [rows, length + 3, 2].map(|rows| random.units(rows * dim));
    let table = |elements, rows| Table::new(elements, rows, dim).expect("sizes fit");
    let layer = Layer {
        scale: 3.0,
        segment: Some(table(&segment, 2)),
        ..plain(table(&token, rows), table(&position, length + 3))
    };
    let norm = Some(Norm { weight: &token[..dim], bias: &token[dim..2 * dim], eps: 1e-5 });
    let (ids, kinds, at) = (random.ids(7 * length, rows), random.ids(7 * length, 2), random.ids(7 * length, length));
    for at in [At::From { offset: 3, length }, At::Each(IdSlice::U32(&at))] {
        let inputs = Inputs { segments: Some(IdSlice::U32(&kinds)), ..inputs(IdSlice::U32(&ids), BadIds::Throw, at) };
        for layer in [layer, Layer { norm, ..layer }] {
            let run = |threads| {
                set_num_threads(threads).expect("a number of threads");
                let mut out = Guarded::new(ids.len() * dim, 3, SENTRY);
                forward(dispatch::active(), &layer, &inputs, &mut Scratch::default(), &mut out).expect("sizes fit");
                out.assert_guards();
                out
            };
            let alone = run(1);
            for threads in [2, 3, 8] {
                assert_same_bits(&run(threads), &alone, &threads);
            }
        }
    }
}

#[test]
fn accepts_empty_inputs() {
    let tables = Tables::new();
    for at in [
        At::From { offset: 0, length: 0 },
        At::From { offset: 8, length: 0 },
        At::From { offset: 0, length: 4 },
        At::Each(IdSlice::U8(&[])),
    ] {
        let none = inputs(IdSlice::U64(&[]), BadIds::Throw, at);
        forward(dispatch::active(), &tables.both(), &none, &mut Scratch::default(), &mut []).expect("nothing fits");
    }
    let empty = Table::new(&[], 3, 0).expect("sizes fit");
    let at = At::From { offset: 0, length: 3 };
    let inputs = inputs(IdSlice::U8(&[0, 1, 2]), BadIds::Throw, at);
    let layer = plain(empty, empty);
    forward(dispatch::active(), &layer, &inputs, &mut Scratch::default(), &mut []).expect("nothing fits");
}

#[test]
fn scratch_is_reused() {
    let tables = Tables::new();
    let mut scratch = Scratch::default();
    scratch.ids().extend([9; 40]);
    for len in [6usize, 3, 5] {
        let (ids, at) = (vec![2u8; len], vec![1i16; len]);
        let mut out = vec![SENTRY; len * DIM];
        let inputs = inputs(IdSlice::U8(&ids), BadIds::Throw, At::Each(IdSlice::I16(&at)));
        forward(dispatch::active(), &tables.both(), &inputs, &mut scratch, &mut out).expect("sizes fit");
        let wanted = naive::gather_add(&tables.token, &tables.position, DIM, &vec![2; len], &vec![1; len]);
        assert_same_bits(&out, &wanted, &len);
    }
}
