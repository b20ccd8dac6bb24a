//! Bags and rows of every layout: every instruction set has the bits of the definition, and the definition agrees with
//! a loop in f64.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use proptest::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tokenbed_kernels::dispatch::{self, Kernels};
use tokenbed_kernels::half::{bf16_to_f32, f16_to_f32, f32_to_bf16, f32_to_f16};
use tokenbed_kernels::ids::CheckedIds;
use tokenbed_kernels::isa::Isa;
use tokenbed_kernels::ops::lookup::bag::{Bag, Bags, Mode};
use tokenbed_kernels::ops::lookup::quantize::quantize_row;
use tokenbed_kernels::rows::format::{OutFormat, RowFormat, RowTable};
use tokenbed_kernels::rows::store::Store;
use tokenbed_testkit::compare::reduction_f32;
use tokenbed_testkit::place::{Guarded, Placed};
use tokenbed_testkit::property;
use tokenbed_testkit::random::{DIMS, Random};

const SENTRY: u8 = 0xa5;
const ROWS: usize = 7;
/// Bags of one id, of many and of none, with repeated rows, the first row and the last.
const IDS: [u32; 19] = [3, 0, 6, 6, 1, 2, 3, 4, 5, 0, 1, 1, 1, 1, 6, 2, 0, 4, 5];
const OFFSETS: [usize; 8] = [0, 0, 1, 4, 13, 13, 18, 19];

fn scalar() -> Kernels {
    dispatch::available().find(|kernels| kernels.isa() == Isa::Scalar).unwrap()
}

fn others() -> impl Iterator<Item = Kernels> {
    dispatch::available().filter(|kernels| kernels.isa() != Isa::Scalar)
}

/// Rows of a layout with these values, as closely as it can hold them.
fn packed(format: RowFormat, values: &[f32], dim: usize) -> Vec<u8> {
    values.chunks(dim).flat_map(|row| packed_row(format, row)).collect()
}

fn packed_row(format: RowFormat, row: &[f32]) -> Vec<u8> {
    let halves = |of: fn(f32) -> u16| row.iter().flat_map(|&x| of(x).to_le_bytes()).collect();
    match format {
        RowFormat::Float32 => row.iter().flat_map(|x| x.to_le_bytes()).collect(),
        RowFormat::Float16 => halves(f32_to_f16),
        RowFormat::BFloat16 => halves(f32_to_bf16),
        RowFormat::Int8 | RowFormat::Int4 | RowFormat::Int2 | RowFormat::Float8 | RowFormat::Blocks(_) => {
            let mut bytes = vec![0; format.row_bytes(row.len()).unwrap()];
            quantize_row(format, row, &mut bytes).expect("finite numbers");
            bytes
        }
    }
}

fn elements(format: OutFormat, bytes: &[u8]) -> Vec<f32> {
    let half = |bytes: &[u8]| u16::from_le_bytes([bytes[0], bytes[1]]);
    match format {
        OutFormat::Float32 => bytes.chunks(4).map(|x| f32::from_le_bytes(x.try_into().unwrap())).collect(),
        OutFormat::Float16 => bytes.chunks(2).map(|x| f16_to_f32(half(x))).collect(),
        OutFormat::BFloat16 => bytes.chunks(2).map(|x| bf16_to_f32(half(x))).collect(),
    }
}

/// Asserts the same bits, except that all NaN count as equal: IEEE leaves open which of two NaN a sum keeps.
#[track_caller]
fn same(format: OutFormat, ours: &[u8], wanted: &[u8], what: &str) {
    if ours == wanted {
        return;
    }
    let (ours, wanted) = (elements(format, ours), elements(format, wanted));
    for (at, (a, b)) in ours.iter().zip(&wanted).enumerate() {
        assert!(a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(), "{what}: {a:?} is not {b:?} at {at}");
    }
}

/// The results of bags on these kernels, written between sentries to memory that starts `offset` bytes after a cache
/// line.
fn run(kernels: Kernels, bag: &Bag<'_>, bags: usize, format: OutFormat, offset: usize) -> Vec<u8> {
    let mut out = Guarded::new(bags * bag.table.dim() * format.size(), offset, SENTRY);
    kernels.bag(bag, 0..bags, format, &mut out);
    out.assert_guards();
    out.to_vec()
}

fn gathered(kernels: Kernels, table: RowTable<'_>, ids: &[u32], format: OutFormat, offset: usize) -> Vec<u8> {
    let ids = CheckedIds::new(kernels, ids, table.rows()).unwrap();
    let mut out = Guarded::new(ids.ids().len() * table.dim() * format.size(), offset, SENTRY);
    kernels.gather_rows(table, ids, format, &mut out);
    out.assert_guards();
    let mut streamed = Guarded::new(out.len(), offset, SENTRY);
    kernels.gather_rows_with(Store::Streaming, table, ids, format, &mut streamed);
    streamed.assert_guards();
    assert!(streamed[..] == out[..], "{:?}: {:?} to {format:?}, streamed", kernels.isa(), table.format());
    out.to_vec()
}

