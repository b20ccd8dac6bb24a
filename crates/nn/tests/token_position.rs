//! Token + position, with positions that follow and positions that are given.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use tokenbed_core::Error;
use tokenbed_core::ids::{BadIds, IdSlice};
use tokenbed_kernels::table;
use tokenbed_nn::embedding::Table;
use tokenbed_nn::token_position::{At, Scratch, Side, forward};
use tokenbed_testkit::compare::assert_same_bits;
use tokenbed_testkit::naive;
use tokenbed_testkit::place::Guarded;
use tokenbed_testkit::random::Random;

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

    fn both(&self) -> (Table<'_>, Table<'_>) {
        let token = Table::new(&self.token, TOKENS, DIM).expect("sizes fit");
        (token, Table::new(&self.position, POSITIONS, DIM).expect("sizes fit"))
    }
}

#[test]
fn positions_that_follow() {
    let tables = Tables::new();
    let mut scratch = Scratch::default();
    let ids = Random::new(14).ids(24, TOKENS);
    for kernels in table::available() {
        for (offset, length) in [(0, 8), (0, 1), (7, 1), (2, 6), (5, 3), (4, 4), (0, 2)] {
            let at: Vec<u32> = (0..24).map(|i| (offset + i % length) as u32).collect();
            let mut out = Guarded::new(24 * DIM, 1, SENTRY);
            let positions = At::From { offset, length };
            forward(kernels, tables.both(), (IdSlice::U32(&ids), BadIds::Throw), positions, &mut scratch, &mut out)
                .expect("sizes fit");
            out.assert_guards();
            assert_same_bits(&out, &naive::gather_add(&tables.token, &tables.position, DIM, &ids, &at), &offset);
        }
    }
}

#[test]
fn positions_that_are_given() {
    let tables = Tables::new();
    let mut scratch = Scratch::default();
    let mut random = Random::new(15);
    for kernels in table::available() {
        for len in [1, 2, 5, 30] {
            let (ids, at) = (random.ids(len, TOKENS), random.ids(len, POSITIONS));
            let wanted = naive::gather_add(&tables.token, &tables.position, DIM, &ids, &at);
            let (small, wide): (Vec<u8>, Vec<i64>) =
                (ids.iter().map(|&id| id as u8).collect(), at.iter().map(|&at| at.into()).collect());
            let mut out = Guarded::new(len * DIM, 1, SENTRY);
            for (ids, at) in [(IdSlice::U32(&ids), IdSlice::U32(&at)), (IdSlice::U8(&small), IdSlice::I64(&wide))] {
                out.fill(SENTRY);
                forward(kernels, tables.both(), (ids, BadIds::Throw), At::Each(at), &mut scratch, &mut out)
                    .expect("sizes fit");
                out.assert_guards();
                assert_same_bits(&out, &wanted, &len);
            }
        }
    }
}

/// The side and code of the error of a call with 6 ids, which writes nothing.
fn refused(ids: &[i32], bad: BadIds, at: At<'_>) -> (Side, Error) {
    let tables = Tables::new();
    let mut out = Guarded::new(ids.len() * DIM, 1, SENTRY);
    let ids = (IdSlice::I32(ids), bad);
    let failed = forward(table::active(), tables.both(), ids, at, &mut Scratch::default(), &mut out);
    out.assert_untouched();
    failed.expect_err("a bad call passed")
}

const GOOD: [i32; 6] = [0, 1, 2, 3, 4, 10];

#[test]
fn positions_outside_of_the_table() {
    for (offset, length) in [(3, 6), (8, 1), (usize::MAX, 1), (usize::MAX, 6), (usize::MAX - 1, 2)] {
        let (side, error) = refused(&GOOD, BadIds::Clamp, At::From { offset, length });
        assert_eq!((side, error.code()), (Side::Position, "SHAPE"));
        assert!(error.to_string().starts_with(&format!("positions {offset} to ")), "{error}");
    }
    // Given ones are never mended, whatever becomes of ids.
    for bad in [BadIds::Throw, BadIds::Clamp, BadIds::Replace(0)] {
        let failed = refused(&GOOD, bad, At::Each(IdSlice::I8(&[0, 1, 8, -1, 7, 0])));
        assert!(matches!(failed, (Side::Position, Error::TokenIndex { flat: 2, value: 8, rows: POSITIONS, count: 2 })));
    }
}

