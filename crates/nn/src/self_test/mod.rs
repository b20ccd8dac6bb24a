//! The kernels of every instruction set of this machine against the scalar ones, which define the results: what
//! `tokenbed doctor` runs where the tests are not at hand.
//!
//! The battery is the same on every machine, so its digests are too: two machines agree to the bit where they do.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "sizes of its own, not of input")]

mod training;

use tokenbed_kernels::dispatch::{self, Kernels};
use tokenbed_kernels::half::{f32_to_bf16, f32_to_f16};
use tokenbed_kernels::ids::CheckedIds;
use tokenbed_kernels::isa::Isa;
use tokenbed_kernels::ops::draw::mt19937::{MT_WORDS, MtState};
use tokenbed_kernels::ops::elements::along::Softmax;
use tokenbed_kernels::ops::elements::pointwise::{Function, Unary};
use tokenbed_kernels::ops::learn::row_sum::RowSum;
use tokenbed_kernels::ops::lookup::bag::{Bag, Bags, Mode};
use tokenbed_kernels::ops::lookup::embed::Embed;
use tokenbed_kernels::ops::lookup::layer_norm::Norm;
use tokenbed_kernels::ops::lookup::quantize::quantize_row;
use tokenbed_kernels::rows::added::{Added, Along};
use tokenbed_kernels::rows::format::{OutFormat, RowFormat, RowTable};
use tokenbed_kernels::rows::store::Store;

/// What one op gave on one instruction set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tested {
    /// The op.
    pub op: &'static str,
    /// Where it ran.
    pub isa: Isa,
    /// Whether all its results have the bits of the scalar ones.
    pub ok: bool,
    /// FNV-1a of the bytes of all its results.
    pub digest: u64,
}

const ROWS: usize = 37;
/// Below, at and above the widths of vectors, and what is common.
const DIMS: [usize; 7] = [1, 7, 16, 33, 64, 85, 256];
const FORMATS: [RowFormat; 5] =
    [RowFormat::Float32, RowFormat::Float16, RowFormat::BFloat16, RowFormat::Int8, RowFormat::Int4];
const OFFSETS: [usize; 7] = [0, 0, 1, 9, 9, 40, 64];

type Op = (&'static str, fn(Kernels) -> Vec<u8>);
const OPS: [Op; 19] = [
    ("ids", ids),
    ("gather", gather),
    ("rows", rows),
    ("bag", bag),
    ("embed", embed),
    ("row sum", row_sum),
    ("norm gradient", norm_gradient),
    ("functions", functions),
    ("softmax", softmax),
    ("uniform", uniform),
    ("normal", normal),
    ("rotate", training::rotate),
    ("windows", training::windows),
    ("products", training::products),
    ("scores", training::scores),
    ("passes", training::passes),
    ("gradients", training::gradients),
    ("steps", training::steps),
    ("replays", training::replays),
];

/// Runs every op on every instruction set that this machine has; the scalar ones come first.
pub fn self_test() -> Vec<Tested> {
    let wanted: Vec<u64> = OPS.iter().map(|(_, run)| digest(&run(dispatch::scalar()))).collect();
    dispatch::available()
        .flat_map(|kernels| {
            OPS.iter().zip(&wanted).map(move |(&(op, run), &wanted)| {
                let digest = digest(&run(kernels));
                Tested { op, isa: kernels.isa(), ok: digest == wanted, digest }
            })
        })
        .collect()
}

fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

fn bytes(values: &[f32]) -> impl Iterator<Item = u8> {
    values.iter().flat_map(|x| x.to_le_bytes())
}

/// Words of a small generator: xorshift.
fn words(count: usize, seed: u32) -> Vec<u32> {
    std::iter::successors(Some(seed), |&x| {
        let x = x ^ (x << 13);
        let x = x ^ (x >> 17);
        Some(x ^ (x << 5))
    })
    .skip(1)
    .take(count)
    .collect()
}

/// Numbers in [-1, 1) that are the same everywhere: 24 bits each.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    words(count, seed).into_iter().map(|x| (x >> 8) as f32 / 8_388_608.0 - 1.0).collect()
}

/// 64 ids, the first and the last row among them, some again and again.
fn id_list() -> Vec<u32> {
    words(64, 3)
        .into_iter()
        .enumerate()
        .map(|(i, x)| if i % 9 == 4 { ROWS as u32 - 1 } else { x % ROWS as u32 })
        .collect()
}

