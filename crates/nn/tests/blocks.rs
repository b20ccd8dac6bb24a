//! Lookups in blocks give the bits and the errors of whole lookups, and stop when told to.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::cell::Cell;
use tokenbed_core::Error;
use tokenbed_core::ids::{BadIds, IdBuf, IdSlice};
use tokenbed_kernels::dispatch;
use tokenbed_nn::embedding::{self, Table};
use tokenbed_nn::token_position::{At, Inputs, Layer, Norm, Scratch, Side, forward, forward_in_blocks};
use tokenbed_testkit::compare::assert_same_bits;
use tokenbed_testkit::random::Random;

/// Four rows of this many elements fill a block.
const DIM: usize = (1 << 18) / 4;
const TOKENS: usize = 5;
const POSITIONS: usize = 9;

fn always() -> bool {
    true
}

fn of(elements: &[f32]) -> Table<'_> {
    Table::new(elements, elements.len() / DIM, DIM).expect("sizes fit")
}

fn layer<'a>(token: &'a [f32], position: &'a [f32]) -> Layer<'a> {
    Layer { token: of(token), scale: 1.0, segment: None, position: Some(of(position)), norm: None }
}

fn inputs<'a>(ids: IdSlice<'a>, at: At<'a>) -> Inputs<'a> {
    Inputs { ids, bad: BadIds::Throw, segments: None, at }
}

#[test]
fn a_gather_in_blocks_equals_the_whole() {
    let elements = Random::new(1).units(TOKENS * DIM);
    let kernels = dispatch::active();
    for count in [0, 1, 3, 4, 5, 8, 13] {
        let ids: Vec<i64> = (0..count).map(|i| (i * 7 % TOKENS) as i64).collect();
        let (ids, bad) = (IdSlice::I64(&ids), BadIds::Throw);
        let (mut whole, mut blocks) = (vec![1.0; count * DIM], vec![2.0; count * DIM]);
        embedding::forward(kernels, of(&elements), ids, bad, &mut Vec::new(), &mut whole).expect("good ids");
        let done = embedding::forward_in_blocks(kernels, of(&elements), (ids, bad), &always, &mut blocks);
        assert!(done.expect("good ids"));
        assert_same_bits(&blocks, &whole, &count);
    }
}

#[test]
fn sequences_are_cut_anywhere_and_keep_their_positions() {
    let (token, position) = (Random::new(2).units(TOKENS * DIM), Random::new(3).units(POSITIONS * DIM));
    let (segment, bias) = (Random::new(8).units(2 * DIM), Random::new(9).units(DIM));
    let kernels = dispatch::active();
    let plain = layer(&token, &position);
    let norm = Norm { weight: &segment[..DIM], bias: &bias, eps: 1e-5 };
    let full = Layer { scale: 3.5, segment: Some(of(&segment)), norm: Some(norm), ..plain };
    // Sequences that are shorter than a block, as long as one, longer, and a single one of all ids.
    for (count, length, offset) in
        [(12, 1, 8), (12, 2, 3), (12, 3, 0), (12, 4, 5), (12, 6, 3), (14, 7, 2), (9, 9, 0), (1, 1, 0)]
    {
        let ids = Random::new(4).ids(count, TOKENS);
        let each: Vec<u8> = (0..count).map(|i| (offset + i % length) as u8).collect();
        let kinds: Vec<i16> = (0..count).map(|i| (i / 3 % 2) as i16).collect();
        for at in [At::From { offset, length }, At::Each(IdSlice::U8(&each))] {
            for (layer, segments) in [(&plain, None), (&full, None), (&full, Some(IdSlice::I16(&kinds)))] {
                let inputs = Inputs { segments, ..inputs(IdSlice::U32(&ids), at) };
                let (mut whole, mut blocks) = (vec![1.0; count * DIM], vec![2.0; count * DIM]);
                forward(kernels, layer, &inputs, &mut Scratch::default(), &mut whole).expect("good ids");
                assert!(forward_in_blocks(kernels, layer, &inputs, &always, &mut blocks).expect("good ids"));
                assert_same_bits(&blocks, &whole, &format!("{count} in sequences of {length}"));
            }
        }
    }
}

#[test]
fn errors_equal_those_of_the_whole_and_nothing_is_written() {
    let (token, position) = (Random::new(5).units(TOKENS * DIM), Random::new(6).units(POSITIONS * DIM));
    let kernels = dispatch::active();
    // The bad ids are in the third block and in the last.
    let mut ids = vec![0i32; 16];
    (ids[9], ids[15]) = (-3, 7);
    let ids = IdSlice::I32(&ids);
    let mut out = vec![8.5; 16 * DIM];
    let gather = |bad, out: &mut [f32]| embedding::forward_in_blocks(kernels, of(&token), (ids, bad), &always, out);
    match gather(BadIds::Throw, &mut out) {
        Err(Error::TokenIndex { flat: 9, value: -3, rows: TOKENS, count: 2 }) => {}
        other => panic!("{other:?}"),
    }
    assert!(matches!(gather(BadIds::Throw, &mut out[1..]), Err(Error::Shape(_))));
    let layer = layer(&token, &position);
    let each = vec![9u8; 16];
    let cases = [
        (At::From { offset: 0, length: 8 }, Side::Token),
        (At::Each(IdSlice::U8(&each)), Side::Position),
        (At::From { offset: 5, length: 8 }, Side::Position),
        (At::From { offset: 0, length: 5 }, Side::Position),
    ];
    for (at, side) in cases {
        let inputs = inputs(ids, at);
        let error = forward_in_blocks(kernels, &layer, &inputs, &always, &mut out).expect_err("a bad id");
        assert_eq!(error.0, side);
        let whole = forward(kernels, &layer, &inputs, &mut Scratch::default(), &mut out).expect_err("a bad id");
        assert_eq!(error.1.to_string(), whole.1.to_string());
    }
    assert!(out.iter().all(|&x| x == 8.5));
    // With `Clamp` the same ids are mended.
    assert!(gather(BadIds::Clamp, &mut out).expect("all mended"));
    assert_same_bits(&out[9 * DIM..10 * DIM], &token[..DIM], &"the first row");
    assert_same_bits(&out[15 * DIM..], &token[4 * DIM..], &"the last row");
}

#[test]
fn stops_between_blocks() {
    let elements = Random::new(7).units(TOKENS * DIM);
    let ids = vec![1u32; 20];
    for (looks, rows) in [(0, 0), (1, 4), (3, 12)] {
        let left = Cell::new(looks);
        let go_on = || {
            let goes = left.get() > 0;
            left.set(left.get() - i32::from(goes));
            goes
        };
        let mut out = vec![0.0; 20 * DIM];
        let ids = (IdSlice::U32(&ids), BadIds::Throw);
        let done = embedding::forward_in_blocks(dispatch::active(), of(&elements), ids, &go_on, &mut out);
        assert!(!done.expect("good ids"));
        let written = out.chunks(DIM).take_while(|row| row[0] != 0.0).count();
        assert_eq!(written, rows, "{looks}");
    }
}

#[test]
fn a_copy_of_ids_equals_the_original() {
    let mut source = vec![3i16, -4, 5];
    let copy = IdBuf::from(IdSlice::I16(&source));
    source.fill(0);
    assert!(matches!(copy.all(), IdSlice::I16([3, -4, 5])));
    assert_eq!(IdBuf::from(IdSlice::U64(&[])).all().len(), 0);
}
