//! Measures steps on rows, without Node, relative to copying what they read and write. For tuning.
//!
//! `cargo run --release -p tokenbed-nn --example optim_rows_speed [ids] [dim]`
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, reason = "a tool that prints")]

use std::hint::black_box;
use std::time::Instant;
use tokenbed_core::storage::Storage;
use tokenbed_kernels::dispatch;
use tokenbed_nn::optim::{Adagrad, Optimizer, Parameter, RowWiseAdagrad, Sgd, SparseAdam, rows};
use tokenbed_nn::row_grad::{GradRows, Order, OrderOut, OrderScratch, Pending};
use tokenbed_testkit::random::Random;
use tokenbed_threads::set_num_threads;

const ROWS: usize = 50257;
const ROUNDS: usize = 41;

fn table(elements: usize) -> Storage {
    Storage::zeroed(elements * 4).unwrap()
}

fn main() {
    set_num_threads(1).unwrap();
    let mut numbers = std::env::args().skip(1).map(|arg| arg.parse::<usize>().expect("a number"));
    let (count, dim) = (numbers.next().unwrap_or(32768), numbers.next().unwrap_or(768));
    let mut random = Random::new(1);
    let mut storages = [table(ROWS * dim), table(ROWS * dim), table(ROWS * dim), table(count * dim)];
    let [param, first, second, grad] = storages.each_mut().map(|storage| storage.elements_mut::<f32>().unwrap());
    grad.copy_from_slice(&random.units(count * dim));
    for zipf in [false, true] {
        let id = |random: &mut Random| {
            let u = (random.unit() + 1.0) / 2.0;
            if zipf { (ROWS as f64).powf(u) - 1.0 } else { u * ROWS as f64 }
        };
        let batch: Vec<u32> = (0..count).map(|_| (id(&mut random) as u32).min(ROWS as u32 - 1)).collect();
        let mut block = vec![0; 3 * count + 1];
        let mut out = OrderOut::in_block(&mut block, count).unwrap();
        let (unique, _) = OrderScratch::default().sort(&batch, ROWS, None, &mut out).unwrap();
        let order = Order::in_block(&block, count, unique).unwrap();
        let kernels = dispatch::active();
        let grad = Pending::new(kernels, order, grad, dim, None).unwrap();
        let optimizers = [
            (
                "SGD",
                2,
                Optimizer::Sgd(Sgd {
                    lr: 1e-3,
                    momentum: 0.0,
                    dampening: 0.0,
                    nesterov: false,
                    weight_decay: 0.0,
                    maximize: false,
                }),
            ),
            (
                "row-wise Adagrad",
                2,
                Optimizer::RowWiseAdagrad(RowWiseAdagrad { lr: 1e-3, eps: 1e-8, weight_decay: 0.0, decoupled: false }),
            ),
            (
                "Adagrad",
                4,
                Optimizer::Adagrad(Adagrad {
                    lr: 1e-3,
                    lr_decay: 0.0,
                    eps: 1e-8,
                    weight_decay: 0.0,
                    initial_accumulator_value: 0.0,
                    maximize: false,
                }),
            ),
            (
                "SparseAdam",
                6,
                Optimizer::SparseAdam(SparseAdam { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, maximize: false }),
            ),
        ];
        println!("{} ids x {dim}, {}, {} different", count, if zipf { "zipf" } else { "uniform" }, grad.ids().len());
        for (name, moves, optimizer) in optimizers {
            let [a, b, _] = optimizer.update::<f32>(1).expect("steps on elements").state(dim);
            let elements = (count + moves * unique) * dim / 2;
            let (mut copy, source) = (vec![1.0f32; elements], vec![2.0f32; elements]);
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            for step in 1..=ROUNDS as u64 {
                let start = Instant::now();
                black_box(&mut copy).copy_from_slice(black_box(&source));
                theirs.push(start.elapsed().as_secs_f64() * 1e3);
                let start = Instant::now();
                let (first, second) = (&mut first[..ROWS * a], &mut second[..ROWS * b]);
                let parameter = Parameter { param: &mut *param, first, second, third: &mut [] };
                rows::step(kernels, (&optimizer, step), parameter, &grad, ROWS).unwrap();
                ours.push(start.elapsed().as_secs_f64() * 1e3);
            }
            ours.sort_by(f64::total_cmp);
            theirs.sort_by(f64::total_cmp);
            let (ours, theirs) = (ours[1], theirs[1]);
            println!("  {name}: {ours:.2} ms, {:.2} times a copy of its traffic", theirs / ours);
        }
    }
}
