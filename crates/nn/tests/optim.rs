//! Optimizers: steps on rows equal steps on the whole table, rows that catch up equal those that never lagged, and
//! threads change nothing.

#![allow(clippy::expect_used, reason = "helpers of tests")]

use std::ops::Range;
use std::sync::Mutex;
use tokenbed_core::ids::{BadIds, IdSlice};
use tokenbed_kernels::dispatch;
use tokenbed_nn::optim::AdjustLr;
use tokenbed_nn::optim::lazy::Lazy;
use tokenbed_nn::optim::{
    Adafactor, Adagrad, Adam, AdamW, AdamWNumbers, Idle, Lion, Muon, Optimizer, Parameter, RmsProp, RowWiseAdagrad,
    Sgd, SparseAdam, clip, dense, rows,
};
use tokenbed_nn::options::Epsilons;
use tokenbed_nn::row_grad::GradRows;
use tokenbed_testkit::compare::assert_same_bits;
use tokenbed_testkit::random::Random;
use tokenbed_threads::set_num_threads;

/// The number of threads is global to the process, so only one test at a time changes it.
static THREADS: Mutex<()> = Mutex::new(());

fn optimizers() -> Vec<Optimizer> {
    let mut all = Vec::new();
    for weight_decay in [0.0, 0.02] {
        for (momentum, nesterov) in [(0.0, false), (0.9, false), (0.9, true)] {
            let maximize = nesterov;
            all.push(Optimizer::Sgd(Sgd { lr: 0.1, momentum, nesterov, weight_decay, dampening: 0.0, maximize }));
        }
        let (lr, betas, eps) = (1e-2, [0.9, 0.999], 1e-8);
        for (amsgrad, maximize) in [(false, false), (true, false), (false, true)] {
            all.push(Optimizer::Adam(Adam { lr, betas, eps, weight_decay, amsgrad, maximize }));
            let numbers = AdamWNumbers { lr, betas, eps, weight_decay };
            all.push(Optimizer::AdamW(AdamW { numbers, amsgrad, maximize }));
        }
        for maximize in [false, true] {
            let initial_accumulator_value = 0.0;
            all.push(Optimizer::Adagrad(Adagrad {
                lr: 0.1,
                eps: 1e-10,
                weight_decay,
                initial_accumulator_value,
                lr_decay: 0.1,
                maximize,
            }));
            all.push(Optimizer::Lion(Lion { lr, betas, weight_decay, maximize }));
        }
        for (momentum, centered) in [(0.0, false), (0.9, false), (0.0, true), (0.9, true)] {
            let alpha = 0.99;
            all.push(Optimizer::RmsProp(RmsProp {
                lr,
                alpha,
                eps,
                weight_decay,
                momentum,
                centered,
                maximize: centered,
            }));
        }
    }
    all.push(Optimizer::SparseAdam(SparseAdam { lr: 1e-2, betas: [0.9, 0.999], eps: 1e-8, maximize: false }));
    all.push(Optimizer::RowWiseAdagrad(RowWiseAdagrad { lr: 0.1, eps: 1e-8, weight_decay: 0.0, decoupled: false }));
    all
}

/// A gradient whose rows are summed when they are read.
struct Grad {
    ids: Vec<u32>,
    places: Vec<Vec<usize>>,
    out: Vec<f32>,
    dim: usize,
}

impl Grad {
    fn new(batch: &[u32], dim: usize, random: &mut Random) -> Self {
        let mut ids = batch.to_vec();
        ids.sort_unstable();
        ids.dedup();
        let places = ids.iter().map(|id| (0..batch.len()).filter(|&at| batch[at] == *id).collect()).collect();
        Self { ids, places, out: random.units(batch.len() * dim), dim }
    }

    fn written_out(&self, rows: usize) -> Vec<f32> {
        let mut table = vec![0.0; rows * self.dim];
        for (i, &id) in self.ids.iter().enumerate() {
            let mut scratch = vec![0.0; self.dim];
            table[id as usize * self.dim..][..self.dim].copy_from_slice(self.row(i, 0..self.dim, &mut scratch));
        }
        table
    }
}

