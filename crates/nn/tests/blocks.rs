//! Lookups in blocks: the bits of the lookup as a whole, its errors, and an end when told so.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::cell::Cell;
use tokenbed_core::Error;
use tokenbed_core::ids::{BadIds, IdBuf, IdSlice};
use tokenbed_kernels::table;
use tokenbed_nn::blocks::{Blocks, Gather, TokenPosition, run};
use tokenbed_nn::embedding::{self, Table};
use tokenbed_nn::token_position::{At, Scratch, Side, forward};
use tokenbed_testkit::compare::assert_same_bits;
use tokenbed_testkit::random::Random;

/// Four rows of so many fill a block.
const DIM: usize = (1 << 18) / 4;
const TOKENS: usize = 5;
const POSITIONS: usize = 9;

fn always() -> bool {
    true
}

fn of(elements: &[f32]) -> Table<'_> {
    Table::new(elements, elements.len() / DIM, DIM).expect("sizes fit")
}

#[test]
fn a_gather_in_blocks_is_the_gather() {
    let elements = Random::new(1).units(TOKENS * DIM);
    let kernels = table::active();
    for count in [0, 1, 3, 4, 5, 8, 13] {
        let ids: Vec<i64> = (0..count).map(|i| (i * 7 % TOKENS) as i64).collect();
        let (mut whole, mut blocks) = (vec![1.0; count * DIM], vec![2.0; count * DIM]);
        embedding::forward(kernels, of(&elements), IdSlice::I64(&ids), BadIds::Throw, &mut Vec::new(), &mut whole)
            .expect("good ids");
        let lookup = Gather { table: of(&elements), ids: IdSlice::I64(&ids), bad: BadIds::Throw };
        assert!(run(kernels, &lookup, &always, &mut blocks).expect("good ids"));
        assert_same_bits(&blocks, &whole, &count);
    }
}

#[test]
fn sequences_are_cut_anywhere_and_keep_their_positions() {
    let (token, position) = (Random::new(2).units(TOKENS * DIM), Random::new(3).units(POSITIONS * DIM));
    let (tables, kernels) = ((of(&token), of(&position)), table::active());
    // Sequences shorter than a block, of its length, longer, and one that is all.
    for (count, length, offset) in
        [(12, 1, 8), (12, 2, 3), (12, 3, 0), (12, 4, 5), (12, 6, 3), (14, 7, 2), (9, 9, 0), (1, 1, 0)]
    {
        let ids = Random::new(4).ids(count, TOKENS);
        let ids = (IdSlice::U32(&ids), BadIds::Throw);
        let each: Vec<u8> = (0..count).map(|i| (offset + i % length) as u8).collect();
        for at in [At::From { offset, length }, At::Each(IdSlice::U8(&each))] {
            let (mut whole, mut blocks) = (vec![1.0; count * DIM], vec![2.0; count * DIM]);
            forward(kernels, tables, ids, at, &mut Scratch::default(), &mut whole).expect("good ids");
            let lookup = TokenPosition { tables, ids: ids.0, bad: ids.1, at };
            assert!(run(kernels, &lookup, &always, &mut blocks).expect("good ids"));
            assert_same_bits(&blocks, &whole, &format!("{count} in sequences of {length}"));
        }
    }
}

#[test]
fn a_block_is_whole_sequences_or_a_part_of_one() {
    let (token, position) = (vec![0.0; TOKENS * DIM], vec![0.0; POSITIONS * DIM]);
    let ids = vec![0u32; 63];
    let of_length = |length| TokenPosition {
        tables: (of(&token), of(&position)),
        ids: IdSlice::U32(&ids),
        bad: BadIds::Throw,
        at: At::From { offset: 0, length },
    };
    assert_eq!(of_length(3).block(0, 8), 6);
    assert_eq!(of_length(3).block(7, 8), 2);
    assert_eq!(of_length(9).block(0, 8), 8);
    assert_eq!(of_length(9).block(8, 8), 1);
    assert_eq!(of_length(9).block(9, 5), 5);
    assert_eq!(of_length(1).block(5, 1), 1);
}

