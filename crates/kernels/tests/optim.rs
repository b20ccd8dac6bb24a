//! Optimizers: every instruction set has the bits of plain Rust.

#![allow(clippy::expect_used, reason = "helpers of tests")]

use tokenbed_kernels::dispatch::{self, Kernels};
use tokenbed_kernels::isa::Isa;
use tokenbed_kernels::ops::learn::optim::adagrad::Adagrad;
use tokenbed_kernels::ops::learn::optim::adam::Adam;
use tokenbed_kernels::ops::learn::optim::lion::Lion;
use tokenbed_kernels::ops::learn::optim::replay::Replay;
use tokenbed_kernels::ops::learn::optim::rmsprop::RmsProp;
use tokenbed_kernels::ops::learn::optim::row_adagrad::RowAdagrad;
use tokenbed_kernels::ops::learn::optim::sgd::{Momentum, Sgd};
use tokenbed_kernels::ops::learn::optim::sparse_adam::SparseAdam;
use tokenbed_kernels::ops::learn::optim::{Slots, Update};
use tokenbed_kernels::real::Real;
use tokenbed_testkit::place::Guarded;
use tokenbed_testkit::random::{DIMS, Random};

fn real<F: Real>(x: f64) -> F {
    F::round(x)
}

/// Adam at a step, with its numbers computed as in the layers above.
fn adam<F: Real>(t: i32, lr: f64, betas: (f64, f64), eps: f64, decay: f64, l2: f64) -> Adam<F> {
    Adam {
        decay: real(1.0 - lr * decay),
        l2: real(l2),
        w1: real(1.0 - betas.0),
        beta2: real(betas.1),
        w2: real(1.0 - betas.1),
        size: real(lr / (1.0 - betas.0.powi(t))),
        root: real((1.0 - betas.1.powi(t)).sqrt()),
        eps: real(eps),
    }
}

fn rules<F: Real>() -> Vec<Update<F>> {
    let mut rules = Vec::new();
    for weight_decay in [0.0, 0.01] {
        let sgd = Sgd { lr: real(0.1), weight_decay: real(weight_decay) };
        rules.push(Update::Sgd(sgd));
        for (nesterov, first) in [(false, true), (false, false), (true, false)] {
            rules.push(Update::Momentum(Momentum { sgd, momentum: real(0.9), share: real(0.75), nesterov, first }));
        }
        for betas in [(0.9, 0.999), (0.3, 0.5)] {
            rules.push(Update::Adam(adam(7, 1e-3, betas, 1e-8, weight_decay, 0.0)));
            rules.push(Update::Adam(adam(7, 1e-3, betas, 1e-8, 0.0, weight_decay)));
        }
        rules.push(Update::Adagrad(Adagrad { lr: real(0.1), eps: real(1e-10), weight_decay: real(weight_decay) }));
    }
    let (w1, w2) = (real(0.1), real(0.001));
    rules.push(Update::SparseAdam(SparseAdam { w1, w2, size: real(3e-4), eps: real(1e-8) }));
    rules.push(Update::AmsGrad(adam(7, 1e-3, (0.9, 0.999), 1e-8, 0.01, 0.0)));
    for (momentum, centered) in [(0.0, false), (0.9, false), (0.0, true), (0.9, true)] {
        let [lr, alpha, share, eps, weight_decay, momentum] = [0.01, 0.99, 0.01, 1e-8, 0.1, momentum].map(real);
        rules.push(Update::RmsProp(RmsProp { lr, alpha, share, eps, weight_decay, momentum, centered }));
    }
    let [lr, decay, beta1, beta2, w1] = [1e-4, 0.9, 0.9, 0.99, 0.1].map(real);
    rules.push(Update::Lion(Lion { lr, decay, beta1, w1, beta2, w2: real(0.01) }));
    for (weight_decay, keep) in [(0.0, 1.0), (0.1, 1.0), (0.0, 0.99)] {
        let [lr, eps, weight_decay, keep] = [0.1, 1e-8, weight_decay, keep].map(real);
        rules.push(Update::RowAdagrad(RowAdagrad { lr, eps, weight_decay, keep }));
    }
    rules
}

