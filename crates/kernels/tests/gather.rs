//! Gather and gather_add: every instruction set against the naive loop, to the bit.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use tokenbed_kernels::ids::CheckedIds;
use tokenbed_kernels::ops::gather_add::Positions;
use tokenbed_kernels::ops::{STREAM_FROM_BYTES, Store};
use tokenbed_kernels::table::{self, Kernels};
use tokenbed_testkit::compare::{assert_same_bits, assert_same_values};
use tokenbed_testkit::naive;
use tokenbed_testkit::place::{Guarded, Placed};
use tokenbed_testkit::random::{AWKWARD, DIMS, Random};

const SENTRY: f32 = -12345.5;
const STORES: [Store; 2] = [Store::Cached, Store::Streaming];
const ROWS: usize = 5;
/// Repeated, out of order, the last row and the first.
const IDS: [u32; 6] = [3, 0, 3, 4, 1, 4];
/// Another row of the added table for each.
const POSITIONS: [u32; 6] = [2, 2, 0, 1, 2, 0];
const ADDED_ROWS: usize = 3;

fn checked<'a>(kernels: &Kernels, ids: &'a [u32], rows: usize) -> CheckedIds<'a> {
    CheckedIds::new(kernels, ids, rows).expect("ids of the test are good")
}

fn what(kernels: &Kernels, store: Store, dim: usize, offsets: (usize, usize)) -> String {
    format!("{} {store:?} dim {dim} offsets {offsets:?}", kernels.isa().name())
}

/// Both ops, at every offset of the output against every offset of the tables.
#[test]
fn every_dim_at_every_offset() {
    let mut random = Random::new(1);
    for dim in DIMS {
        let (table, added) = (random.awkward(ROWS * dim), random.awkward(ADDED_ROWS * dim));
        let copied = naive::gather(&table, dim, &IDS);
        let summed = naive::gather_add(&table, &added, dim, &IDS, &POSITIONS);
        for table_offset in 0..=16 {
            let table = Placed::new(&table, table_offset);
            let added = Placed::new(&added, 16 - table_offset);
            for out_offset in 0..=16 {
                for (kernels, store) in table::available().flat_map(|kernels| STORES.map(|store| (kernels, store))) {
                    let what = what(kernels, store, dim, (table_offset, out_offset));
                    let ids = checked(kernels, &IDS, ROWS);
                    let mut out = Guarded::new(copied.len(), out_offset, SENTRY);
                    kernels.gather_with(store, &table, dim, ids, &mut out);
                    out.assert_guards();
                    assert_same_bits(&out, &copied, &what);
                    let positions = Positions::Explicit(checked(kernels, &POSITIONS, ADDED_ROWS));
                    kernels.gather_add_with(store, &table, &added, dim, ids, positions, &mut out);
                    out.assert_guards();
                    assert_same_values(&out, &summed, &what);
                }
            }
        }
    }
}

/// Every awkward number is copied as it is, and added to every other.
#[test]
fn awkward_numbers() {
    let numbers = AWKWARD.map(f32::from_bits);
    let n = numbers.len();
    // Row i of the table is the i-th number, over and over; the added row is all of them.
    let table: Vec<f32> = numbers.iter().flat_map(|&x| [x; AWKWARD.len()]).collect();
    let ids: Vec<u32> = (0..n as u32).collect();
    for kernels in table::available() {
        for store in STORES {
            let what = what(kernels, store, n, (0, 0));
            let ids = checked(kernels, &ids, n);
            let mut out = vec![SENTRY; n * n];
            kernels.gather_with(store, &table, n, ids, &mut out);
            assert_same_bits(&out, &table, &what);
            let once = Positions::Cyclic { offset: 0, length: 1 };
            kernels.gather_add_with(store, &table, &numbers, n, ids, once, &mut out);
            let wanted: Vec<f32> = numbers.iter().flat_map(|a| numbers.map(|b| a + b)).collect();
            assert_same_values(&out, &wanted, &what);
        }
    }
}