/// Arbitrary bytes, among them NaN, infinite and subnormal elements, scales and biases.
fn any_bytes(random: &mut Random, format: RowFormat, dim: usize) -> Vec<u8> {
    if format == RowFormat::Float32 {
        return random.awkward(ROWS * dim).iter().flat_map(|x| x.to_le_bytes()).collect();
    }
    (0..ROWS * format.row_bytes(dim).unwrap()).map(|_| random.bits() as u8).collect()
}

#[test]
fn every_layout_at_every_dim_and_offset() {
    let mut random = Random::new(41);
    let weights = random.units(IDS.len());
    for dim in DIMS.into_iter().chain([2, 4, 5, 24, 32, 100, 127, 300, 384, 385, 769]) {
        for format in RowFormat::ALL {
            let tables = [any_bytes(&mut random, format, dim), packed(format, &random.units(ROWS * dim), dim)];
            for (n, bytes) in tables.iter().enumerate() {
                let table_offset = (dim * 7 + n) % 64;
                let placed = Placed::new(bytes, table_offset);
                let table = RowTable::new(format, &placed, ROWS, dim).unwrap();
                for kernels in others() {
                    every_mode(kernels, table, &weights, (dim + table_offset) % 61);
                }
            }
        }
    }
}

fn every_mode(kernels: Kernels, table: RowTable<'_>, weights: &[f32], offset: usize) {
    let ids = CheckedIds::new(kernels, &IDS, ROWS).unwrap();
    for out_format in OutFormat::ALL {
        let what = format!("{} {:?} dim {} to {out_format:?}", kernels.isa().name(), table.format(), table.dim());
        let [ours, defined] = [kernels, scalar()].map(|kernels| gathered(kernels, table, &IDS, out_format, offset));
        same(out_format, &ours, &defined, &what);
        for mode in Mode::ALL {
            for (weights, padding) in [(None, None), (None, Some(1)), (Some(weights), None), (Some(weights), Some(3))] {
                if mode != Mode::Sum && weights.is_some() {
                    continue;
                }
                for (bags, count) in
                    [(Bags::Ragged(&OFFSETS), OFFSETS.len() - 1), (Bags::Even(3), 6), (Bags::Even(1), 19)]
                {
                    let bag = Bag { table, ids, bags, weights, padding, mode };
                    let [ours, defined] =
                        [kernels, scalar()].map(|kernels| run(kernels, &bag, count, out_format, offset));
                    same(out_format, &ours, &defined, &format!("{what} {mode:?} {bags:?} {padding:?}"));
                }
            }
        }
    }
}

/// The definition agrees with the formula in f64.
#[test]
fn the_definition_agrees_with_f64() {
    let mut random = Random::new(42);
    for format in RowFormat::ALL {
        for dim in [1, 7, 16, 85] {
            let bytes = packed(format, &random.units(ROWS * dim), dim);
            let table = RowTable::new(format, &bytes, ROWS, dim).unwrap();
            let all: Vec<u32> = (0..ROWS as u32).collect();
            let values = elements(OutFormat::Float32, &gathered(scalar(), table, &all, OutFormat::Float32, 0));
            let weights = random.units(IDS.len());
            for (mode, weights, padding) in [
                (Mode::Sum, None, None),
                (Mode::Sum, Some(&weights[..]), Some(6)),
                (Mode::Mean, None, Some(1)),
                (Mode::Max, None, Some(0)),
            ] {
                let ids = CheckedIds::new(scalar(), &IDS, ROWS).unwrap();
                let bag = Bag { table, ids, bags: Bags::Ragged(&OFFSETS), weights, padding, mode };
                let ours = elements(OutFormat::Float32, &run(scalar(), &bag, 7, OutFormat::Float32, 0));
                for (at, &ours) in ours.iter().enumerate() {
                    let (b, d) = (at / dim, at % dim);
                    let members: Vec<usize> =
                        (OFFSETS[b]..OFFSETS[b + 1]).filter(|&i| Some(IDS[i]) != padding).collect();
                    let value = |i: usize| f64::from(values[IDS[i] as usize * dim + d]);
                    let term = |i: usize| value(i) * weights.map_or(1.0, |weights| f64::from(weights[i]));
                    let sum: f64 = members.iter().map(|&i| term(i)).sum();
                    let wanted = match mode {
                        Mode::Sum => sum,
                        Mode::Mean => sum / members.len().max(1) as f64,
                        Mode::Max => members.iter().map(|&i| value(i)).reduce(f64::max).unwrap_or(0.0),
                    };
                    // Elements and biases are each at most 2 apart, and both are summed.
                    let allowed = if mode == Mode::Max {
                        0.0
                    } else {
                        reduction_f32(members.len() * 2, 4.0 * members.len() as f64)
                    };
                    let difference = (f64::from(ours) - wanted).abs();
                    assert!(difference <= allowed, "{format:?} {mode:?} {ours} {wanted} at {at}");
                }
            }
        }
    }
}

