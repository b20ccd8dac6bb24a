//! Bags of the layer: bad offsets are refused and nothing is written, and the bits are the same on any number of
//! threads.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::cell::Cell;
use tokenbed_core::Error;
use tokenbed_core::ids::{BadIds, IdSlice};
use tokenbed_kernels::dispatch;
use tokenbed_kernels::ops::lookup::bag::Mode;
use tokenbed_kernels::rows::format::{OutFormat, RowFormat};
use tokenbed_nn::bag::{
    self, Division, Request, Scratch, forward, forward_beside, forward_beside_in_blocks, forward_in_blocks, lookup,
    lookup_in_blocks,
};
use tokenbed_nn::quantize::{Difference, dequantize, difference, quantize};
use tokenbed_testkit::place::Guarded;
use tokenbed_testkit::random::Random;
use tokenbed_threads::set_num_threads;

const SENTRY: u8 = 0xa5;

fn sums<'a>(ids: IdSlice<'a>, begins: IdSlice<'a>, with_end: bool) -> Request<'a> {
    let division = Division::Offsets { begins, with_end };
    Request { ids: (ids, BadIds::Throw), division, weights: None, padding: None, mode: Mode::Sum }
}

#[test]
fn rejects_bad_offsets_and_writes_nothing() {
    let bytes = [0u8; 4 * 4 * 3];
    let rows = bag::table(RowFormat::Float32, &bytes, 4, 3).expect("sizes fit");
    let ids = IdSlice::U8(&[0, 1, 2, 3, 3]);
    let cases: [(IdSlice<'_>, bool, &str); 8] = [
        (
            IdSlice::I32(&[1, 2]),
            false,
            "offsets[0] is 1, but must be 0, because the first bag begins with the first id",
        ),
        (IdSlice::I64(&[-1]), false, "offsets[0] is -1, but must be 0, because the first bag begins with the first id"),
        (IdSlice::U16(&[0, 4, 2]), false, "offsets[2] is 2, which is below the 4 before it: offsets must not decrease"),
        (IdSlice::U64(&[0, u64::MAX]), false, "offsets[1] is 18446744073709551615, which is past the end of 5 ids"),
        (IdSlice::I8(&[0, -3]), true, "offsets[1] is -3, which is below the 0 before it: offsets must not decrease"),
        (IdSlice::I8(&[]), false, "offsets are empty, so 5 ids belong to no bag"),
        (IdSlice::I8(&[]), true, "offsets must not be empty: with the end included, they have at least the element 0"),
        (IdSlice::I8(&[0, 4]), true, "offsets[1] is 4, but must be the number of ids, 5, where the last bag ends"),
    ];
    for (begins, with_end, message) in cases {
        let mut out = Guarded::new(24, 0, SENTRY);
        let request = sums(ids, begins, with_end);
        let failed =
            forward(dispatch::active(), rows, request, &mut Scratch::default(), (OutFormat::Float32, &mut out));
        match failed {
            Err(Error::Shape(text)) => assert_eq!(text, message),
            other => panic!("{other:?}"),
        }
        out.assert_untouched();
    }
}

#[test]
fn gives_the_same_bits_on_any_number_of_threads() {
    let (rows, dim, len) = (300, 200, 40_000);
    let mut random = Random::new(51);
    let elements = random.units(rows * dim);
    let ids = random.ids(len, rows);
    let begins: Vec<u32> = (0..4000).map(|b| b * 10 - b % 7).collect();
    for format in [RowFormat::BFloat16, RowFormat::Int8, RowFormat::Int4] {
        let mut bytes = vec![0; rows * format.row_bytes(dim).expect("it fits")];
        let mut results = Vec::new();
        for threads in [1, 2, 7] {
            set_num_threads(threads).expect("a number of threads");
            quantize(format, &elements, dim, &mut bytes).expect("numbers");
            let table = bag::table(format, &bytes, rows, dim).expect("sizes fit");
            let request = sums(IdSlice::U32(&ids), IdSlice::U32(&begins), false);
            let mut out = Guarded::new(begins.len() * dim * 2, 3, SENTRY);
            let into = (OutFormat::Float16, &mut out[..]);
            forward(dispatch::active(), table, request, &mut Scratch::default(), into).expect("good ids");
            out.assert_guards();
            let mut values = vec![0; rows * dim * 4];
            dequantize(dispatch::active(), table, &mut values).expect("sizes fit");
            results.push((out.to_vec(), values, bytes.clone()));
        }
        assert!(results.iter().all(|result| *result == results[0]));
    }
}

#[test]
fn blocks_of_every_layout_equal_the_whole() {
    // A row of the result is 360 KB, so two rows are a block.
    let (rows, dim) = (12, 90_000);
    let mut random = Random::new(53);
    let elements = random.units(rows * dim);
    let ids = random.ids(23, rows);
    let (begins, kernels) = ([0u32, 0, 5, 6, 20, 23], dispatch::active());
    let request = || sums(IdSlice::U32(&ids), IdSlice::U32(&begins), true);
    let looked_up = (IdSlice::U32(&ids), BadIds::Throw);
    for format in RowFormat::ALL {
        let mut bytes = vec![0; rows * format.row_bytes(dim).expect("it fits")];
        quantize(format, &elements, dim, &mut bytes).expect("numbers");
        let table = bag::table(format, &bytes, rows, dim).expect("sizes fit");
        for out_format in [OutFormat::Float32, OutFormat::BFloat16] {
            let of = |rows: usize| {
                [
                    Guarded::new(rows * dim * out_format.size(), 1, SENTRY),
                    Guarded::new(rows * dim * out_format.size(), 2, SENTRY),
                ]
            };
            let [mut whole, mut blocks] = of(begins.len() - 1);
            forward(kernels, table, request(), &mut Scratch::default(), (out_format, &mut whole)).expect("good ids");
            let done = forward_in_blocks(kernels, table, request(), &|| true, (out_format, &mut blocks));
            assert!(done.expect("good ids"));
            assert!(whole[..] == blocks[..], "bags of {format:?} to {out_format:?}");
            blocks.assert_guards();
            let [mut whole, mut blocks] = of(ids.len());
            lookup(kernels, table, looked_up, &mut Scratch::default(), (out_format, &mut whole)).expect("good ids");
            let done = lookup_in_blocks(kernels, table, looked_up, &|| true, (out_format, &mut blocks));
            assert!(done.expect("good ids"));
            assert!(whole[..] == blocks[..], "rows of {format:?} to {out_format:?}");
            blocks.assert_guards();
        }
    }
}

#[test]
fn blocks_stop_when_told_and_reject_what_the_whole_rejects() {
    let (rows, dim) = (4, 90_000);
    let bytes = vec![0u8; rows * dim * 4];
    let table = bag::table(RowFormat::Float32, &bytes, rows, dim).expect("sizes fit");
    let kernels = dispatch::active();
    let begins: Vec<u32> = (0..9).collect();
    let run = |ids: &[u8], calls: usize, out: &mut [u8]| {
        let asked = Cell::new(0);
        let go_on = || {
            asked.set(asked.get() + 1);
            asked.get() <= calls
        };
        let request = sums(IdSlice::U8(ids), IdSlice::U32(&begins), false);
        let done = forward_in_blocks(kernels, table, request, &go_on, (OutFormat::Float32, out));
        (done, asked.get())
    };
    let mut out = Guarded::new(9 * dim * 4, 0, SENTRY);
    let (done, asked) = run(&[1; 9], 2, &mut out);
    assert!(!done.expect("good ids"), "it was told to end");
    assert_eq!(asked, 3);
    assert!(out[..dim * 4].iter().all(|&byte| byte == 0) && out[8 * dim * 4..].iter().all(|&byte| byte == SENTRY));
    let mut out = Guarded::new(9 * dim * 4, 0, SENTRY);
    let (done, asked) = run(&[0, 1, 2, 9, 0, 0, 0, 0, 0], usize::MAX, &mut out);
    assert!(matches!(done, Err(Error::TokenIndex { .. })), "{done:?}");
    assert_eq!(asked, 0);
    out.assert_untouched();
}

#[test]
fn reports_the_first_bad_element() {
    let mut elements = vec![0.5; 5000 * 40];
    elements[4000 * 40 + 7] = f32::NAN;
    elements[1234 * 40 + 39] = f32::INFINITY;
    let mut to = vec![0; 5000 * 48];
    match quantize(RowFormat::Int8, &elements, 40, &mut to) {
        Err(Error::Usage(text)) => assert!(text.contains("[1234, 39] is inf"), "{text}"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(quantize(RowFormat::Int8, &elements, 39, &mut to), Err(Error::Shape(_))));
    assert!(matches!(quantize(RowFormat::Int8, &[], 0, &mut []), Err(Error::Shape(_))));
}

#[test]
fn differences_follow_the_formula() {
    let original = [0.0f32, 255.0, 3.0, 9.0];
    let mut bytes = vec![0; 2 * 10];
    quantize(RowFormat::Int8, &[0.0, 255.0, 1.0, 1.0], 2, &mut bytes).expect("numbers");
    let table = bag::table(RowFormat::Int8, &bytes, 2, 2).expect("sizes fit");
    let wanted = Difference { max: 8.0, mean: 2.5, rms: (68.0f64 / 4.0).sqrt(), worst_row: 1 };
    assert_eq!(difference(dispatch::active(), table, &original).expect("sizes fit"), wanted);
    assert!(matches!(difference(dispatch::active(), table, &original[1..]), Err(Error::Shape(_))));
}

#[test]
fn features_stand_side_by_side_with_the_bits_of_their_own_lookups() {
    let (bags, dims) = (6000_u32, [5, 64, 33]);
    let mut random = Random::new(53);
    let begins: Vec<u32> = (0..bags).map(|b| b * 3 - b % 2).collect();
    let ids = random.ids(bags as usize * 3, 40);
    let tables: Vec<Vec<u8>> = dims.iter().map(|dim| bytemuck::cast_slice(&random.units(40 * dim)).to_vec()).collect();
    let request = || sums(IdSlice::U32(&ids), IdSlice::U32(&begins), false);
    let table = |i: usize| bag::table(RowFormat::Float32, &tables[i], 40, dims[i]).expect("sizes fit");
    let given: Vec<_> = (0..3).map(|i| (table(i), request())).collect();
    let mut wanted = vec![Vec::new(); bags as usize];
    for (i, dim) in dims.iter().enumerate() {
        let mut out = Guarded::new(bags as usize * dim * 4, 0, SENTRY);
        let into = (OutFormat::Float32, &mut out[..]);
        forward(dispatch::active(), table(i), request(), &mut Scratch::default(), into).expect("good ids");
        wanted.iter_mut().zip(out.chunks(dim * 4)).for_each(|(row, vector)| row.extend_from_slice(vector));
    }
    let wanted = wanted.concat();
    let mut out = Guarded::new(wanted.len(), 0, SENTRY);
    forward_beside(dispatch::active(), &given, &mut Vec::new(), (OutFormat::Float32, &mut out[..])).expect("good ids");
    assert!(out[..] == wanted[..]);

    let mut out = Guarded::new(wanted.len(), 0, SENTRY);
    let into = (OutFormat::Float32, &mut out[..]);
    assert!(forward_beside_in_blocks(dispatch::active(), &given, &|| true, into).expect("good ids"));
    out.assert_guards();
    assert!(out[..] == wanted[..]);

    // The first block is written, and no other.
    let calls = Cell::new(0);
    let once = || calls.replace(calls.get() + 1) == 0;
    let mut out = Guarded::new(wanted.len(), 0, SENTRY);
    let into = (OutFormat::Float32, &mut out[..]);
    assert!(!forward_beside_in_blocks(dispatch::active(), &given, &once, into).expect("good ids"));
    assert_eq!(calls.get(), 2);
    let written = out.iter().zip(&wanted).take_while(|(a, b)| a == b).count();
    assert!(0 < written && written < wanted.len());
    assert!(out[wanted.len() - 1..].iter().all(|&byte| byte == SENTRY));

    let short = sums(IdSlice::U32(&ids), IdSlice::U32(&begins[..9]), false);
    let uneven = [(table(0), request()), (table(1), short)];
    let mut out = Guarded::new(wanted.len(), 0, SENTRY);
    let failed = forward_beside_in_blocks(dispatch::active(), &uneven, &|| true, (OutFormat::Float32, &mut out[..]));
    assert!(matches!(failed, Err((1, Error::Shape(_)))), "{failed:?}");
    out.assert_untouched();
}