impl GradRows for Grad {
    fn ids(&self) -> &[u32] {
        &self.ids
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn occurrences(&self, i: usize) -> usize {
        self.places[i].len()
    }

    fn row<'a>(&'a self, i: usize, columns: Range<usize>, scratch: &'a mut [f32]) -> &'a [f32] {
        scratch.fill(0.0);
        for place in &self.places[i] {
            let row = &self.out[place * self.dim..][..self.dim][columns.clone()];
            scratch.iter_mut().zip(row).for_each(|(sum, g)| *sum += g);
        }
        scratch
    }
}

/// Ids with the frequencies of text: the k-th most frequent is k times rarer than the first.
fn zipf(random: &mut Random, len: usize, rows: usize) -> Vec<u32> {
    let id = |random: &mut Random| ((rows as f64).powf((random.unit() + 1.0) / 2.0) - 1.0) as u32;
    (0..len).map(|_| id(random).min(rows as u32 - 1)).collect()
}

/// A table and its state.
#[derive(Clone)]
struct Held {
    param: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
    third: Vec<f32>,
}

impl Held {
    fn new(optimizer: &Optimizer, rows: usize, dim: usize, random: &mut Random) -> Self {
        let [first, second, third] =
            optimizer.update::<f32>(1).expect("steps on elements").state(dim).map(|width| vec![0.0; rows * width]);
        Self { param: random.units(rows * dim), first, second, third }
    }

    fn parameter(&mut self) -> Parameter<'_, f32> {
        let Self { param, first, second, third } = self;
        Parameter { param, first, second, third }
    }

    /// The bits of a row of three, and of all that is kept of it.
    fn row(&self, row: usize) -> Vec<u32> {
        let of = |all: &Vec<f32>| {
            let width = all.len() / 3;
            all[row * width..(row + 1) * width].iter().map(|value| value.to_bits()).collect::<Vec<_>>()
        };
        [&self.param, &self.first, &self.second, &self.third].map(of).concat()
    }

    fn assert_same(&self, other: &Held, what: &str) {
        assert_same_bits(&self.param, &other.param, &format!("{what}: table"));
        assert_same_bits(&self.first, &other.first, &format!("{what}: first state"));
        assert_same_bits(&self.second, &other.second, &format!("{what}: second state"));
        assert_same_bits(&self.third, &other.third, &format!("{what}: third state"));
    }
}

#[test]
fn rows_give_the_bits_of_the_whole_table_at_any_number_of_threads() {
    let _guard = THREADS.lock();
    for (rows, dim, batch) in [(1, 1, 3), (7, 5, 4), (600, 96, 5000)] {
        for optimizer in optimizers() {
            let mut random = Random::new(11);
            let start = Held::new(&optimizer, rows, dim, &mut random);
            let grads: Vec<Grad> =
                (0..4).map(|_| Grad::new(&zipf(&mut random, batch, rows), dim, &mut random)).collect();
            let run = |threads: usize, by_rows: bool| {
                set_num_threads(threads).expect("a number");
                let mut held = start.clone();
                for (step, grad) in grads.iter().enumerate() {
                    let at = (&optimizer, step as u64 + 1);
                    let done = if by_rows {
                        rows::step(dispatch::active(), at, held.parameter(), grad, rows)
                    } else {
                        dense::step(dispatch::active(), at, held.parameter(), &grad.written_out(rows), rows)
                    };
                    done.expect("sizes fit");
                }
                held
            };
            let wanted = run(1, true);
            // SparseAdam on rows differs from Adam on the whole table with zeros.
            let whole = !matches!(optimizer, Optimizer::SparseAdam(_));
            for threads in [1, 2, 8] {
                run(threads, true).assert_same(&wanted, &format!("{optimizer:?}, rows, {threads} threads"));
                if whole {
                    run(threads, false).assert_same(&wanted, &format!("{optimizer:?}, whole, {threads} threads"));
                }
            }
        }
    }
}

/// A learning rate that warms up, falls, and is 0 at the end.
fn rate(step: u64, steps: u64) -> f64 {
    1e-2 * (step as f64 / 20.0).min(1.0) * (1.0 - step as f64 / steps as f64)
}