#[test]
fn errors_are_those_of_the_whole_and_nothing_is_written() {
    let (token, position) = (Random::new(5).units(TOKENS * DIM), Random::new(6).units(POSITIONS * DIM));
    let kernels = table::active();
    // In the third block, and again in the last.
    let mut ids = vec![0i32; 16];
    (ids[9], ids[15]) = (-3, 7);
    let mut out = vec![8.5; 16 * DIM];
    let gather = Gather { table: of(&token), ids: IdSlice::I32(&ids), bad: BadIds::Throw };
    match run(kernels, &gather, &always, &mut out) {
        Err((Side::Token, Error::TokenIndex { flat: 9, value: -3, rows: TOKENS, count: 2 })) => {}
        other => panic!("{other:?}"),
    }
    let tables = (of(&token), of(&position));
    let each = vec![9u8; 16];
    let cases = [(At::From { offset: 0, length: 8 }, Side::Token), (At::Each(IdSlice::U8(&each)), Side::Position)];
    for (at, side) in cases {
        let lookup = TokenPosition { tables, ids: IdSlice::I32(&ids), bad: BadIds::Throw, at };
        let error = run(kernels, &lookup, &always, &mut out).expect_err("a bad id");
        assert_eq!(error.0, side);
        let whole = forward(kernels, tables, (lookup.ids, lookup.bad), at, &mut Scratch::default(), &mut out);
        assert_eq!(error.1.to_string(), whole.expect_err("a bad id").1.to_string());
    }
    for at in [At::From { offset: 5, length: 8 }, At::From { offset: 0, length: 5 }] {
        let lookup = TokenPosition { tables, ids: IdSlice::I32(&ids), bad: BadIds::Clamp, at };
        assert!(matches!(run(kernels, &lookup, &always, &mut out), Err((Side::Position, Error::Shape(_)))));
    }
    assert!(matches!(run(kernels, &gather, &always, &mut out[1..]), Err((Side::Token, Error::Shape(_)))));
    assert!(out.iter().all(|&x| x == 8.5));
    // What can be mended is.
    let mended = Gather { bad: BadIds::Clamp, ..gather };
    assert!(run(kernels, &mended, &always, &mut out).expect("all mended"));
    assert_same_bits(&out[9 * DIM..10 * DIM], &token[..DIM], &"the first row");
    assert_same_bits(&out[15 * DIM..], &token[4 * DIM..], &"the last row");
}

#[test]
fn it_ends_between_blocks() {
    let elements = Random::new(7).units(TOKENS * DIM);
    let ids = vec![1u32; 20];
    let lookup = Gather { table: of(&elements), ids: IdSlice::U32(&ids), bad: BadIds::Throw };
    for (looks, rows) in [(0, 0), (1, 0), (2, 4), (4, 12)] {
        let left = Cell::new(looks);
        let go_on = || {
            let goes = left.get() > 0;
            left.set(left.get() - i32::from(goes));
            goes
        };
        let mut out = vec![0.0; 20 * DIM];
        assert!(!run(table::active(), &lookup, &go_on, &mut out).expect("good ids"));
        let written = out.chunks(DIM).take_while(|row| row[0] != 0.0).count();
        assert_eq!(written, rows, "{looks}");
    }
}

#[test]
fn a_copy_of_ids_is_what_it_was_made_of() {
    let mut source = vec![3i16, -4, 5];
    let copy = IdBuf::from(IdSlice::I16(&source));
    source.fill(0);
    assert!(matches!(copy.all(), IdSlice::I16([3, -4, 5])));
    assert!(matches!(copy.all().range(1..2), IdSlice::I16([-4])));
    assert_eq!(IdBuf::from(IdSlice::U64(&[])).all().len(), 0);
}
