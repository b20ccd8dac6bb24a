//! optim: one step of an optimizer on the elements of a parameter, or on a row of it.
//!
//! The contract is in each rule's file. Only the row-wise rule uses more than one element at a time, so the definition
//! is a plain loop, generic over f32 and f64. Each instruction set has the same loop compiled for it, except for
//! [`Adam::lanes`]. Fused multiply-adds are written out where PyTorch's CPU kernels contract them (both with AVX2 and
//! AVX-512; its build without vectors does not). Square roots are rounded correctly, whereas PyTorch takes them from
//! MKL, whose last bit is wrong for one number in six.

pub mod adagrad;
pub mod adam;
pub mod lion;
pub mod replay;
pub mod rmsprop;
pub mod row_adagrad;
mod sample;
pub mod sgd;
mod slots;
pub mod sparse_adam;

use crate::dispatch::{Kernels, arms};
use crate::lanes::narrow::NarrowLanes;
use crate::probe::{DIMS, Element, Framed, Probe, Results};
use crate::real::{PerReal, Real};
use crate::rows::total::halved;
use adagrad::Adagrad;
use adam::Adam;
use lion::Lion;
use rmsprop::RmsProp;
use row_adagrad::RowAdagrad;
use sample::{reals, record, squares};
use sgd::{Momentum, Sgd};
pub use slots::Slots;
use sparse_adam::SparseAdam;