#[test]
fn rows_that_catch_up_have_the_bits_of_rows_that_never_lagged() {
    let _guard = THREADS.lock();
    const STEPS: u64 = 400;
    let (rows, dim) = (300, 40);
    let (betas, eps) = ([0.9, 0.999], 1e-8);
    let decoupled = |weight_decay| move |lr| Optimizer::AdamW(AdamWNumbers { lr, betas, eps, weight_decay }.into());
    let coupled = |lr| Optimizer::Adam(Adam { lr, betas, eps, weight_decay: 0.01, amsgrad: false, maximize: true });
    let all: [(&str, &dyn Fn(f64) -> Optimizer); 3] =
        [("AdamW 0.1", &decoupled(0.1)), ("AdamW 0", &decoupled(0.0)), ("Adam 0.01", &coupled)];
    for (name, at_rate) in all {
        for threads in [1, 2, 8] {
            set_num_threads(threads).expect("a number");
            let mut random = Random::new(5);
            let mut ours = Held::new(&at_rate(0.0), rows, dim, &mut random);
            let mut wanted = ours.clone();
            let mut lazy = Lazy::new(rows, dim, true);
            let mut scratch = Vec::new();
            for step in 1..=STEPS {
                let optimizer = at_rate(rate(step, STEPS));
                let batch = zipf(&mut random, 24, rows);
                let kernels = dispatch::active();
                let ids = (IdSlice::U32(&batch), BadIds::Throw);
                lazy.catch_up(kernels, ours.parameter(), ids, &mut scratch).expect("ids are good");
                for &id in &batch {
                    let row = id as usize * dim..(id as usize + 1) * dim;
                    let what = format!("row {id} as step {step} reads it, {name}");
                    assert_same_bits(&ours.param[row.clone()], &wanted.param[row], &what);
                }
                // The last id of the batch gets no gradient: an id may be read without being learned.
                let grad = Grad::new(&batch[..23], dim, &mut random);
                let at = (&optimizer, step);
                lazy.step(kernels, at, ours.parameter(), &grad).expect("sizes fit");
                dense::step(kernels, at, wanted.parameter(), &grad.written_out(rows), rows).expect("sizes fit");
                if step % 150 == 0 {
                    lazy.flush(kernels, ours.parameter()).expect("sizes fit");
                    ours.assert_same(&wanted, &format!("after flush at step {step}"));
                }
            }
            assert!(lazy.lags());
            lazy.flush(dispatch::active(), ours.parameter()).expect("sizes fit");
            assert!(!lazy.lags());
            ours.assert_same(&wanted, &format!("{name}, {threads} threads"));
        }
    }
}

/// Steps are recorded up to a limit; then every row takes them, and they are forgotten.
#[test]
fn a_row_may_lag_for_ever() {
    const STEPS: u64 = 66_000;
    let (rows, dim) = (3, 2);
    let mut random = Random::new(5);
    let (lr, betas, eps) = (1e-3, [0.9, 0.999], 1e-8);
    let adam = Optimizer::AdamW(AdamWNumbers { lr, betas, eps, weight_decay: 0.01 }.into());
    let mut ours = Held::new(&adam, rows, dim, &mut random);
    let mut wanted = ours.clone();
    let mut lazy = Lazy::new(rows, dim, true);
    for step in 1..=STEPS {
        let grad = Grad::new(if step == 1 { &[0, 1] } else { &[1] }, dim, &mut random);
        let at = (&adam, step);
        lazy.step(dispatch::active(), at, ours.parameter(), &grad).expect("sizes fit");
        dense::step(dispatch::active(), at, wanted.parameter(), &grad.written_out(rows), rows).expect("sizes fit");
    }
    lazy.flush(dispatch::active(), ours.parameter()).expect("sizes fit");
    ours.assert_same(&wanted, "after so many steps");
}

#[test]
fn idle_rows_stay_if_the_optimizer_says_so() {
    for optimizer in optimizers() {
        let mut random = Random::new(8);
        let mut held = Held::new(&optimizer, 3, 4, &mut random);
        for step in 1..=2 {
            let grad = Grad::new(&[0, 2], 4, &mut random);
            rows::step(dispatch::active(), (&optimizer, step), held.parameter(), &grad, 3).expect("sizes fit");
        }
        let before = held.clone();
        let grad = Grad::new(&[1], 4, &mut random);
        rows::step(dispatch::active(), (&optimizer, 3), held.parameter(), &grad, 3).expect("sizes fit");
        assert_eq!(held.row(0) == before.row(0), optimizer.manner().idle == Idle::Stays, "{optimizer:?}");
    }
}

#[test]
fn sizes_that_do_not_fit_change_nothing() {
    for optimizer in optimizers() {
        let mut random = Random::new(9);
        let start = Held::new(&optimizer, 3, 4, &mut random);
        let grad = Grad::new(&[0, 2], 4, &mut random);
        let at = (&optimizer, 1);
        for rows in [2, 4] {
            let mut held = start.clone();
            let refused = rows::step(dispatch::active(), at, held.parameter(), &grad, rows);
            assert_eq!(refused.expect_err("another size").code(), "SHAPE");
            held.assert_same(&start, "nothing written");
        }
        let mut held = start.clone();
        assert!(dense::step(dispatch::active(), at, held.parameter(), &[0.0; 11], 3).is_err());
        held.assert_same(&start, "nothing written");
        let beyond = Grad::new(&[0, 3], 4, &mut random);
        assert!(rows::step(dispatch::active(), at, held.parameter(), &beyond, 3).is_err());
        held.assert_same(&start, "nothing written");
    }
}