#[test]
fn any_number_of_ids() {
    let (dim, rows) = (19, 70);
    let mut random = Random::new(2);
    let table = random.awkward(rows * dim);
    for kernels in table::available() {
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

#[test]
fn positions_in_cycles() {
    let (dim, rows, positions) = (17, 11, 12);
    let mut random = Random::new(3);
    let (table, added) = (random.units(rows * dim), random.units(positions * dim));
    for kernels in table::available() {
        for len in [0, 1, 2, 5, 12, 24, 31] {
            let ids = random.ids(len, rows);
            for (offset, length) in [(0, 1), (11, 1), (0, 12), (5, 7), (0, 5), (3, 5), (10, 2), (0, len.clamp(1, 12))] {
                // A last cycle that is cut short is the kernel's business; whole ones only are the layer's.
                let at: Vec<u32> = (0..len).map(|i| (offset + i % length) as u32).collect();
                let wanted = naive::gather_add(&table, &added, dim, &ids, &at);
                for store in STORES {
                    let mut out = Guarded::new(len * dim, 5, SENTRY);
                    let cycle = Positions::Cyclic { offset, length };
                    let ids = checked(kernels, &ids, rows);
                    kernels.gather_add_with(store, &table, &added, dim, ids, cycle, &mut out);
                    out.assert_guards();
                    assert_same_bits(&out, &wanted, &format!("{} {offset} {length} {len}", kernels.isa().name()));
                }
            }
        }
    }
}

/// No ids, rows of nothing, tables of nothing.
#[test]
fn nothing() {
    for kernels in table::available() {
        for store in STORES {
            kernels.gather_with(store, &[], 0, checked(kernels, &[0, 2, 1], 3), &mut []);
            kernels.gather_with(store, &[], 7, checked(kernels, &[], 0), &mut []);
            kernels.gather_with(store, &[1.0; 7], 7, checked(kernels, &[], 1), &mut []);
            let none = checked(kernels, &[], 0);
            for positions in [
                Positions::Cyclic { offset: 0, length: 0 },
                Positions::Explicit(none),
                Positions::Cyclic { offset: 1, length: 0 },
            ] {
                kernels.gather_add_with(store, &[], &[0.0; 7], 7, none, positions, &mut []);
            }
            let three = checked(kernels, &[0, 2, 1], 3);
            let cycle = Positions::Cyclic { offset: usize::MAX - 2, length: 2 };
            kernels.gather_add_with(store, &[], &[], 0, three, cycle, &mut []);
        }
    }
}

/// A result beyond the limit from which stores are streamed, by the ordinary methods.
#[test]
fn a_result_that_is_streamed() {
    let (dim, rows) = (1023, 50);
    let len = STREAM_FROM_BYTES / (dim * 4) + 1;
    let mut random = Random::new(4);
    let (table, added) = (random.units(rows * dim), random.units(7 * dim));
    let ids = random.ids(len, rows);
    let kernels = table::active();
    let mut out = Guarded::new(len * dim, 4, SENTRY);
    assert_eq!(Store::for_bytes(size_of_val(&out[..])), Store::Streaming);
    kernels.gather(&table, dim, checked(kernels, &ids, rows), &mut out);
    out.assert_guards();
    let is_row = |(row, id): (&[f32], &u32)| row == &table[*id as usize * dim..][..dim];
    assert!(out.chunks_exact(dim).zip(&ids).all(is_row));
    let cycle = Positions::Cyclic { offset: 2, length: 5 };
    kernels.gather_add(&table, &added, dim, checked(kernels, &ids, rows), cycle, &mut out);
    out.assert_guards();
    let is_sum = |(i, (row, id)): (usize, (&[f32], &u32))| {
        let (token, position) = (&table[*id as usize * dim..], &added[(2 + i % 5) * dim..]);
        row.iter().zip(token).zip(position).all(|((out, a), b)| *out == a + b)
    };
    assert!(out.chunks_exact(dim).zip(&ids).enumerate().all(is_sum));
}

#[test]
fn stores_change_at_the_limit() {
    assert_eq!(Store::for_bytes(0), Store::Cached);
    assert_eq!(Store::for_bytes(STREAM_FROM_BYTES - 1), Store::Cached);
    assert_eq!(Store::for_bytes(STREAM_FROM_BYTES), Store::Streaming);
}

/// Runs a call whose sizes are wrong: it panics with `expected`, and before it writes.
#[track_caller]
fn refuses(expected: &str, len: usize, call: impl Fn(&'static Kernels, &mut [f32])) {
    for kernels in table::available() {
        let mut out = Guarded::new(len, 0, SENTRY);
        let panic = catch_unwind(AssertUnwindSafe(|| call(kernels, &mut out))).expect_err("a bug passed");
        let message = panic.downcast_ref::<&str>().map(ToString::to_string);
        assert_eq!(message.as_deref(), Some(expected));
        out.assert_untouched();
    }
}

#[test]
fn wrong_sizes_are_refused_before_any_write() {
    const DIM: usize = 8;
    let (table, ids) = ([1.0; 3 * DIM], [0u32, 2]);
    let gather = |table_len: usize, dim: usize, rows: usize| {
        move |kernels: &'static Kernels, out: &mut [f32]| {
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

    let add = |table_len: usize, added_len: usize, offset: usize, length: usize| {
        move |kernels: &'static Kernels, out: &mut [f32]| {
            let cycle = Positions::Cyclic { offset, length };
            let ids = checked(kernels, &ids, 3);
            kernels.gather_add(&table[..table_len], &table[..added_len], DIM, ids, cycle, out);
        }
    };
    refuses("gather_add: table too small", 2 * DIM, add(3 * DIM - 1, 3 * DIM, 0, 1));
    refuses("gather_add: out of another size", 2 * DIM + 1, add(3 * DIM, 3 * DIM, 0, 1));
    refuses("gather_add: added too small", 2 * DIM, add(3 * DIM, 3 * DIM - 1, 0, 3));
    refuses("gather_add: added too small", 2 * DIM, add(3 * DIM, 3 * DIM, 2, 2));
    refuses("gather_add: added too small", 2 * DIM, add(3 * DIM, 3 * DIM, usize::MAX, 1));
    refuses("gather_add: added too small", 2 * DIM, add(3 * DIM, 3 * DIM, usize::MAX, 2));
    refuses("gather_add: added too small", 2 * DIM, add(3 * DIM, 3 * DIM, usize::MAX / DIM + 1, 1));
    refuses("gather_add: ids, but no positions", 2 * DIM, add(3 * DIM, 3 * DIM, 0, 0));

    let explicit = |positions: &'static [u32], rows: usize| {
        move |kernels: &'static Kernels, out: &mut [f32]| {
            let positions = Positions::Explicit(checked(kernels, positions, rows));
            kernels.gather_add(&table, &table, DIM, checked(kernels, &ids, 3), positions, out);
        }
    };
    refuses("gather_add: added too small", 2 * DIM, explicit(&[0, 3], 4));
    refuses("gather_add: positions of another length", 2 * DIM, explicit(&[0], 3));
    refuses("gather_add: positions of another length", 2 * DIM, explicit(&[0, 1, 2], 3));
    refuses("gather_add: positions of another length", 2 * DIM, explicit(&[], 3));
}