/// Values as in training, some of them zero; or arbitrary bits.
fn values<F: Real>(random: &mut Random, len: usize, awkward: bool) -> Vec<F> {
    if awkward {
        return random.awkward(len).into_iter().map(|x| real(f64::from(x))).collect();
    }
    (0..len).map(|_| if random.below(9) == 0 { F::ZERO } else { real(random.unit()) }).collect()
}

/// Asserts the same bits, except that all NaN count as equal.
#[track_caller]
fn assert_same<F: Real>(ours: &[F], wanted: &[F], what: &str) {
    let same = |a: f64, b: f64| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
    let differs = ours.iter().zip(wanted).position(|(a, b)| !same(a.wide(), b.wide()));
    assert_eq!(ours.len(), wanted.len(), "{what}");
    assert!(differs.is_none(), "{what} at {differs:?}");
}

fn scalar() -> Kernels {
    dispatch::available().find(|kernels| kernels.isa() == Isa::Scalar).expect("plain Rust is everywhere")
}

fn every_arm<F: Real>(awkward: bool) {
    let mut random = Random::new(1);
    for dim in DIMS {
        for rule in rules::<F>() {
            let [first, second, third] = rule.state(dim);
            let magnitudes = |mut values: Vec<F>| {
                values.iter_mut().for_each(|x| *x = x.abs());
                values
            };
            let (param, grad) = (values::<F>(&mut random, dim, awkward), values::<F>(&mut random, dim, awkward));
            let (first, second) =
                (values::<F>(&mut random, first, awkward), magnitudes(values(&mut random, second, awkward)));
            let third = magnitudes(values(&mut random, third, awkward));
            let squares = matches!(rule, Update::Adagrad(_) | Update::RowAdagrad(_) | Update::RmsProp(_));
            let first = if squares { magnitudes(first) } else { first };
            let run = |kernels: Kernels, offset: usize| {
                let guarded = |values: &[F]| {
                    let mut guarded = Guarded::new(values.len(), offset, real::<F>(-12345.5));
                    guarded.copy_from_slice(values);
                    guarded
                };
                let (mut p, g) = (guarded(&param), guarded(&grad));
                let (mut a, mut b, mut c) = (guarded(&first), guarded(&second), guarded(&third));
                let slots = Slots { param: &mut p, grad: &g, first: &mut a, second: &mut b, third: &mut c };
                kernels.update(&rule, slots);
                [p, a, b, c].map(|slot| {
                    slot.assert_guards();
                    slot.to_vec()
                })
            };
            let wanted = run(scalar(), 0);
            for kernels in dispatch::available() {
                for offset in [0, 1, 5] {
                    let what = format!("{} {rule:?} dim {dim} offset {offset}", kernels.isa().name());
                    for (ours, wanted) in run(kernels, offset).iter().zip(&wanted) {
                        assert_same(ours, wanted, &what);
                    }
                }
            }
        }
    }
}

#[test]
fn every_rule_in_float32() {
    every_arm::<f32>(false);
    every_arm::<f32>(true);
}

#[test]
fn every_rule_in_float64() {
    every_arm::<f64>(false);
    every_arm::<f64>(true);
}

#[test]
fn sums_of_squares_have_the_same_bits() {
    let mut random = Random::new(2);
    for len in DIMS.into_iter().chain([0, 100_000]) {
        let values = random.units(len);
        let naive: f64 = values.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        let wanted = scalar().sum_squares(&values);
        assert!((wanted - naive).abs() <= f64::EPSILON * len as f64 * naive, "{wanted} is far from {naive}");
        for kernels in dispatch::available() {
            assert_eq!(kernels.sum_squares(&values).to_bits(), wanted.to_bits(), "{} of {len}", kernels.isa().name());
        }
    }
}

