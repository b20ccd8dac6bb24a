//! How fast the kernels look up, against a memcpy of the same bytes, without Node: for tuning.
//!
//! `cargo run --release -p tokenbed-kernels --example lookup_speed`
//!
//! All candidates take turns within each round. The best of the rounds counts: what else the machine does only slows.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, reason = "a tool that prints")]

use std::hint::black_box;
use std::time::Instant;
use tokenbed_core::storage::Storage;
use tokenbed_kernels::ids::CheckedIds;
use tokenbed_kernels::ops::Store;
use tokenbed_kernels::ops::added::{Added, Along};
use tokenbed_kernels::ops::embed::Embed;
use tokenbed_kernels::ops::layer_norm::Norm;
use tokenbed_kernels::table::{self, Kernels};
use tokenbed_rng::Generator;
use tokenbed_threads::{parallel_rows, set_num_threads};

const ROWS: usize = 50257;
const ROUNDS: usize = 25;

fn main() {
    for (batch, length, dim) in [(8, 4, 256), (8, 256, 768), (32, 1024, 768)] {
        for zipf in [false, true] {
            measure(batch, length, dim, zipf);
        }
    }
}

/// Room for `len` elements in huge pages where the system has them.
fn elements<'a>(len: usize) -> &'a mut [f32] {
    let storage = Box::leak(Box::new(Storage::zeroed(len * size_of::<f32>()).unwrap()));
    // SAFETY: the storage is this long, aligned, never freed, and nobody else has it.
    unsafe { std::slice::from_raw_parts_mut(storage.as_ptr().cast(), len) }
}

/// What is measured of one op.
struct Candidate<'a> {
    name: String,
    op: Embed<'a>,
    kernels: &'static Kernels,
    store: Store,
    threads: usize,
}

fn measure(batch: usize, length: usize, dim: usize, zipf: bool) {
    let mut generator = Generator::new(7);
    let weights = elements(ROWS * dim);
    tokenbed_rng::normal(&mut generator, weights, 0.0, 1.0).unwrap();
    let weights: &[f32] = weights;
    let (positions, segments) = (weights[..length * dim].to_vec(), weights[..2 * dim].to_vec());
    let mut uniform = vec![0f32; batch * length];
    tokenbed_rng::uniform(&mut generator, &mut uniform, 0.0, 1.0).unwrap();
    let of = |u: f32| if zipf { (ROWS as f32).powf(u) - 1.0 } else { u * ROWS as f32 };
    let ids: Vec<u32> = uniform.iter().map(|&u| (of(u) as u32).min(ROWS as u32 - 1)).collect();
    let kinds: Vec<u32> = ids.iter().map(|id| id % 2).collect();
    // As V8's large buffers: 16 bytes past a cache line; of huge pages, as this package asks for them.
    let memory = elements(ids.len() * dim + 32);
    memory.fill(1.0);
    let out = &mut memory[4..4 + ids.len() * dim];
    let source = elements(out.len());
    source.fill(1.0);

    let checked = CheckedIds::new(table::active(), &ids, ROWS).unwrap();
    let position = Added { table: &positions, along: Along::Cycle { offset: 0, length, first: 0 } };
    let kinds = CheckedIds::new(table::active(), &kinds, 2).unwrap();
    let segment = Added { table: &segments, along: Along::Each(kinds) };
    let norm = Norm { weight: &weights[..dim], bias: &weights[dim..2 * dim], eps: 1e-12 };
    let plain = Embed { table: weights, dim, ids: checked, scale: 1.0, added: [None, None], norm: None };
    let ops = [
        ("gather", plain),
        ("+ position", Embed { added: [Some(position), None], ..plain }),
        ("+ position, scaled", Embed { added: [Some(position), None], scale: 27.7, ..plain }),
        ("+ segment + position", Embed { added: [Some(segment), Some(position)], ..plain }),
        ("+ position, LayerNorm", Embed { added: [Some(position), None], norm: Some(norm), ..plain }),
        (
            "+ segment + position, LayerNorm",
            Embed { added: [Some(segment), Some(position)], norm: Some(norm), ..plain },
        ),
    ];
    let best = Store::for_bytes(size_of_val(out));
    let mut candidates = Vec::new();
    for (name, op) in ops {
        for threads in [1, 2] {
            candidates.push(Candidate {
                name: format!("{name}, {threads}T"),
                op,
                kernels: table::active(),
                store: best,
                threads,
            });
        }
    }
    for kernels in table::available() {
        for store in [Store::Cached, Store::Streaming] {
            for (name, op) in [ops[0], ops[1], ops[4]] {
                let name = format!("{name}, {} {store:?}", kernels.isa().name());
                candidates.push(Candidate { name, op, kernels, store, threads: 1 });
            }
        }
    }
    println!("({batch}, {length}) x {dim}, {}", if zipf { "zipf" } else { "uniform" });
    let mut copies = Times::default();
    let mut times: Vec<Times> = candidates.iter().map(|_| Times::default()).collect();
    for _ in 0..ROUNDS {
        copies.take(|| out.copy_from_slice(black_box(source)));
        for (candidate, times) in candidates.iter().zip(&mut times) {
            set_num_threads(candidate.threads).unwrap();
            times.take(|| run(candidate, black_box(&mut *out)));
        }
    }
    let gather = times[0].best;
    println!("  {:<44} {:>10.2} us", "memcpy", copies.best);
    for (Candidate { name, .. }, Times { best, .. }) in candidates.iter().zip(&times) {
        println!(
            "  {name:<44} {best:>10.2} us   {:.2}x memcpy's speed, {:.2}x gather's time",
            copies.best / best,
            best / gather
        );
    }
}

fn run(candidate: &Candidate<'_>, out: &mut [f32]) {
    let Candidate { op, kernels, store, .. } = candidate;
    parallel_rows(out, op.dim, op.dim * size_of::<f32>(), |rows, out| {
        let part = op.part(rows);
        match part {
            Embed { scale: 1.0, added: [None, None], norm: None, table, dim, ids } => {
                kernels.gather_with(*store, table, dim, ids, out);
            }
            part => kernels.embed_with(*store, &part, out),
        }
    });
}

/// The best time of a call so far, in microseconds.
struct Times {
    best: f64,
    repeats: usize,
}

impl Default for Times {
    fn default() -> Self {
        Self { best: f64::INFINITY, repeats: 0 }
    }
}

impl Times {
    /// One more round.
    fn take(&mut self, mut run: impl FnMut()) {
        if self.repeats == 0 {
            let start = Instant::now();
            run();
            self.repeats = (0.002 / start.elapsed().as_secs_f64().max(1e-9)).ceil().max(1.0) as usize;
        }
        let start = Instant::now();
        (0..self.repeats).for_each(|_| run());
        self.best = self.best.min(start.elapsed().as_secs_f64() * 1e6 / self.repeats as f64);
    }
}
