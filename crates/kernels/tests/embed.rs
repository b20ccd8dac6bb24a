//! The input layer: every instruction set has the bits of naive loops and of the scalar reference, and its
//! normalization agrees with f64.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use tokenbed_kernels::dispatch::{self, Kernels};
use tokenbed_kernels::ids::CheckedIds;
use tokenbed_kernels::ops::lookup::embed::Embed;
use tokenbed_kernels::ops::lookup::layer_norm::Norm;
use tokenbed_kernels::rows::added::{Added, Along};
use tokenbed_kernels::rows::store::{STREAM_FROM_BYTES, Store};
use tokenbed_testkit::compare::{assert_same_bits, assert_same_values, layer_norm_f32};
use tokenbed_testkit::naive;
use tokenbed_testkit::place::{Guarded, Placed};
use tokenbed_testkit::random::{AWKWARD, DIMS, Random};

const SENTRY: f32 = -12345.5;
const STORES: [Store; 2] = [Store::Cached, Store::Streaming];
const ROWS: usize = 5;
/// Repeated and unordered ids, with the last row and the first.
const IDS: [u32; 6] = [3, 0, 3, 4, 1, 4];
/// The rows of the added tables for each id.
const POSITIONS: [u32; 6] = [2, 2, 0, 1, 2, 0];
const SEGMENTS: [u32; 6] = [0, 1, 1, 0, 0, 1];
const ADDED_ROWS: usize = 3;
const EPS: f64 = 1e-12;

fn checked<'a>(kernels: Kernels, ids: &'a [u32], rows: usize) -> CheckedIds<'a> {
    CheckedIds::new(kernels, ids, rows).expect("ids of the test are good")
}

fn scalar() -> Kernels {
    dispatch::available().next().expect("the scalar one is everywhere")
}

fn what(kernels: Kernels, store: Store, dim: usize, more: impl std::fmt::Debug) -> String {
    format!("{} {store:?} dim {dim} {more:?}", kernels.isa().name())
}

/// The tables, and which parts of the op are used.
struct Case<'a> {
    tables: [&'a [f32]; 4],
    dim: usize,
    scale: f32,
    added: usize,
    normed: bool,
}

impl<'a> Case<'a> {
    fn op(&self, kernels: Kernels) -> Embed<'a> {
        let [table, added, weight, bias] = self.tables;
        let more = |rows| Added { table: added, along: Along::Each(checked(kernels, rows, ADDED_ROWS)) };
        let (segments, positions): (Added<'a>, Added<'a>) = (more(&SEGMENTS), more(&POSITIONS));
        Embed {
            table,
            dim: self.dim,
            ids: checked(kernels, &IDS, ROWS),
            scale: self.scale,
            added: [[None, None], [Some(positions), None], [Some(segments), Some(positions)]][self.added],
            norm: self.normed.then_some(Norm { weight, bias, eps: EPS }),
        }
    }

    /// The rows before they are normalized, computed step by step.
    fn naive(&self) -> Vec<f32> {
        let [table, added, ..] = self.tables;
        let mut rows: Vec<f32> = naive::gather(table, self.dim, &IDS);
        if self.scale != 1.0 {
            rows.iter_mut().for_each(|x| *x *= self.scale);
        }
        let lists = [SEGMENTS, POSITIONS];
        for list in &lists[2 - self.added..] {
            rows.iter_mut().zip(naive::gather(added, self.dim, list)).for_each(|(x, more)| *x += more);
        }
        rows
    }
}

