//! Measures steps of AdamW, without Node: a dense step relative to copying what it reads and writes, and missed steps
//! of rows, by their number. For tuning.
//!
//! `cargo run --release -p tokenbed-nn --example optim_speed`
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, reason = "a tool that prints")]

use std::hint::black_box;
use std::time::Instant;
use tokenbed_kernels::dispatch;
use tokenbed_kernels::isa::Isa;
use tokenbed_kernels::ops::learn::optim::Update;
use tokenbed_kernels::ops::learn::optim::replay::Replay;
use tokenbed_nn::optim::{AdamW, AdamWNumbers, Optimizer, Parameter, dense};
use tokenbed_testkit::random::Random;
use tokenbed_threads::set_num_threads;

const ROWS: usize = 20_000;
const DIM: usize = 256;

/// The median of nine runs, in nanoseconds per element.
fn measured(elements: usize, mut run: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..9)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64() * 1e9 / elements as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[4]
}

fn main() {
    set_num_threads(1).unwrap();
    let mut random = Random::new(1);
    let (mut param, grad) = (random.units(ROWS * DIM), random.units(ROWS * DIM));
    let (mut first, mut second) = (vec![0.0; ROWS * DIM], vec![0.0; ROWS * DIM]);
    let optimizer = Optimizer::AdamW(AdamW {
        numbers: AdamWNumbers { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.01 },
        amsgrad: false,
        maximize: false,
    });
    // A step does four reads and three writes per element.
    let (mut copy, source) = (vec![1.0f32; ROWS * DIM * 7 / 2], vec![2.0f32; ROWS * DIM * 7 / 2]);
    for kernels in dispatch::available().filter(|kernels| kernels.isa() != Isa::Scalar) {
        let mut step = 0;
        let dense = measured(ROWS * DIM, || {
            step += 1;
            let parameter = Parameter { param: &mut param, first: &mut first, second: &mut second, third: &mut [] };
            dense::step(kernels, (&optimizer, step), parameter, &grad, ROWS).expect("sizes fit");
        });
        let memcpy = measured(ROWS * DIM, || black_box(&mut copy).copy_from_slice(&source));
        println!("{}: a dense step {dense:.2} ns an element; a copy of its traffic {memcpy:.2}", kernels.isa().name());
        for gap in [1, 10, 30, 100, 300, 1000, 3000] {
            let numbers = |step| match optimizer.update::<f32>(step).expect("steps on elements") {
                Update::Adam(adam) => adam,
                _ => unreachable!("it is Adam"),
            };
            let steps: Vec<_> = (step + 1..=step + gap).map(numbers).collect();
            let rows = (ROWS * 10 / (gap as usize).max(10)).min(4000);
            let of = |fresh: bool| {
                measured(rows * DIM, || {
                    for row in 0..rows {
                        let at = row * DIM..(row + 1) * DIM;
                        let (mut p, mut m, mut v) = ([0.0; DIM], [0.0; DIM], [0.0; DIM]);
                        p.copy_from_slice(&param[at.clone()]);
                        if !fresh {
                            m.copy_from_slice(&first[at.clone()]);
                            v.copy_from_slice(&second[at]);
                        }
                        let replay = Replay { param: &mut p, first: &mut m, second: &mut v, steps: &steps, fresh };
                        kernels.replay(replay);
                        black_box((&p, &m, &v));
                    }
                }) / gap as f64
            };
            println!("  {gap} missed: {:.3} ns an element and step, {:.3} of a fresh row", of(false), of(true));
        }
    }
}
