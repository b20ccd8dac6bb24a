//! Measures the time for a value of a fill, in nanoseconds: each instruction set on one thread, then several threads.
//!
//! ```sh
//! cargo run --release -p tokenbed-rng --example draw_speed
//! ```
//!
//! The table is that of GPT-2, 50257 x 768, drawn again and again into the same memory; the best of nine counts
//! (scalar: one).

#![allow(clippy::print_stdout, reason = "an example that reports")]

use std::time::Instant;
use tokenbed_kernels::dispatch::{self, Kernels};
use tokenbed_kernels::isa::Isa;
use tokenbed_rng::{DrawError, Generator, How, normal_with, uniform_with};

const VALUES: usize = 50257 * 768;
const ROUNDS: usize = 9;

type Fill = fn(How, &mut Generator, &mut [f32]) -> Result<(), DrawError>;

fn main() -> Result<(), DrawError> {
    let mut out = vec![0.0; VALUES];
    let fills: [(&str, Fill); 2] = [
        ("normal", |how, generator, out| normal_with(how, generator, out, 0.0, 1.0)),
        ("uniform", |how, generator, out| uniform_with(how, generator, out, -0.5, 0.5)),
    ];
    for (name, fill) in fills {
        for kernels in dispatch::available() {
            report(name, fill, kernels, 1, &mut out)?;
        }
        for threads in [2, 4] {
            report(name, fill, dispatch::active(), threads, &mut out)?;
        }
    }
    println!("the walk that threads wait for: {:.3} ns a word", walk());
    for shift in 14..=21 {
        let len = 1 << shift;
        let serial = best(fills[0].1, dispatch::active(), 1, &mut out[..len])?;
        let parallel = best(fills[0].1, dispatch::active(), 2, &mut out[..len])?;
        println!("normal of 2^{shift}: {:.1} us on one thread, {:.1} us on two", serial * 1e6, parallel * 1e6);
    }
    Ok(())
}

fn report(name: &str, fill: Fill, kernels: Kernels, threads: usize, out: &mut [f32]) -> Result<(), DrawError> {
    let seconds = best(fill, kernels, threads, out)?;
    let nanoseconds = seconds * 1e9 / out.len() as f64;
    let isa = kernels.isa().name();
    println!("{name} {isa} on {threads}: {:.2} ms, {nanoseconds:.3} ns a value", seconds * 1e3);
    Ok(())
}

fn best(fill: Fill, kernels: Kernels, threads: usize, out: &mut [f32]) -> Result<f64, DrawError> {
    let mut generator = Generator::new(0);
    let mut best = f64::INFINITY;
    // The scalar kernels are not meant to be fast.
    let rounds = if kernels.isa() == Isa::Scalar { 1 } else { ROUNDS };
    for _ in 0..rounds {
        let start = Instant::now();
        fill(How { kernels, threads }, &mut generator, out)?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(best)
}

fn walk() -> f64 {
    use tokenbed_kernels::ops::draw::mt19937::{MT_WORDS, MtState};
    let mut state = MtState::new([1; MT_WORDS]);
    let rounds = 20_000;
    let start = Instant::now();
    for _ in 0..rounds {
        dispatch::active().mt19937_twist(&mut state);
    }
    start.elapsed().as_secs_f64() * 1e9 / (rounds * MT_WORDS) as f64
}