/// All parts of the op, at every offset of the output and of the tables.
#[test]
fn every_dim_at_every_offset() {
    let mut random = Random::new(1);
    for dim in DIMS {
        for awkward in [false, true] {
            let mut draw = |len| if awkward { random.awkward(len) } else { random.units(len) };
            let tables = [draw(ROWS * dim), draw(ADDED_ROWS * dim), draw(dim), draw(dim)];
            for offset in (0..=16).step_by(if dim > 200 { 5 } else { 1 }) {
                let placed: [Placed<f32>; 4] = std::array::from_fn(|i| Placed::new(&tables[i], offset * (i + 1) % 17));
                for (scale, added, normed) in
                    [1.0, 27.7].iter().flat_map(|&s| (0..3).flat_map(move |a| [false, true].map(|n| (s, a, n))))
                {
                    let case = Case { tables: placed.each_ref().map(|x| &x[..]), dim, scale, added, normed };
                    let mut wanted = vec![SENTRY; IDS.len() * dim];
                    scalar().embed_with(Store::Cached, &case.op(scalar()), &mut wanted);
                    if !normed {
                        assert_same_values(&wanted, &case.naive(), &what(scalar(), Store::Cached, dim, (scale, added)));
                    }
                    for (kernels, store) in
                        dispatch::available().flat_map(|kernels| STORES.map(|store| (kernels, store)))
                    {
                        let mut out = Guarded::new(IDS.len() * dim, 16 - offset, SENTRY);
                        kernels.embed_with(store, &case.op(kernels), &mut out);
                        out.assert_guards();
                        assert_same_values(&out, &wanted, &what(kernels, store, dim, (scale, added, normed, offset)));
                    }
                }
            }
        }
    }
}

/// Every special number is added to every other.
#[test]
fn adds_special_numbers() {
    let numbers = AWKWARD.map(f32::from_bits);
    let n = numbers.len();
    let table: Vec<f32> = numbers.iter().flat_map(|&x| [x; AWKWARD.len()]).collect();
    let ids: Vec<u32> = (0..n as u32).collect();
    let wanted: Vec<f32> = numbers.iter().flat_map(|a| numbers.map(|b| a + b)).collect();
    let scaled: Vec<f32> = numbers.iter().flat_map(|a| [a * 3.0; AWKWARD.len()]).collect();
    for (kernels, store) in dispatch::available().flat_map(|kernels| STORES.map(|store| (kernels, store))) {
        let what = what(kernels, store, n, "awkward");
        let once = Added { table: &numbers, along: Along::Cycle { offset: 0, length: 1, first: 0 } };
        let ids = checked(kernels, &ids, n);
        let op = Embed { table: &table, dim: n, ids, scale: 1.0, added: [Some(once), None], norm: None };
        let mut out = vec![SENTRY; n * n];
        kernels.embed_with(store, &op, &mut out);
        assert_same_values(&out, &wanted, &what);
        kernels.embed_with(store, &Embed { scale: 3.0, added: [None, None], ..op }, &mut out);
        assert_same_values(&out, &scaled, &what);
    }
}

/// The whole, and parts that begin anywhere.
#[test]
fn adds_rows_in_cycles() {
    let (dim, rows, positions) = (17, 11, 12);
    let mut random = Random::new(3);
    let (table, added) = (random.units(rows * dim), random.units(positions * dim));
    for kernels in dispatch::available() {
        for len in [0, 1, 2, 5, 12, 24, 31] {
            let ids = random.ids(len, rows);
            for (offset, length) in [(0, 1), (11, 1), (0, 12), (5, 7), (0, 5), (3, 5), (10, 2), (0, len.clamp(1, 12))] {
                for first in [0, 1, length - 1, 3 * length + 1] {
                    // The kernel may cut a cycle short; the layer only has whole ones.
                    let at: Vec<u32> = (0..len).map(|i| (offset + (first + i) % length) as u32).collect();
                    let wanted = naive::gather_add(&table, &added, dim, &ids, &at);
                    let cycle = Added { table: &added, along: Along::Cycle { offset, length, first } };
                    let ids = checked(kernels, &ids, rows);
                    let op = Embed { table: &table, dim, ids, scale: 1.0, added: [Some(cycle), None], norm: None };
                    let what = what(kernels, Store::Cached, dim, (offset, length, first, len));
                    for store in STORES {
                        let mut out = Guarded::new(len * dim, 5, SENTRY);
                        kernels.embed_with(store, &op, &mut out);
                        out.assert_guards();
                        assert_same_bits(&out, &wanted, &what);
                    }
                    let mut out = Guarded::new(len * dim, 5, SENTRY);
                    let middle = random.below(len + 1);
                    kernels.embed(&op.part(0..middle), &mut out[..middle * dim]);
                    kernels.embed(&op.part(middle..len), &mut out[middle * dim..]);
                    out.assert_guards();
                    assert_same_bits(&out, &wanted, &what);
                }
            }
        }
    }
}

