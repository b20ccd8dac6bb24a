//! Rotation: every instruction set has the bits of the plain formula and of the scalar reference.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use tokenbed_kernels::dispatch;
use tokenbed_kernels::half::{bf16_to_f32, f16_to_f32, f32_to_bf16, f32_to_f16};
use tokenbed_kernels::ids::CheckedIds;
use tokenbed_kernels::ops::positions::rotate::{Pairs, Rotate};
use tokenbed_kernels::rows::added::{Added, Along};
use tokenbed_kernels::rows::format::OutFormat;
use tokenbed_testkit::place::{Guarded, Placed};
use tokenbed_testkit::random::Random;

const SENTRY: u8 = 0xa5;
const POSITIONS: usize = 5;
/// The number of heads, the elements of a head, and how many of them are rotated: on both sides of every vector's
/// width, and as in real models.
const SHAPES: [(usize, usize, usize); 13] = [
    (1, 2, 2),
    (3, 7, 4),
    (2, 16, 16),
    (2, 17, 14),
    (1, 34, 34),
    (2, 40, 18),
    (1, 64, 64),
    (3, 66, 66),
    (2, 80, 80),
    (1, 96, 24),
    (2, 100, 72),
    (1, 128, 128),
    (1, 130, 0),
];

fn bytes_of(format: OutFormat, values: &[f32]) -> Vec<u8> {
    let narrow = |to: fn(f32) -> u16| values.iter().flat_map(|&x| to(x).to_ne_bytes()).collect();
    match format {
        OutFormat::Float32 => values.iter().flat_map(|x| x.to_ne_bytes()).collect(),
        OutFormat::Float16 => narrow(f32_to_f16),
        OutFormat::BFloat16 => narrow(f32_to_bf16),
    }
}

fn values_of(format: OutFormat, bytes: &[u8]) -> Vec<f32> {
    let wide = |to: fn(u16) -> f32| bytes.chunks_exact(2).map(|b| to(u16::from_ne_bytes([b[0], b[1]]))).collect();
    match format {
        OutFormat::Float32 => {
            bytes.chunks_exact(4).map(|b| f32::from_ne_bytes(b.try_into().expect("four bytes"))).collect()
        }
        OutFormat::Float16 => wide(f16_to_f32),
        OutFormat::BFloat16 => wide(bf16_to_f32),
    }
}

/// The plain formula.
fn naive(op: &Rotate<'_>, table: &[f32], rows: &[usize], x: &[f32]) -> Vec<f32> {
    let half = op.dim / 2;
    let mut out = x.to_vec();
    for (i, &row) in rows.iter().enumerate() {
        for h in 0..op.heads {
            let at = (i * op.heads + h) * op.head_dim;
            for p in 0..half {
                let (a, b) = match op.pairs {
                    Pairs::Half => (at + p, at + half + p),
                    Pairs::Interleaved => (at + 2 * p, at + 2 * p + 1),
                };
                let (c, s) = (table[row * op.dim + p], table[row * op.dim + half + p]);
                let s = if op.inverse { -s } else { s };
                out[a] = x[a] * c - x[b] * s;
                out[b] = x[b] * c + x[a] * s;
            }
        }
    }
    out
}

/// Asserts the same bits, except that all NaN count as equal: the definition leaves open which of two NaN a sum keeps.
fn assert_same(format: OutFormat, found: &[u8], wanted: &[u8], what: &str) {
    let (a, b) = (values_of(format, found), values_of(format, wanted));
    for (i, (a, b)) in a.iter().zip(&b).enumerate() {
        assert!(a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(), "{what}: {a} is not {b} at {i}");
    }
}