fn ids(kernels: Kernels) -> Vec<u8> {
    let ids = words(199, 5);
    (0..ids.len())
        .flat_map(|length| {
            let part = &ids[..length];
            let most = part.iter().max().map_or(0, |&most| most as usize);
            // Good for as many rows as the largest id needs, and for no row fewer.
            [CheckedIds::new(kernels, part, most + 1).is_some(), CheckedIds::new(kernels, part, most).is_some()]
        })
        .map(u8::from)
        .collect()
}

fn gather(kernels: Kernels) -> Vec<u8> {
    let ids = id_list();
    each_dim(|dim, out| {
        let table = numbers(ROWS * dim, 11);
        let Some(ids) = CheckedIds::new(kernels, &ids, ROWS) else { return };
        let mut result = vec![0.0; ids.ids().len() * dim];
        for store in [Store::Cached, Store::Streaming] {
            kernels.gather_with(store, &table, dim, ids, &mut result);
            out.extend(bytes(&result));
        }
    })
}

fn each_dim(mut run: impl FnMut(usize, &mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    for dim in DIMS {
        run(dim, &mut out);
    }
    out
}

fn packed(format: RowFormat, dim: usize) -> Vec<u8> {
    let values = numbers(ROWS * dim, 17);
    let row = |row: &[f32]| -> Vec<u8> {
        match format {
            RowFormat::Float32 => bytes(row).collect(),
            RowFormat::Float16 => row.iter().flat_map(|&x| f32_to_f16(x).to_le_bytes()).collect(),
            RowFormat::BFloat16 => row.iter().flat_map(|&x| f32_to_bf16(x).to_le_bytes()).collect(),
            RowFormat::Int8 | RowFormat::Int4 => {
                let mut packed = vec![0; format.row_bytes(dim).unwrap_or(0)];
                // Finite numbers can always be; zeros would be no other result on any instruction set.
                let _ = quantize_row(format, row, &mut packed);
                packed
            }
        }
    };
    values.chunks(dim).flat_map(row).collect()
}

fn rows(kernels: Kernels) -> Vec<u8> {
    let ids = id_list();
    each_dim(|dim, out| {
        for format in FORMATS {
            let packed = packed(format, dim);
            let table = RowTable::new(format, &packed, ROWS, dim);
            let (Some(table), Some(ids)) = (table, CheckedIds::new(kernels, &ids, ROWS)) else { continue };
            for out_format in OutFormat::ALL {
                let mut result = vec![0; ids.ids().len() * dim * out_format.size()];
                kernels.gather_rows(table, ids, out_format, &mut result);
                out.extend(result);
            }
        }
    })
}

fn bag(kernels: Kernels) -> Vec<u8> {
    let (ids, factors) = (id_list(), numbers(64, 23));
    each_dim(|dim, out| {
        for format in FORMATS {
            let packed = packed(format, dim);
            let table = RowTable::new(format, &packed, ROWS, dim);
            let (Some(table), Some(ids)) = (table, CheckedIds::new(kernels, &ids, ROWS)) else { continue };
            let of = |mode, bags, weights, padding| Bag { table, ids, bags, weights, padding, mode };
            let ragged = Bags::Ragged(&OFFSETS);
            let batches = Mode::ALL
                .map(|mode| (of(mode, ragged, None, Some(ROWS as u32 - 1)), OFFSETS.len() - 1))
                .into_iter()
                .chain([(of(Mode::Sum, Bags::Even(8), Some(&factors), None), 8)]);
            for (bag, count) in batches {
                let mut result = vec![0; count * dim * OutFormat::Float32.size()];
                kernels.bag(&bag, 0..count, OutFormat::Float32, &mut result);
                out.extend(result);
            }
        }
    })
}

fn embed(kernels: Kernels) -> Vec<u8> {
    let ids = id_list();
    each_dim(|dim, out| {
        let [table, positions, segments] = [29, 31, 37].map(|seed| numbers(ROWS * dim, seed));
        let [weight, bias] = [41, 43].map(|seed| numbers(dim, seed));
        let Some(checked) = CheckedIds::new(kernels, &ids, ROWS) else { return };
        let cycle = Added { table: &positions, along: Along::Cycle { offset: 2, length: 16, first: 5 } };
        let each = Added { table: &segments, along: Along::Each(checked) };
        let norm = Norm { weight: &weight, bias: &bias, eps: 1e-5 };
        let mut result = vec![0.0; ids.len() * dim];
        for (scale, added, norm) in [
            (1.0, [Some(cycle), None], None),
            (1.5, [Some(cycle), Some(each)], None),
            (1.0, [Some(cycle), Some(each)], Some(norm)),
        ] {
            kernels.embed(&Embed { table: &table, dim, ids: checked, scale, added, norm }, &mut result);
            out.extend(bytes(&result));
        }
    })
}

fn row_sum(kernels: Kernels) -> Vec<u8> {
    let (places, coefficients) = (id_list(), numbers(64, 53));
    each_dim(|dim, out| {
        let grad = numbers(ROWS * dim, 59);
        let Some(places) = CheckedIds::new(kernels, &places, ROWS) else { return };
        for coefficients in [None, Some(coefficients.as_slice())] {
            let of = RowSum { grad: &grad, dim, places, coefficients };
            for bounds in OFFSETS.windows(2) {
                let mut result = vec![0.0; dim];
                kernels.row_sum(&of, bounds[0]..bounds[1], &(0..dim), &mut result);
                out.extend(bytes(&result));
            }
        }
    })
}

fn norm_gradient(kernels: Kernels) -> Vec<u8> {
    each_dim(|dim, out| {
        let [weight, bias] = [61, 67].map(|seed| numbers(dim, seed));
        let [grad, mut x] = [71, 73].map(|seed| numbers(ROWS * dim, seed));
        let [mut weight_grad, mut bias_grad] = [vec![0.0; dim], vec![0.0; dim]];
        let norm = Norm { weight: &weight, bias: &bias, eps: 1e-5 };
        kernels.layer_norm_grad(&norm, &grad, &mut x, &mut weight_grad, &mut bias_grad);
        out.extend(bytes(&x).chain(bytes(&weight_grad)).chain(bytes(&bias_grad)));
    })
}

fn functions(kernels: Kernels) -> Vec<u8> {
    // From -8 to 8: past there they are flat.
    let x: Vec<f32> = numbers(1000, 79).into_iter().map(|x| x * 8.0).collect();
    let mut out = vec![0.0; x.len()];
    Function::ALL
        .into_iter()
        .flat_map(|function| {
            kernels.unary(Unary { function, x: &x, out: &mut out });
            bytes(&out).collect::<Vec<_>>()
        })
        .collect()
}

fn softmax(kernels: Kernels) -> Vec<u8> {
    each_dim(|n, out| {
        let x = numbers(ROWS * n, 83);
        let mut result = vec![0.0; x.len()];
        for log in [false, true] {
            kernels.softmax(Softmax { log, n, x: &x, out: &mut result });
            out.extend(bytes(&result));
        }
    })
}

/// The next words of the Mersenne Twister.
fn twisted(kernels: Kernels) -> [u32; MT_WORDS] {
    let mut start = [0; MT_WORDS];
    start.copy_from_slice(&words(MT_WORDS, 47));
    let mut state = MtState::new(start);
    for _ in 0..3 {
        kernels.mt19937_twist(&mut state);
    }
    *state.words()
}

fn uniform(kernels: Kernels) -> Vec<u8> {
    let words = twisted(kernels);
    let mut out = [0.0; MT_WORDS];
    kernels.draw_uniform(&words, -0.3, 1.7, &mut out);
    words.iter().flat_map(|word| word.to_le_bytes()).chain(bytes(&out)).collect()
}

fn normal(kernels: Kernels) -> Vec<u8> {
    let mut out = [0.0; MT_WORDS];
    kernels.draw_normal(&twisted(kernels), 0.5, 2.0, &mut out);
    bytes(&out).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_passes_and_every_op_has_results() {
        let tested = self_test();
        assert_eq!(tested.len(), OPS.len() * dispatch::available().count());
        for one in &tested {
            assert!(one.ok, "{one:?}");
        }
        for (op, run) in OPS {
            assert!(run(dispatch::scalar()).len() > 300, "{op}");
        }
    }

    #[test]
    fn one_wrong_bit_is_another_digest() {
        let mut result = gather(dispatch::scalar());
        let right = digest(&result);
        let last = result.len() - 1;
        result[last] ^= 1;
        assert_ne!(digest(&result), right);
    }
}