/// The normalization is within the tolerance of f64, also for rows far from zero and nearly constant rows.
#[test]
fn normalization_agrees_with_f64() {
    let mut random = Random::new(5);
    for dim in DIMS.into_iter().chain([2, 5, 12, 384, 1023, 1024, 1025, 4096, 12288]) {
        for (mean, spread) in [(0.0, 1.0), (5.0, 0.02), (-1000.0, 1.0), (1e4, 1e-1), (0.0, 1e-3), (1e-6, 1e6)] {
            let row: Vec<f32> = (0..dim).map(|_| (mean + spread * random.unit()) as f32).collect();
            let (weight, bias) = (random.units(dim), random.units(dim));
            for eps in [1e-12, 1e-5] {
                let wanted = naive::layer_norm(&row, &weight, &bias, eps);
                for kernels in dispatch::available() {
                    let norm = Norm { weight: &weight, bias: &bias, eps };
                    let ids = checked(kernels, &[0], 1);
                    let op = Embed { table: &row, dim, ids, scale: 1.0, added: [None, None], norm: Some(norm) };
                    let mut out = Guarded::new(dim, 3, SENTRY);
                    kernels.embed(&op, &mut out);
                    out.assert_guards();
                    for (i, (&ours, &wanted)) in out.iter().zip(&wanted).enumerate() {
                        let most = layer_norm_f32(wanted, weight[i], bias[i]);
                        let what = what(kernels, Store::Cached, dim, (mean, spread, eps));
                        assert!((f64::from(ours) - wanted).abs() <= most, "{what}: {ours} is not {wanted} to {most}");
                    }
                }
            }
        }
    }
}

/// A constant row gives the bias; a row with NaN or infinity gives NaN.
#[test]
fn constant_and_non_finite_rows() {
    let bias = [0.5, -1.0, 2.0];
    for kernels in dispatch::available() {
        let normalize = |row: &[f32; 3], eps| {
            let norm = Norm { weight: &[2.0; 3], bias: &bias, eps };
            let ids = checked(kernels, &[0], 1);
            let mut out = [SENTRY; 3];
            kernels
                .embed(&Embed { table: row, dim: 3, ids, scale: 1.0, added: [None, None], norm: Some(norm) }, &mut out);
            out
        };
        for x in [0.0, 7.25, -1e30, 3e-39, 0.1] {
            assert_eq!(normalize(&[x; 3], 1e-5), bias, "{x}");
        }
        for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(normalize(&[x, 0.0, 1.0], 1e-5).iter().all(|y| y.is_nan()), "{x}");
        }
        // As in PyTorch: zero divided by zero.
        assert!(normalize(&[7.0; 3], 0.0).iter().all(|y| y.is_nan()));
    }
}

/// No ids, empty rows, and empty tables.
#[test]
fn accepts_empty_inputs() {
    for (kernels, store) in dispatch::available().flat_map(|kernels| STORES.map(|store| (kernels, store))) {
        let none = checked(kernels, &[], 0);
        let norm = Some(Norm { weight: &[1.0; 7], bias: &[1.0; 7], eps: EPS });
        for along in [
            Along::Cycle { offset: 0, length: 0, first: 0 },
            Along::Each(none),
            Along::Cycle { offset: 1, length: 0, first: 3 },
        ] {
            let added = [Some(Added { table: &[0.0; 7], along }), None];
            let op = Embed { table: &[], dim: 7, ids: none, scale: 2.0, added, norm };
            kernels.embed_with(store, &op, &mut []);
            kernels.embed_with(store, &op.part(0..0), &mut []);
        }
        let three = checked(kernels, &[0, 2, 1], 3);
        let along = Along::Cycle { offset: usize::MAX - 2, length: 2, first: usize::MAX };
        let added = [Some(Added { table: &[], along }), None];
        let norm = Some(Norm { weight: &[], bias: &[], eps: EPS });
        kernels.embed_with(store, &Embed { table: &[], dim: 0, ids: three, scale: 1.0, added, norm }, &mut []);
    }
}

