//! How fast bags are summed from tables of each layout, without Node, each against the table of f32 in the same run:
//! for tuning.
//!
//! `cargo run --release -p tokenbed-kernels --example bag_speed [ids in a bag] [dim]`
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, reason = "a tool that prints")]

use std::hint::black_box;
use std::time::Instant;
use tokenbed_core::storage::Storage;
use tokenbed_kernels::half::{f32_to_bf16, f32_to_f16};
use tokenbed_kernels::ids::CheckedIds;
use tokenbed_kernels::isa::Isa;
use tokenbed_kernels::ops::bag::{Bag, Bags, Mode};
use tokenbed_kernels::ops::quantize::quantize_row;
use tokenbed_kernels::ops::rows::{OutFormat, RowFormat, RowTable};
use tokenbed_kernels::table::{self, Kernels};
use tokenbed_rng::Generator;

const ROWS: usize = 50257;
const IDS: usize = 32768;
const ROUNDS: usize = 21;

fn main() {
    // All instruction sets but the definition's, or the one that the environment names.
    let forced = std::env::var("TOKENBED_ISA").ok();
    let wanted = |kernels: &&Kernels| match &forced {
        Some(name) => kernels.isa().name() == name,
        None => kernels.isa() != Isa::Scalar,
    };
    let mut numbers = std::env::args().skip(1).map(|arg| arg.parse().expect("a number"));
    let (length, dim) = (numbers.next().unwrap_or(32), numbers.next().unwrap_or(768));
    let mut generator = Generator::new(7);
    let mut weights = vec![0f32; ROWS * dim];
    tokenbed_rng::normal(&mut generator, &mut weights, 0.0, 1.0).unwrap();
    let storages = RowFormat::ALL.map(|format| (format, packed(format, &weights, dim)));
    for zipf in [false, true] {
        let mut uniform = vec![0f32; IDS / length * length];
        tokenbed_rng::uniform(&mut generator, &mut uniform, 0.0, 1.0).unwrap();
        let of = |u: f32| if zipf { (ROWS as f32).powf(u) - 1.0 } else { u * ROWS as f32 };
        let ids: Vec<u32> = uniform.iter().map(|&u| (of(u) as u32).min(ROWS as u32 - 1)).collect();
        println!("{} ids x {dim} in bags of {length}, {}", ids.len(), if zipf { "zipf" } else { "uniform" });
        for kernels in table::available().filter(wanted) {
            measure(kernels, &storages, &ids, length, dim);
        }
    }
}

/// Rows in huge pages, as a table of the package lies.
fn packed(format: RowFormat, weights: &[f32], dim: usize) -> Storage {
    let row_bytes = format.row_bytes(dim).unwrap();
    let storage = Storage::zeroed(ROWS * row_bytes).unwrap();
    // SAFETY: the storage is this long, and nobody else has it.
    let bytes = unsafe { std::slice::from_raw_parts_mut(storage.as_ptr(), ROWS * row_bytes) };
    for (row, to) in weights.chunks(dim).zip(bytes.chunks_mut(row_bytes)) {
        match format {
            RowFormat::Float32 => to.chunks_mut(4).zip(row).for_each(|(to, x)| to.copy_from_slice(&x.to_le_bytes())),
            RowFormat::Float16 => {
                to.chunks_mut(2).zip(row).for_each(|(to, &x)| to.copy_from_slice(&f32_to_f16(x).to_le_bytes()));
            }
            RowFormat::BFloat16 => {
                to.chunks_mut(2).zip(row).for_each(|(to, &x)| to.copy_from_slice(&f32_to_bf16(x).to_le_bytes()));
            }
            RowFormat::Int8 | RowFormat::Int4 => quantize_row(format, row, to).unwrap(),
        }
    }
    storage
}

/// Times of all layouts, taken in turns.
fn measure(kernels: &Kernels, storages: &[(RowFormat, Storage); 5], ids: &[u32], length: usize, dim: usize) {
    let bags = ids.len() / length;
    let mut out = vec![0u8; bags * dim * 4];
    let mut gathered = vec![1u8; ids.len() * dim * 4];
    let ids = CheckedIds::new(kernels, ids, ROWS).unwrap();
    let mut best = [(f64::INFINITY, f64::INFINITY); 5];
    for _ in 0..ROUNDS {
        for ((format, storage), best) in storages.iter().zip(&mut best) {
            // SAFETY: the storage is this long, and nobody writes it now.
            let bytes = unsafe { std::slice::from_raw_parts(storage.as_ptr(), storage.len()) };
            let table = RowTable::new(*format, bytes, ROWS, dim).unwrap();
            let bag = Bag { table, ids, bags: Bags::Even(length), weights: None, padding: None, mode: Mode::Sum };
            let start = Instant::now();
            kernels.bag(&bag, 0..bags, OutFormat::Float32, black_box(&mut out));
            best.0 = best.0.min(start.elapsed().as_secs_f64() * 1e3);
            let start = Instant::now();
            kernels.gather_rows(table, ids, OutFormat::Float32, black_box(&mut gathered));
            best.1 = best.1.min(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    for ((format, _), time) in storages.iter().zip(best) {
        println!(
            "  {:<7} {:<9} bag {:>7.3} ms, {:>5.2}x f32     gather to f32 {:>7.3} ms, {:>5.2}x f32",
            kernels.isa().name(),
            format!("{format:?}"),
            time.0,
            best[0].0 / time.0,
            time.1,
            best[0].1 / time.1,
        );
    }
}