/// A bag of one row equals that row, but that sums begin at zero, so that a negative zero loses its sign.
#[test]
fn a_bag_of_one_row_equals_a_lookup() {
    let mut random = Random::new(43);
    for format in RowFormat::ALL {
        for dim in [5, 64, 163] {
            let bytes = packed(format, &random.units(ROWS * dim), dim);
            let table = RowTable::new(format, &bytes, ROWS, dim).unwrap();
            for kernels in dispatch::available() {
                let ids = CheckedIds::new(kernels, &IDS, ROWS).unwrap();
                for mode in Mode::ALL {
                    let bag = Bag { table, ids, bags: Bags::Even(1), weights: None, padding: None, mode };
                    let ours = run(kernels, &bag, IDS.len(), OutFormat::Float32, 0);
                    let row = gathered(kernels, table, &IDS, OutFormat::Float32, 0);
                    let zero = if mode == Mode::Max { -0.0 } else { 0.0 };
                    let summed = |x: f32| if x == 0.0 { x + zero } else { x };
                    let wanted = elements(OutFormat::Float32, &row).into_iter().map(summed);
                    let wanted: Vec<u8> = wanted.flat_map(f32::to_le_bytes).collect();
                    same(OutFormat::Float32, &ours, &wanted, "one");
                }
            }
        }
    }
}

/// The results of a range of bags, as threads compute them, are a part of those of all bags.
#[test]
fn a_range_of_bags_equals_a_part_of_all() {
    let dim = 33;
    let bytes = packed(RowFormat::Int4, &Random::new(44).units(ROWS * dim), dim);
    let table = RowTable::new(RowFormat::Int4, &bytes, ROWS, dim).unwrap();
    for kernels in dispatch::available() {
        let ids = CheckedIds::new(kernels, &IDS, ROWS).unwrap();
        for (bags, count) in [(Bags::Ragged(&OFFSETS), 7), (Bags::Even(4), 4), (Bags::Even(0), 5)] {
            let bag = Bag { table, ids, bags, weights: None, padding: Some(6), mode: Mode::Mean };
            let all = run(kernels, &bag, count, OutFormat::BFloat16, 0);
            for start in 0..=count {
                for end in start..=count {
                    let mut out = Guarded::new((end - start) * dim * 2, 1, SENTRY);
                    kernels.bag(&bag, start..end, OutFormat::BFloat16, &mut out);
                    out.assert_guards();
                    assert_eq!(out[..], all[start * dim * 2..end * dim * 2]);
                }
            }
        }
    }
}

#[test]
fn accepts_empty_inputs() {
    for kernels in dispatch::available() {
        for format in RowFormat::ALL {
            let none = RowTable::new(format, &[], 0, 40).unwrap();
            let ids = CheckedIds::new(kernels, &[], 0).unwrap();
            let of = |bags| Bag { table: none, ids, bags, weights: None, padding: None, mode: Mode::Max };
            assert!(run(kernels, &of(Bags::Ragged(&[0])), 0, OutFormat::Float32, 0).is_empty());
            assert!(run(kernels, &of(Bags::Ragged(&[])), 0, OutFormat::Float32, 0).is_empty());
            assert_eq!(run(kernels, &of(Bags::Ragged(&[0, 0, 0])), 2, OutFormat::Float32, 0), [0; 320]);
            assert_eq!(run(kernels, &of(Bags::Even(0)), 2, OutFormat::Float16, 0), [0; 160]);
            assert!(gathered(kernels, none, &[], OutFormat::Float32, 0).is_empty());
        }
    }
}