#[test]
fn lengths_that_do_not_divide() {
    for length in [0, 4, 5, 7, 12, usize::MAX] {
        let (side, error) = refused(&GOOD, BadIds::Throw, At::From { offset: 0, length });
        assert_eq!((side, error.to_string()), (Side::Position, format!("6 ids are not sequences of {length}")));
    }
    for positions in [&[0u8; 5][..], &[0; 7], &[]] {
        let (side, error) = refused(&GOOD, BadIds::Throw, At::Each(IdSlice::U8(positions)));
        assert_eq!((side, error.to_string()), (Side::Position, format!("{} positions for 6 ids", positions.len())));
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
    // Positions are looked at first.
    assert_eq!(refused(&ids, BadIds::Throw, At::Each(IdSlice::U8(&[9; 6]))).0, Side::Position);
    let tables = Tables::new();
    for (bad, mended) in [(BadIds::Clamp, [0, 1, 10, 3, 0, 10]), (BadIds::Replace(5), [0, 1, 5, 3, 5, 10])] {
        let mut out = vec![SENTRY; 6 * DIM];
        let at = At::From { offset: 1, length: 6 };
        forward(table::active(), tables.both(), (IdSlice::I32(&ids), bad), at, &mut Scratch::default(), &mut out)
            .expect("mended");
        let wanted = naive::gather_add(&tables.token, &tables.position, DIM, &mended, &[1, 2, 3, 4, 5, 6]);
        assert_same_bits(&out, &wanted, &"mended");
    }
}

#[test]
fn sizes_that_do_not_fit() {
    let tables = Tables::new();
    let (token, position) = tables.both();
    let narrow = Table::new(&tables.position, POSITIONS * DIM, 1).expect("sizes fit");
    let at = At::From { offset: 0, length: 2 };
    let ids = (IdSlice::U8(&[0, 1]), BadIds::Throw);
    for (tables, len) in
        [((token, position), 2 * DIM - 1), ((token, position), 2 * DIM + 1), ((token, narrow), 2 * DIM)]
    {
        let mut out = Guarded::new(len, 0, SENTRY);
        let failed = forward(table::active(), tables, ids, at, &mut Scratch::default(), &mut out);
        assert!(matches!(failed, Err((Side::Token, Error::Shape(_)))));
        out.assert_untouched();
    }
}

#[test]
fn nothing() {
    let tables = Tables::new();
    let none = (IdSlice::U64(&[]), BadIds::Throw);
    for at in [
        At::From { offset: 0, length: 0 },
        At::From { offset: 8, length: 0 },
        At::From { offset: 0, length: 4 },
        At::Each(IdSlice::U8(&[])),
    ] {
        forward(table::active(), tables.both(), none, at, &mut Scratch::default(), &mut []).expect("nothing fits");
    }
    let empty = Table::new(&[], 3, 0).expect("sizes fit");
    let at = At::From { offset: 0, length: 3 };
    let ids = (IdSlice::U8(&[0, 1, 2]), BadIds::Throw);
    forward(table::active(), (empty, empty), ids, at, &mut Scratch::default(), &mut []).expect("nothing fits");
}

#[test]
fn scratch_is_used_again() {
    let tables = Tables::new();
    let mut scratch = Scratch::default();
    scratch.ids().extend([9; 40]);
    for len in [6usize, 3, 5] {
        let (ids, at) = (vec![2u8; len], vec![1i16; len]);
        let mut out = vec![SENTRY; len * DIM];
        let ids = (IdSlice::U8(&ids), BadIds::Throw);
        forward(table::active(), tables.both(), ids, At::Each(IdSlice::I16(&at)), &mut scratch, &mut out)
            .expect("sizes fit");
        let wanted = naive::gather_add(&tables.token, &tables.position, DIM, &vec![2; len], &vec![1; len]);
        assert_same_bits(&out, &wanted, &len);
    }
}