#[test]
fn sums_of_squares_are_the_same_dense_and_in_rows_on_any_number_of_threads() {
    let _guard = THREADS.lock();
    let mut random = Random::new(3);
    let (rows, dim) = (2000, 200);
    let grad = Grad::new(&zipf(&mut random, 3000, rows), dim, &mut random);
    let dense = grad.written_out(rows);
    let kernels = dispatch::active();
    let naive: f64 = dense.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    let wanted = clip::sum_squares(kernels, &dense, dim).expect("whole rows");
    assert!((wanted - naive).abs() <= 1e-12 * naive);
    for threads in [1, 2, 8] {
        set_num_threads(threads).expect("a number");
        assert_eq!(clip::sum_squares(kernels, &dense, dim).expect("whole rows").to_bits(), wanted.to_bits());
        assert_eq!(clip::sum_squares_of_rows(kernels, &grad).to_bits(), wanted.to_bits());
        let flat = clip::sum_squares(kernels, &dense, 0).expect("no rows");
        assert!((flat - naive).abs() <= 1e-12 * naive);
    }
    assert!(clip::sum_squares(kernels, &dense[1..], dim).is_err());
}

#[test]
fn clamps_and_scales() {
    let mut values = [-3.0, -0.5, 0.0, 2.0, f32::NAN, f32::INFINITY];
    clip::clamp(&mut values, 1.0);
    assert_eq!(values[..4], [-1.0, -0.5, 0.0, 1.0]);
    assert!(values[4].is_nan() && values[5] == 1.0);
    clip::scale(&mut values[..4], 0.5);
    assert_eq!(values[..4], [-0.5, -0.25, 0.0, 0.5]);
}

/// A parameter of this shape, with state of these lengths, and a gradient: what a step on the whole of it says.
fn whole(optimizer: &Optimizer, shape: &[usize], len: usize, states: [usize; 3], grad: usize) -> Result<(), String> {
    let zeros = |len| vec![0.0f32; len];
    let (mut param, [mut first, mut second, mut third]) = (zeros(len), states.map(zeros));
    let parameter = Parameter { param: &mut param, first: &mut first, second: &mut second, third: &mut third };
    optimizer.step_whole(dispatch::active(), 1, parameter, &zeros(grad), shape).map_err(|error| error.to_string())
}

#[test]
fn steps_on_whole_parameters_check_their_sizes() {
    let adafactor = Optimizer::Adafactor(Adafactor {
        lr: 0.1,
        beta2_decay: -0.8,
        eps: Epsilons(None, 1e-3),
        d: 1.0,
        weight_decay: 0.1,
        maximize: false,
    });
    let muon = Optimizer::Muon(Muon {
        lr: 0.1,
        weight_decay: 0.1,
        momentum: 0.9,
        nesterov: true,
        ns_coefficients: [3.4445, -4.775, 2.0315],
        eps: 1e-7,
        ns_steps: 5,
        adjust_lr_fn: AdjustLr::Original,
    });
    for (shape, len, states) in
        [(&[3, 4][..], 12, [3, 4, 0]), (&[2, 3, 4], 24, [6, 8, 0]), (&[5], 5, [0, 0, 5]), (&[], 1, [0, 0, 1])]
    {
        assert_eq!(whole(&adafactor, shape, len, states, len), Ok(()), "{shape:?}");
        assert!(whole(&adafactor, shape, len, states, len + 1).is_err(), "{shape:?}");
        assert!(whole(&adafactor, shape, len, [states[0] + 1, states[1], states[2]], len).is_err(), "{shape:?}");
    }
    assert!(whole(&adafactor, &[usize::MAX, 2], 4, [2, 2, 0], 4).is_err());
    assert_eq!(whole(&adafactor, &[0, 4], 0, [0, 4, 0], 0), Ok(()));
    assert_eq!(whole(&muon, &[3, 4], 12, [12, 0, 0], 12), Ok(()));
    assert_eq!(whole(&muon, &[0, 4], 0, [0, 0, 0], 0), Ok(()));
    for (shape, len, states, grad) in
        [(&[12][..], 12, [12, 0, 0], 12), (&[3, 4], 12, [11, 0, 0], 12), (&[3, 4], 12, [12, 0, 0], 11)]
    {
        assert!(whole(&muon, shape, len, states, grad).is_err(), "{shape:?}");
    }
    assert!(whole(&optimizers()[0], &[3, 4], 12, [0, 0, 0], 12).is_err(), "it steps on elements");
    assert!(muon.update::<f32>(1).is_err(), "it steps on whole parameters");
}