#[test]
fn panics_on_a_broken_contract() {
    let bytes = [0u8; 4 * 12];
    let table = RowTable::new(RowFormat::Float32, &bytes, 4, 3).unwrap();
    let kernels = dispatch::active();
    let ids = CheckedIds::new(kernels, &[0, 3, 1], 4).unwrap();
    let good = Bag { table, ids, bags: Bags::Ragged(&[0, 1, 3]), weights: None, padding: None, mode: Mode::Sum };
    let panics = |bag: Bag<'_>, bags: usize, bytes: usize| {
        let mut out = Guarded::new(bytes, 0, SENTRY);
        let failed =
            catch_unwind(AssertUnwindSafe(|| kernels.bag(&bag, 0..bags, OutFormat::Float32, &mut out))).is_err();
        assert!(failed);
        out.assert_untouched();
    };
    panics(good, 2, 23);
    panics(good, 3, 36);
    panics(Bag { bags: Bags::Ragged(&[0, 2, 1]), ..good }, 2, 24);
    panics(Bag { bags: Bags::Ragged(&[0, 2, 4]), ..good }, 2, 24);
    panics(Bag { bags: Bags::Even(2), ..good }, 2, 24);
    panics(Bag { bags: Bags::Even(usize::MAX), ..good }, 2, 24);
    panics(Bag { weights: Some(&[1.0; 2]), ..good }, 2, 24);
    panics(Bag { weights: Some(&[1.0; 3]), mode: Mode::Mean, ..good }, 2, 24);
    panics(Bag { ids: CheckedIds::new(kernels, &[0, 4, 1], 5).unwrap(), ..good }, 2, 24);
    assert!(RowTable::new(RowFormat::Int8, &bytes, 4, 5).is_none());
    assert!(RowTable::new(RowFormat::Int4, &bytes, 4, usize::MAX).is_none());
    assert!(RowTable::new(RowFormat::Float32, &bytes, usize::MAX, 3).is_none());
}

/// Bags of arbitrary lengths over a table of any layout.
#[derive(Clone, Debug)]
struct Case {
    format: RowFormat,
    dim: usize,
    rows: usize,
    bytes: Vec<u8>,
    lengths: Vec<usize>,
    ids: Vec<u32>,
    weights: Option<Vec<f32>>,
    padding: Option<u32>,
    mode: Mode,
    out: OutFormat,
    offsets: (usize, usize),
}

fn cases() -> impl Strategy<Value = Case> {
    let format = prop::sample::select(RowFormat::ALL.to_vec());
    let lengths = prop::collection::vec(prop_oneof![Just(0usize), 0..6usize, 0..90usize], 0..9);
    (format, 1..140usize, 1..9usize, lengths).prop_flat_map(|(format, dim, rows, lengths)| {
        let len = lengths.iter().sum::<usize>();
        (
            prop::collection::vec(any::<u8>(), rows * format.row_bytes(dim).unwrap()),
            prop::collection::vec(0..rows as u32, len),
            prop::option::of(prop::collection::vec(-2f32..2.0, len)),
            prop::option::of(0..rows as u32),
            prop::sample::select(Mode::ALL.to_vec()),
            prop::sample::select(OutFormat::ALL.to_vec()),
            (0..64usize, 0..64usize),
        )
            .prop_map(move |(bytes, ids, weights, padding, mode, out, offsets)| {
                let weights = weights.filter(|_| mode == Mode::Sum);
                Case { format, dim, rows, bytes, lengths: lengths.clone(), ids, weights, padding, mode, out, offsets }
            })
    })
}

proptest! {
    #![proptest_config(property::cases(600))]

    #[test]
    fn bags_are_the_same_everywhere(case in cases()) {
        let bytes = Placed::new(&case.bytes, case.offsets.0);
        let table = RowTable::new(case.format, &bytes, case.rows, case.dim).unwrap();
        let mut offsets = vec![0];
        offsets.extend(case.lengths.iter().scan(0, |end, length| { *end += length; Some(*end) }));
        let count = case.lengths.len();
        let ids = Placed::new(&case.ids, case.offsets.1 % 16);
        let ids = CheckedIds::new(scalar(), &ids, case.rows).unwrap();
        let weights = case.weights.as_deref();
        let bag = Bag { table, ids, bags: Bags::Ragged(&offsets), weights, padding: case.padding, mode: case.mode };
        let defined = run(scalar(), &bag, count, case.out, 0);
        for kernels in others() {
            let ours = run(kernels, &bag, count, case.out, case.offsets.1);
            same(case.out, &ours, &defined, kernels.isa().name());
        }
        // Padding gives the same result as leaving it out.
        if let Some(padding) = case.padding {
            let kept: Vec<usize> = (0..case.ids.len()).filter(|&i| case.ids[i] != padding).collect();
            let ids: Vec<u32> = kept.iter().map(|&i| case.ids[i]).collect();
            let weights: Option<Vec<f32>> = weights.map(|weights| kept.iter().map(|&i| weights[i]).collect());
            let offsets: Vec<usize> = offsets.iter().map(|&end| kept.iter().filter(|&&i| i < end).count()).collect();
            let ids = CheckedIds::new(scalar(), &ids, case.rows).unwrap();
            let bag = Bag { ids, bags: Bags::Ragged(&offsets), weights: weights.as_deref(), padding: None, ..bag };
            same(case.out, &run(dispatch::active(), &bag, count, case.out, 0), &defined, "without padding");
        }
    }
}