#[test]
fn every_shape_type_and_pairing() {
    let mut random = Random::new(1);
    for (heads, head_dim, dim) in SHAPES {
        for (awkward, offset) in [(false, 0), (false, 3), (true, 8), (false, 13)] {
            let mut draw = |len| if awkward { random.awkward(len) } else { random.units(len) };
            let table = Placed::new(&draw(POSITIONS * dim), offset);
            let plain = draw(6 * heads * head_dim);
            let each: Vec<u32> = vec![4, 0, 0, 3, 1, 4];
            let cycle = Along::Cycle { offset: 1, length: 3, first: 2 };
            for (format, pairs) in OutFormat::ALL.iter().flat_map(|&f| Pairs::ALL.map(|p| (f, p))) {
                for (inverse, explicit) in [(false, false), (true, false), (false, true), (true, true)] {
                    let (along, rows) = if explicit {
                        let ids = CheckedIds::new(dispatch::active(), &each, POSITIONS).expect("good rows");
                        (Along::Each(ids), vec![4, 0, 0, 3, 1, 4])
                    } else {
                        (cycle, vec![3, 1, 2, 3, 1, 2])
                    };
                    let angles = Added { table: &table, along };
                    let op = Rotate { angles, heads, head_dim, dim, pairs, inverse, format };
                    let x = Placed::new(&bytes_of(format, &plain), 4 * offset);
                    let wanted = bytes_of(format, &naive(&op, &table, &rows, &values_of(format, &x)));
                    for kernels in dispatch::available() {
                        let what = format!("{} {heads} x {head_dim}, {dim}, {op:?}", kernels.isa().name());
                        let mut out = Guarded::new(x.len(), 64 - 4 * offset, SENTRY);
                        kernels.rotate(&op, &x, &mut out);
                        out.assert_guards();
                        assert_same(format, &out, &wanted, &what);
                        let mut place = Guarded::new(x.len(), 4 * offset, SENTRY);
                        place.copy_from_slice(&x);
                        kernels.rotate_in_place(&op, &mut place);
                        place.assert_guards();
                        assert_same(format, &place, &wanted, &format!("in place: {what}"));
                    }
                }
            }
        }
    }
}

#[test]
fn parts_equal_the_whole() {
    let mut random = Random::new(2);
    let (table, x) = (random.units(4 * 16), random.units(11 * 2 * 16));
    let x = bytes_of(OutFormat::Float32, &x);
    let angles = Added { table: &table, along: Along::Cycle { offset: 1, length: 3, first: 1 } };
    let (pairs, format) = (Pairs::Half, OutFormat::Float32);
    let op = Rotate { angles, heads: 2, head_dim: 16, dim: 16, pairs, inverse: false, format };
    let token = op.token_bytes().expect("a size");
    for kernels in dispatch::available() {
        let (mut whole, mut parts) = (vec![0; x.len()], vec![0; x.len()]);
        kernels.rotate(&op, &x, &mut whole);
        for range in [0..4, 4..5, 5..11] {
            let bytes = range.start * token..range.end * token;
            kernels.rotate(&op.part(range), &x[bytes.clone()], &mut parts[bytes]);
        }
        assert_eq!(whole, parts);
    }
}

#[test]
fn rejects_sizes_that_do_not_fit() {
    let table = [0.5; 8];
    let along = Along::Cycle { offset: 0, length: 2, first: 0 };
    let good = Rotate {
        angles: Added { table: &table, along },
        heads: 1,
        head_dim: 4,
        dim: 4,
        pairs: Pairs::Half,
        inverse: false,
        format: OutFormat::Float32,
    };
    let refuses = |op: Rotate<'_>, bytes: usize, out: usize| {
        let run = || dispatch::active().rotate(&op, &vec![0; bytes], &mut vec![0; out]);
        assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
    };
    refuses(good, 32, 48);
    refuses(good, 31, 31);
    refuses(Rotate { dim: 3, ..good }, 32, 32);
    refuses(Rotate { dim: 6, ..good }, 32, 32);
    let far = Added { table: &table, along: Along::Cycle { offset: 1, length: 2, first: 0 } };
    refuses(Rotate { angles: far, ..good }, 32, 32);
    dispatch::active().rotate(&good, &[], &mut []);
    dispatch::active().rotate_in_place(&good, &mut [0; 32]);
}
