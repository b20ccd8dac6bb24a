//! Rows of GGUF's blocks: every instruction set gives the bits of the reference, for lookups and bags, at every offset,
//! and writes nothing else. That the reference is right is tested against gguf itself, in
//! `__test__/files/gguf.spec.ts`.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "helpers of tests")]

use tokenbed_kernels::dispatch::{self, Kernels};
use tokenbed_kernels::half::{bf16_to_f32, f16_to_f32};
use tokenbed_kernels::ids::CheckedIds;
use tokenbed_kernels::ops::lookup::bag::{Bag, Bags, Mode};
use tokenbed_kernels::rows::blocks::Block;
use tokenbed_kernels::rows::format::{OutFormat, RowFormat, RowTable};
use tokenbed_testkit::place::Guarded;
use tokenbed_testkit::random::Random;

const SENTRY: u8 = 0xa5;
const ROWS: usize = 7;
const IDS: [u32; 19] = [3, 0, 6, 6, 1, 2, 3, 4, 5, 0, 1, 1, 1, 1, 6, 2, 0, 4, 5];
const OFFSETS: [usize; 8] = [0, 0, 1, 4, 13, 13, 18, 19];

fn gathered(kernels: Kernels, table: RowTable<'_>, format: OutFormat, offset: usize) -> Vec<u8> {
    let ids = CheckedIds::new(kernels, &IDS, ROWS).unwrap();
    let mut out = Guarded::new(IDS.len() * table.dim() * format.size(), offset, SENTRY);
    kernels.gather_rows(table, ids, format, &mut out);
    out.assert_guards();
    out.to_vec()
}

fn bags(kernels: Kernels, table: RowTable<'_>, mode: Mode, weights: Option<&[f32]>, padding: Option<u32>) -> Vec<u8> {
    let ids = CheckedIds::new(kernels, &IDS, ROWS).unwrap();
    let bag = Bag { table, ids, bags: Bags::Ragged(&OFFSETS), weights, padding, mode };
    let mut out = Guarded::new((OFFSETS.len() - 1) * table.dim() * 4, 0, SENTRY);
    kernels.bag(&bag, 0..OFFSETS.len() - 1, OutFormat::Float32, &mut out);
    out.assert_guards();
    out.to_vec()
}

/// Asserts the same bits, except that all NaN count as equal.
#[track_caller]
fn same(format: OutFormat, ours: &[u8], wanted: &[u8], what: &str) {
    let value = |bytes: &[u8]| match format {
        OutFormat::Float32 => f32::from_le_bytes(bytes.try_into().unwrap()),
        OutFormat::Float16 => f16_to_f32(u16::from_le_bytes(bytes.try_into().unwrap())),
        OutFormat::BFloat16 => bf16_to_f32(u16::from_le_bytes(bytes.try_into().unwrap())),
    };
    for (at, (a, b)) in ours.chunks(format.size()).zip(wanted.chunks(format.size())).enumerate() {
        assert!(a == b || value(a).is_nan() && value(b).is_nan(), "{what}: {} is not {} at {at}", value(a), value(b));
    }
    assert_eq!(ours.len(), wanted.len());
}

/// Arbitrary bytes: among their halves are NaN, infinite and subnormal ones.
#[test]
fn every_kind_at_every_length_and_offset() {
    let mut random = Random::new(47);
    let weights = random.units(IDS.len());
    for block in Block::ALL {
        for dim in [1, 2, 3, 8, 9, 17].map(|count| count * block.elements()) {
            let bytes = block.row_bytes(dim).unwrap() * ROWS;
            let bytes: Vec<u8> = (0..bytes).map(|_| random.bits() as u8).collect();
            let table = RowTable::new(RowFormat::Blocks(block), &bytes, ROWS, dim).unwrap();
            for kernels in dispatch::available() {
                let what = format!("{block:?} of {dim} on {:?}", kernels.isa());
                for format in OutFormat::ALL {
                    let wanted = gathered(dispatch::scalar(), table, format, 0);
                    for offset in [0, 4, 12, 2, 1].into_iter().filter(|at| at % format.size() == 0 || dim < 300) {
                        same(format, &gathered(kernels, table, format, offset), &wanted, &what);
                    }
                }
                for mode in Mode::ALL {
                    for padding in [None, Some(6)] {
                        let wanted = bags(dispatch::scalar(), table, mode, None, padding);
                        same(OutFormat::Float32, &bags(kernels, table, mode, None, padding), &wanted, &what);
                    }
                }
                let wanted = bags(dispatch::scalar(), table, Mode::Sum, Some(&weights), None);
                same(OutFormat::Float32, &bags(kernels, table, Mode::Sum, Some(&weights), None), &wanted, &what);
            }
        }
    }
}

#[test]
fn rows_are_whole_blocks() {
    for block in Block::ALL {
        assert_eq!(block.row_bytes(block.elements()), Some(block.bytes()));
        assert_eq!(block.row_bytes(block.elements() + 1), None);
        assert_eq!(block.row_bytes(0), Some(0));
        assert!(RowFormat::Blocks(block).row_bytes(usize::MAX - 255).is_none_or(|bytes| bytes < usize::MAX - 255));
        assert!(RowTable::new(RowFormat::Blocks(block), &[0; 33], 1, 33).is_none());
    }
}
