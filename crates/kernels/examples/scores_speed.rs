//! How fast rows are scored, the best of 25 passes: cargo run --release -p tokenbed-kernels --example scores_speed
#![allow(clippy::print_stdout, reason = "its purpose")]

use std::time::Instant;
use tokenbed_kernels::table;

fn main() {
    for (rows, dim) in [(50_000, 100), (400_000, 100), (100_000, 300)] {
        let elements: Vec<f32> = (0..rows * dim).map(|i| ((i * 7919) % 1000) as f32 / 1000.0 - 0.5).collect();
        let query = elements[..dim].to_vec();
        let (mut dots, mut squares) = (vec![0.0; 256], vec![0.0; 256]);
        // The first is plain Rust, which defines the result.
        let mut found: Vec<_> = table::available().skip(1).map(|kernels| (kernels, f64::INFINITY)).collect();
        for _ in 0..25 {
            for (kernels, best) in &mut found {
                let start = Instant::now();
                for block in elements.chunks(256 * dim) {
                    let len = block.len() / dim;
                    kernels.scores(block, &query, &mut dots[..len], &mut squares[..len]);
                }
                *best = best.min(start.elapsed().as_secs_f64());
            }
        }
        for (kernels, best) in found {
            println!("{rows} x {dim} {}: {:.1} GB/s", kernels.isa().name(), (rows * dim * 4) as f64 / best / 1e9);
        }
    }
}
