//! How fast the kernels look up, against a memcpy of the same bytes, without Node: for tuning.
//!
//! `cargo run --release -p tokenbed-kernels --example lookup_speed`
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, reason = "a tool that prints")]

use std::hint::black_box;
use std::time::Instant;
use tokenbed_core::storage::Storage;
use tokenbed_kernels::ids::CheckedIds;
use tokenbed_kernels::ops::Store;
use tokenbed_kernels::ops::gather_add::Positions;
use tokenbed_kernels::table;
use tokenbed_rng::Generator;

const ROWS: usize = 50257;
const ROUNDS: usize = 15;

fn main() {
    for (batch, length, dim) in [(8, 4, 256), (8, 256, 768), (32, 1024, 768)] {
        for zipf in [false, true] {
            measure(batch, length, dim, zipf);
        }
    }
}

fn measure(batch: usize, length: usize, dim: usize, zipf: bool) {
    let mut generator = Generator::new(7);
    let storage = Storage::zeroed(ROWS * dim * size_of::<f32>()).unwrap();
    // SAFETY: the storage is this long, aligned, and nobody else has it.
    let weights: &mut [f32] = unsafe { std::slice::from_raw_parts_mut(storage.as_ptr().cast(), ROWS * dim) };
    tokenbed_rng::normal(&mut generator, weights, 0.0, 1.0).unwrap();
    let positions = weights[..length * dim].to_vec();
    let mut uniform = vec![0f32; batch * length];
    tokenbed_rng::uniform(&mut generator, &mut uniform, 0.0, 1.0).unwrap();
    let of = |u: f32| if zipf { (ROWS as f32).powf(u) - 1.0 } else { u * ROWS as f32 };
    let ids: Vec<u32> = uniform.iter().map(|&u| (of(u) as u32).min(ROWS as u32 - 1)).collect();
    // As V8's large buffers: 16 bytes past a cache line, small pages.
    let mut memory = vec![1f32; ids.len() * dim + 32];
    let skip = memory.as_ptr().align_offset(64) + 4;
    let out = &mut memory[skip..skip + ids.len() * dim];
    let source = out.to_vec();

    println!("({batch}, {length}) x {dim}, {}", if zipf { "zipf" } else { "uniform" });
    let copy = best(|| out.copy_from_slice(black_box(&source)));
    println!("  memcpy {:>34.3} us", copy);
    for kernels in table::available() {
        let checked = CheckedIds::new(kernels, &ids, ROWS).unwrap();
        for store in [Store::Cached, Store::Streaming] {
            let name = kernels.isa().name();
            let plain = best(|| kernels.gather_with(store, weights, dim, checked, black_box(&mut *out)));
            let at = Positions::Cyclic { offset: 0, length };
            let fused = best(|| {
                kernels.gather_add_with(store, weights, &positions, dim, checked, at, black_box(&mut *out));
            });
            println!(
                "  {name:<8}{store:?}: gather {plain:>12.3} us ({:.2}x memcpy), fused {fused:>12.3} us ({:.2}x gather)",
                copy / plain,
                fused / plain
            );
        }
    }
}

/// The best time of a call over some rounds, in microseconds.
fn best(mut run: impl FnMut()) -> f64 {
    let start = Instant::now();
    run();
    let once = start.elapsed().as_secs_f64().max(1e-9);
    let repeats = (0.02 / once).ceil().max(1.0) as usize;
    (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            (0..repeats).for_each(|_| run());
            start.elapsed().as_secs_f64() * 1e6 / repeats as f64
        })
        .fold(f64::INFINITY, f64::min)
}