arms!(UPDATE_F32: fn(rule: &Update<f32>, slots: Slots<'_, f32>), update_lanes<L>, update::<f32>);
arms!(UPDATE_F64: fn(rule: &Update<f64>, slots: Slots<'_, f64>), update::<f64>, update::<f64>);
arms!(SQUARES_F32: fn(values: &[f32]) -> f64, sum_squares::<f32>, sum_squares::<f32>);
arms!(SQUARES_F64: fn(values: &[f64]) -> f64, sum_squares::<f64>, sum_squares::<f64>);

struct Updates;
impl PerReal for Updates {
    type Of<F: Real> = unsafe fn(&Update<F>, Slots<'_, F>);
}

struct Squares;
impl PerReal for Squares {
    type Of<F: Real> = unsafe fn(&[F]) -> f64;
}

/// The rule of one step, with its numbers rounded to the parameter's type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Update<F> {
    /// [`Sgd`]: no state.
    Sgd(Sgd<F>),
    /// [`Momentum`]: `first` is the velocity.
    Momentum(Momentum<F>),
    /// [`Adam`]: `first` and `second` are the moments.
    Adam(Adam<F>),
    /// [`SparseAdam`]: `first` and `second` are the moments.
    SparseAdam(SparseAdam<F>),
    /// [`Adagrad`]: `first` is the sum of squares.
    Adagrad(Adagrad<F>),
    /// [`RowAdagrad`]: `first` has one number for the row.
    RowAdagrad(RowAdagrad<F>),
    /// [`Adam`] with the moments in `first` and `second`, and the largest second moment so far in `third`.
    AmsGrad(Adam<F>),
    /// [`RmsProp`]: one to three states.
    RmsProp(RmsProp<F>),
    /// [`Lion`]: `first` is the moment.
    Lion(Lion<F>),
}

impl<F: Real> Update<F> {
    /// The lengths of `first`, `second` and `third` for `len` elements of a parameter.
    pub fn state(&self, len: usize) -> [usize; 3] {
        match self {
            Update::Sgd(_) => [0; 3],
            Update::Momentum(_) | Update::Adagrad(_) | Update::Lion(_) => [len, 0, 0],
            Update::Adam(_) | Update::SparseAdam(_) => [len, len, 0],
            Update::AmsGrad(_) => [len; 3],
            Update::RowAdagrad(_) => [1, 0, 0],
            Update::RmsProp(rule) => [1, 2, 3].map(|state| if rule.states() >= state { len } else { 0 }),
        }
    }
}

impl Kernels {
    /// Does one step.
    ///
    /// # Panics
    /// If the slices do not have the lengths that the rule requires, which is a bug in the caller.
    pub fn update<F: Real>(self, update: &Update<F>, slots: Slots<'_, F>) {
        let len = slots.param.len();
        assert!(slots.grad.len() == len, "update: a gradient of another size");
        assert!(
            update.state(len) == [slots.first.len(), slots.second.len(), slots.third.len()],
            "update: state of another size"
        );
        // SAFETY: `self` proves that the instruction set runs here.
        unsafe { F::choose::<Updates>(UPDATE_F32.on(self), UPDATE_F64.on(self))(update, slots) }
    }

    /// The sum of squares in f64. It has sixteen lanes, each with every sixteenth element, which are halved at the end,
    /// so the bits are the same on every instruction set.
    pub fn sum_squares<F: Real>(self, values: &[F]) -> f64 {
        // SAFETY: `self` proves that the instruction set runs here.
        unsafe { F::choose::<Squares>(SQUARES_F32.on(self), SQUARES_F64.on(self))(values) }
    }
}

/// Prefetches the cache lines of a slice that is about to be read and written. This is only advice.
#[inline]
pub fn prefetch<T>(slice: &[T]) {
    /// The bytes of a cache line.
    const LINE: usize = 64;
    let start = slice.as_ptr().cast::<u8>();
    for at in (0..size_of_val(slice)).step_by(LINE) {
        prefetch_line(start.wrapping_add(at));
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn prefetch_line(at: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: SSE is part of x86-64; a prefetch never faults.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
}

#[cfg(target_arch = "aarch64")]
#[inline(always)]
fn prefetch_line(at: *const u8) {
    // SAFETY: a prefetch never faults and changes no register or memory.
    unsafe { std::arch::asm!("prfm pldl1keep, [{at}]", at = in(reg) at, options(nostack, preserves_flags, readonly)) }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn prefetch_line(_: *const u8) {}

/// The reference, and the body for every instruction set.
#[inline(always)]
fn update<F: Real>(update: &Update<F>, slots: Slots<'_, F>) {
    match *update {
        Update::Sgd(rule) => rule.step(slots),
        Update::Momentum(rule) => rule.step(slots),
        Update::Adam(rule) => rule.step(slots),
        Update::SparseAdam(rule) => rule.step(slots),
        Update::Adagrad(rule) => rule.step(slots),
        Update::RowAdagrad(rule) => rule.step(slots),
        Update::AmsGrad(rule) => rule.step_with_most(slots),
        Update::RmsProp(rule) => rule.step(slots),
        Update::Lion(rule) => rule.step(slots),
    }
}

/// Does the same as [`update`], with AdamW written in vectors.
///
/// # Safety
/// The machine has `L`'s instruction set; [`Kernels::update`] checked the slices.
#[inline(always)]
unsafe fn update_lanes<L: NarrowLanes>(rule: &Update<f32>, slots: Slots<'_, f32>) {
    match *rule {
        // SAFETY: as the caller promises.
        Update::Adam(adam) if adam.is_plain() => unsafe { adam.lanes::<L>(slots) },
        _ => update(rule, slots),
    }
}

/// The number of lanes in the sum of squares.
const LANES: usize = 16;

#[inline(always)]
fn sum_squares<F: Real>(values: &[F]) -> f64 {
    let mut lanes = [0.0; LANES];
    let blocks = values.chunks_exact(LANES);
    let rest = blocks.remainder();
    for block in blocks {
        for (lane, x) in lanes.iter_mut().zip(block) {
            *lane += x.wide() * x.wide();
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane += x.wide() * x.wide();
    }
    halved(lanes)
}

/// A step by every rule, for f32 or f64, and the sum of squares that gradient clipping uses.
pub(crate) const PROBE: Probe = Probe { name: "update", line: "steps", sizes: &[32, 64], run: probe };

fn probe(kernels: Kernels, bits: usize, results: &mut Results) {
    if bits == 32 { steps::<f32>(kernels, results) } else { steps::<f64>(kernels, results) }
}

fn steps<F: Real + Element>(kernels: Kernels, results: &mut Results) {
    for dim in DIMS {
        let grad = reals::<F>(dim, 139);
        for rule in rules::<F>() {
            let [first_len, second_len, third_len] = rule.state(dim);
            let signed = matches!(
                rule,
                Update::Momentum(_) | Update::Adam(_) | Update::AmsGrad(_) | Update::SparseAdam(_) | Update::Lion(_)
            );
            let mut param = Framed::new(&reals::<F>(dim, 149));
            let mut first = Framed::new(&if signed { reals::<F>(first_len, 151) } else { squares(first_len, 151) });
            let mut second = Framed::new(&squares::<F>(second_len, 157));
            let mut third = Framed::new(&squares::<F>(third_len, 163));
            let slots =
                Slots { param: &mut param, grad: &grad, first: &mut first, second: &mut second, third: &mut third };
            kernels.update(&rule, slots);
            [param, first, second, third].iter().for_each(|written| record(results, written));
        }
        results.put(&[kernels.sum_squares(&grad)]);
    }
}

/// Every rule, with its variants.
fn rules<F: Real>() -> [Update<F>; 16] {
    let [lr, weight_decay, momentum, eps, w1, w2] = [0.1, 0.01, 0.9, 1e-8, 0.1, 0.001].map(F::round);
    let [alpha, half, beta1, beta2] = [0.99, 0.5, 0.9, 0.999].map(F::round);
    let rms = |momentum, centered| {
        // The squares that probes start from are not those of the centers: a centered root may be of a negative number.
        Update::RmsProp(RmsProp { lr, alpha, share: w2, eps, weight_decay, momentum, centered })
    };
    let sgd = Sgd { lr, weight_decay };
    [
        Update::Sgd(sgd),
        Update::Momentum(Momentum { sgd, momentum, share: F::ONE, nesterov: false, first: false }),
        Update::Momentum(Momentum { sgd, momentum, share: half, nesterov: false, first: false }),
        Update::Momentum(Momentum { sgd, momentum, share: F::ONE, nesterov: true, first: false }),
        Update::Adam(adam::sample(0.999_99, 0.0, 0.1)),
        Update::Adam(adam::sample(1.0, 0.01, 0.7)),
        Update::SparseAdam(SparseAdam { w1, w2, size: lr, eps }),
        Update::Adagrad(Adagrad { lr, eps, weight_decay }),
        Update::RowAdagrad(RowAdagrad { lr, eps, weight_decay: F::ZERO, keep: F::ONE }),
        Update::RowAdagrad(RowAdagrad { lr, eps, weight_decay: F::ZERO, keep: beta2 }),
        Update::RowAdagrad(RowAdagrad { lr, eps, weight_decay, keep: F::ONE }),
        Update::AmsGrad(adam::sample(0.999_99, 0.0, 0.1)),
        rms(F::ZERO, false),
        rms(momentum, false),
        rms(momentum, true),
        Update::Lion(Lion { lr, decay: beta2, beta1, w1, beta2, w2 }),
    ]
}