/// A number of any magnitude that F has; some are 0.
fn magnitude<F: Real>(random: &mut Random, spread: f64, centre: f64) -> F {
    if random.below(40) == 0 {
        return F::ZERO;
    }
    real(random.unit().signum() * 2.0f64.powf(centre + spread * random.unit()))
}

struct Case<F> {
    name: String,
    steps: Vec<Adam<F>>,
}

fn cases<F: Real>() -> Vec<Case<F>> {
    let mut cases = Vec::new();
    for betas in
        [(0.9, 0.999), (0.9, 0.9), (0.95, 0.8), (0.5, 0.999), (0.3, 0.999), (0.99, 0.9999), (0.0, 0.999), (0.999, 1.0)]
    {
        for (lr, decay, l2, eps) in [
            (1e-3, 0.0, 0.0, 1e-8),
            (1e-2, 0.1, 0.0, 1e-8),
            (1e-3, 0.0, 0.01, 1e-8),
            (0.5, 0.9, 0.0, 1e-8),
            (1e-3, 0.01, 0.0, 0.0),
            (0.0, 0.01, 0.0, 1e-8),
        ] {
            for (start, gap) in [(1, 1), (1, 15), (3, 170), (10, 1024), (2, 2500)] {
                // The rate rises, falls, and is sometimes 0.
                let lr = |t: i32| lr * f64::from(t % 97) / 96.0;
                let steps = (start..start + gap).map(|t| adam(t, lr(t), betas, eps, decay, l2)).collect();
                cases.push(Case { name: format!("{betas:?} decay {decay} l2 {l2} eps {eps} gap {gap}"), steps });
            }
        }
    }
    cases
}

/// Compares with taking every step in full. Elements have all magnitudes, so that some are always about to become
/// quiet.
fn replayed<F: Real>(dims: &[usize], spread: f64, centres: (f64, f64, f64)) {
    let mut random = Random::new(3);
    for Case { name, steps } in cases::<F>() {
        for &dim in dims {
            let of = |random: &mut Random, centre: f64| -> Vec<F> {
                (0..dim).map(|_| magnitude(random, spread, centre)).collect()
            };
            let (param, first) = (of(&mut random, centres.0), of(&mut random, centres.1));
            let second: Vec<F> = of(&mut random, centres.2).into_iter().map(F::abs).collect();
            for fresh in [false, true] {
                let zeros = vec![F::ZERO; dim];
                let (first, second) = if fresh { (&zeros, &zeros) } else { (&first, &second) };
                let run = |kernels: Kernels| {
                    let (mut p, mut m, mut v) = (param.clone(), first.clone(), second.clone());
                    let replay = Replay { param: &mut p, first: &mut m, second: &mut v, steps: &steps, fresh };
                    kernels.replay(replay);
                    [p, m, v]
                };
                let wanted = run(scalar());
                for kernels in dispatch::available() {
                    for (ours, wanted) in run(kernels).iter().zip(&wanted) {
                        assert_same(ours, wanted, &format!("{} {name} dim {dim} fresh {fresh}", kernels.isa().name()));
                    }
                }
            }
        }
    }
}

#[test]
fn replays_steps_as_in_training() {
    replayed::<f32>(&[1, 33, 160], 10.0, (-6.0, -14.0, -24.0));
    replayed::<f64>(&[33, 64], 20.0, (-6.0, -24.0, -44.0));
}

#[test]
fn replays_steps_of_all_magnitudes() {
    replayed::<f32>(&[96], 140.0, (0.0, -20.0, -40.0));
    replayed::<f32>(&[96], 30.0, (-120.0, -120.0, -120.0));
    replayed::<f64>(&[64], 1000.0, (0.0, -100.0, -200.0));
}
