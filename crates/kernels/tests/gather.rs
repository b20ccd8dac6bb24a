//! Gather: every instruction set has the bits of the naive loop.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use tokenbed_kernels::dispatch::{self, Kernels};
use tokenbed_kernels::ids::CheckedIds;
use tokenbed_kernels::rows::store::{STREAM_FROM_BYTES, Store};
use tokenbed_testkit::compare::assert_same_bits;
use tokenbed_testkit::naive;
use tokenbed_testkit::place::{Guarded, Placed};
use tokenbed_testkit::random::{AWKWARD, DIMS, Random};

const SENTRY: f32 = -12345.5;
const STORES: [Store; 2] = [Store::Cached, Store::Streaming];
const ROWS: usize = 5;
/// Repeated and unordered ids, with the last row and the first.
const IDS: [u32; 6] = [3, 0, 3, 4, 1, 4];

fn checked<'a>(kernels: Kernels, ids: &'a [u32], rows: usize) -> CheckedIds<'a> {
    CheckedIds::new(kernels, ids, rows).expect("ids of the test are good")
}

fn what(kernels: Kernels, store: Store, dim: usize, offsets: (usize, usize)) -> String {
    format!("{} {store:?} dim {dim} offsets {offsets:?}", kernels.isa().name())
}

/// Every offset of the output is combined with every offset of the table.
#[test]
fn every_dim_at_every_offset() {
    let mut random = Random::new(1);
    for dim in DIMS {
        let table = random.awkward(ROWS * dim);
        let copied = naive::gather(&table, dim, &IDS);
        for table_offset in 0..=16 {
            let table = Placed::new(&table, table_offset);
            for out_offset in 0..=16 {
                for (kernels, store) in dispatch::available().flat_map(|kernels| STORES.map(|store| (kernels, store))) {
                    let what = what(kernels, store, dim, (table_offset, out_offset));
                    let ids = checked(kernels, &IDS, ROWS);
                    let mut out = Guarded::new(copied.len(), out_offset, SENTRY);
                    kernels.gather_with(store, &table, dim, ids, &mut out);
                    out.assert_guards();
                    assert_same_bits(&out, &copied, &what);
                }
            }
        }
    }
}

/// Every special number is copied unchanged.
#[test]
fn copies_special_numbers_unchanged() {
    let numbers = AWKWARD.map(f32::from_bits);
    let n = numbers.len();
    // Row i of the table repeats the i-th number.
    let table: Vec<f32> = numbers.iter().flat_map(|&x| [x; AWKWARD.len()]).collect();
    let ids: Vec<u32> = (0..n as u32).collect();
    for kernels in dispatch::available() {
        for store in STORES {
            let what = what(kernels, store, n, (0, 0));
            let ids = checked(kernels, &ids, n);
            let mut out = vec![SENTRY; n * n];
            kernels.gather_with(store, &table, n, ids, &mut out);
            assert_same_bits(&out, &table, &what);
        }
    }
}

#[test]
fn any_number_of_ids() {
    let (dim, rows) = (19, 70);
    let mut random = Random::new(2);
    let table = random.awkward(rows * dim);
    for kernels in dispatch::available() {
        for len in (0..40).chain([63, 64, 65, 127, 128, 129, 1000]) {
            let ids = random.ids(len, rows);
            let mut out = Guarded::new(len * dim, 3, SENTRY);
            kernels.gather(&table, dim, checked(kernels, &ids, rows), &mut out);
            out.assert_guards();
            assert_same_bits(&out, &naive::gather(&table, dim, &ids), &len);
        }
        for id in [0, 7, 69] {
            let ids = [id; 37];
            let mut out = Guarded::new(37 * dim, 1, SENTRY);
            kernels.gather(&table, dim, checked(kernels, &ids, rows), &mut out);
            out.assert_guards();
            assert_same_bits(&out, &naive::gather(&table, dim, &ids), &id);
        }
    }
}

/// No ids, empty rows, and empty tables.
#[test]
fn accepts_empty_inputs() {
    for kernels in dispatch::available() {
        for store in STORES {
            kernels.gather_with(store, &[], 0, checked(kernels, &[0, 2, 1], 3), &mut []);
            kernels.gather_with(store, &[], 7, checked(kernels, &[], 0), &mut []);
            kernels.gather_with(store, &[1.0; 7], 7, checked(kernels, &[], 1), &mut []);
        }
    }
}

/// A result above the limit for streamed stores, by the ordinary methods.
#[test]
fn streams_large_results() {
    let (dim, rows) = (1023, 50);
    let len = STREAM_FROM_BYTES / (dim * 4) + 1;
    let mut random = Random::new(4);
    let table = random.units(rows * dim);
    let ids = random.ids(len, rows);
    let kernels = dispatch::active();
    let mut out = Guarded::new(len * dim, 4, SENTRY);
    assert_eq!(Store::for_bytes(size_of_val(&out[..])), Store::Streaming);
    kernels.gather(&table, dim, checked(kernels, &ids, rows), &mut out);
    out.assert_guards();
    let is_row = |(row, id): (&[f32], &u32)| row == &table[*id as usize * dim..][..dim];
    assert!(out.chunks_exact(dim).zip(&ids).all(is_row));
}

#[test]
fn stores_change_at_the_limit() {
    assert_eq!(Store::for_bytes(0), Store::Cached);
    assert_eq!(Store::for_bytes(STREAM_FROM_BYTES - 1), Store::Cached);
    assert_eq!(Store::for_bytes(STREAM_FROM_BYTES), Store::Streaming);
}

/// Runs a call with wrong sizes, which must panic with `expected` before it writes.
#[track_caller]
fn refuses(expected: &str, len: usize, call: impl Fn(Kernels, &mut [f32])) {
    for kernels in dispatch::available() {
        let mut out = Guarded::new(len, 0, SENTRY);
        let panic = catch_unwind(AssertUnwindSafe(|| call(kernels, &mut out))).expect_err("a bug passed");
        let message = panic.downcast_ref::<&str>().map(ToString::to_string);
        assert_eq!(message.as_deref(), Some(expected));
        out.assert_untouched();
    }
}

#[test]
fn rejects_wrong_sizes_before_any_write() {
    const DIM: usize = 8;
    let (table, ids) = ([1.0; 3 * DIM], [0u32, 2]);
    let gather = |table_len: usize, dim: usize, rows: usize| {
        move |kernels: Kernels, out: &mut [f32]| {
            kernels.gather(&table[..table_len], dim, checked(kernels, &ids, rows), out);
        }
    };
    refuses("gather: table too small", 2 * DIM, gather(3 * DIM - 1, DIM, 3));
    refuses("gather: table too small", 2 * DIM, gather(3 * DIM, DIM, 4));
    refuses("gather: table too small", 2 * DIM, gather(3 * DIM, usize::MAX, 3));
    refuses("gather: table too small", 2 * DIM, gather(3 * DIM, usize::MAX / 3 + 2, 3));
    refuses("gather: out of another size", 2 * DIM - 1, gather(3 * DIM, DIM, 3));
    refuses("gather: out of another size", 2 * DIM + 1, gather(3 * DIM, DIM, 3));
    refuses("gather: out of another size", 0, gather(3 * DIM, DIM, 3));
}