/// A result above the limit for streamed stores, by the ordinary method.
#[test]
fn streams_large_results() {
    let (dim, rows) = (1023, 50);
    let len = STREAM_FROM_BYTES / (dim * 4) + 1;
    let mut random = Random::new(4);
    let (table, added) = (random.units(rows * dim), random.units(7 * dim));
    let ids = random.ids(len, rows);
    let kernels = dispatch::active();
    let cycle = Added { table: &added, along: Along::Cycle { offset: 2, length: 5, first: 0 } };
    let ids_of = checked(kernels, &ids, rows);
    let op = Embed { table: &table, dim, ids: ids_of, scale: 1.0, added: [Some(cycle), None], norm: None };
    let mut out = Guarded::new(len * dim, 4, SENTRY);
    kernels.embed(&op, &mut out);
    out.assert_guards();
    let is_sum = |(i, (row, id)): (usize, (&[f32], &u32))| {
        let (token, position) = (&table[*id as usize * dim..], &added[(2 + i % 5) * dim..]);
        row.iter().zip(token).zip(position).all(|((out, a), b)| *out == a + b)
    };
    assert!(out.chunks_exact(dim).zip(&ids).enumerate().all(is_sum));
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
    let embed = |table_len: usize, added: [Option<(usize, Along<'static>)>; 2], norm: Option<(usize, usize)>| {
        move |kernels: Kernels, out: &mut [f32]| {
            let added = added.map(|added| added.map(|(len, along)| Added { table: &table[..len], along }));
            let norm = norm.map(|(w, b)| Norm { weight: &table[..w], bias: &table[..b], eps: EPS });
            let ids = checked(kernels, &ids, 3);
            kernels.embed(&Embed { table: &table[..table_len], dim: DIM, ids, scale: 1.0, added, norm }, out);
        }
    };
    let cycle = |len: usize, offset: usize, length: usize| Some((len, Along::Cycle { offset, length, first: 0 }));
    let (full, good) = (3 * DIM, cycle(3 * DIM, 0, 1));
    refuses("embed: table too small", 2 * DIM, embed(full - 1, [good, None], None));
    refuses("embed: out of another size", 2 * DIM + 1, embed(full, [good, None], None));
    refuses("embed: out of another size", 0, embed(full, [None, None], None));
    refuses("embed: added behind nothing", 2 * DIM, embed(full, [None, good], None));
    for second in [false, true] {
        let place = |added| if second { [good, added] } else { [added, None] };
        for (len, offset, length) in [
            (full - 1, 0, 3),
            (full, 2, 2),
            (full, usize::MAX, 1),
            (full, usize::MAX, 2),
            (full, usize::MAX / DIM + 1, 1),
        ] {
            refuses("embed: added too small", 2 * DIM, embed(full, place(cycle(len, offset, length)), None));
        }
        refuses("embed: ids, but no rows to add", 2 * DIM, embed(full, place(cycle(full, 0, 0)), None));
        let each = |ids: &'static [u32], rows| Some((full, Along::Each(checked(scalar(), ids, rows))));
        refuses("embed: added too small", 2 * DIM, embed(full, place(each(&[0, 3], 4)), None));
        for other in [&[0][..], &[0, 1, 2], &[]] {
            refuses("embed: rows to add for other ids", 2 * DIM, embed(full, place(each(other, 3)), None));
        }
    }
    for norm in [(DIM - 1, DIM), (DIM, DIM + 1), (0, DIM)] {
        refuses("embed: norm of another size", 2 * DIM, embed(full, [good, None], Some(norm)));
    }
}
