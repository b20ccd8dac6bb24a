//! replay: the steps of Adam and AdamW that a row missed, because it had no gradient. The result has the same bits as
//! if the steps had been taken.
//!
//! ```text
//! for step in steps: Adam with g = 0
//! ```
//!
//! The first moment shrinks by `beta1` per step, so that soon what is added to the parameter rounds to nothing. From
//! then on square roots and quotients are left out, and a step only computes `p * decay`, `m` and `v`. A proven bound
//! ([`Quiet`]) decides when that is the case, so the bits are the same whichever way is taken, at any vector width.
//! Where the bound does not apply (weight decay as part of the gradient, unusual betas, elements that are 0), every
//! step is taken in full.

use super::adam;
use super::adam::Adam;
use super::sample::{reals, record, squares};
use crate::dispatch::{Kernels, arms};
use crate::probe::{DIMS, Element, Framed, Probe, Results};
use crate::real::{PerReal, Real};

/// The row to replay, with its moments, and the steps in order.
#[derive(Debug)]
pub struct Replay<'a, F> {
    /// A part of a row.
    pub param: &'a mut [F],
    /// The row's first moment.
    pub first: &'a mut [F],
    /// The row's second moment.
    pub second: &'a mut [F],
    /// The steps.
    pub steps: &'a [Adam<F>],
    /// Whether both moments are 0 because the row never had a gradient.
    pub fresh: bool,
}

arms!(REPLAY_F32: fn(replay: Replay<'_, f32>), body::<f32>, reference::<f32>);
arms!(REPLAY_F64: fn(replay: Replay<'_, f64>), body::<f64>, reference::<f64>);

struct Replays;
impl PerReal for Replays {
    type Of<F: Real> = unsafe fn(Replay<'_, F>);
}

impl Kernels {
    /// Replays steps on a part of a row.
    ///
    /// # Panics
    /// If the moments differ in size from the row, which is a bug in the caller.
    pub fn replay<F: Real>(self, replay: Replay<'_, F>) {
        let len = replay.param.len();
        assert!(replay.first.len() == len && replay.second.len() == len, "replay: moments of another size");
        // SAFETY: `self` proves that the instruction set runs here.
        unsafe { F::choose::<Replays>(REPLAY_F32.on(self), REPLAY_F64.on(self))(replay) }
    }
}

/// The reference, which takes every step in full.
fn reference<F: Real>(replay: Replay<'_, F>) {
    for step in replay.steps {
        let moments = replay.first.iter_mut().zip(replay.second.iter_mut());
        for (p, (m, v)) in replay.param.iter_mut().zip(moments) {
            step.element(p, F::ZERO, m, v);
        }
    }
}

/// Elements that are replayed together, so that they stay in registers.
const BLOCK: usize = 32;
/// Steps between two checks whether a block has become quiet.
const LOOK: usize = 16;
/// The number of steps that one bound covers.
const WINDOW: usize = 1024;

/// A faster body with the same bits.
#[inline(always)]
fn body<F: Real>(replay: Replay<'_, F>) {
    let Replay { param, first, second, steps, fresh } = replay;
    if fresh && steps.iter().all(Adam::leaves_zero_moments) {
        if steps.iter().all(|step| step.decay == F::ONE) {
            return;
        }
        for block in param.chunks_mut(BLOCK) {
            decay(block, steps);
        }
        return;
    }
    for window in steps.chunks(WINDOW) {
        let quiet = Quiet::new(window);
        let moments = first.chunks_mut(BLOCK).zip(second.chunks_mut(BLOCK));
        for (p, (m, v)) in param.chunks_mut(BLOCK).zip(moments) {
            // Elements past the end are 1 with moments of 0, so they become quiet at once.
            let mut block = Block { p: [F::ONE; BLOCK], m: [F::ZERO; BLOCK], v: [F::ZERO; BLOCK] };
            let len = p.len();
            block.p[..len].copy_from_slice(p);
            block.m[..len].copy_from_slice(m);
            block.v[..len].copy_from_slice(v);
            block.run(window, quiet);
            p.copy_from_slice(&block.p[..len]);
            m.copy_from_slice(&block.m[..len]);
            v.copy_from_slice(&block.v[..len]);
        }
    }
}

#[inline(always)]
fn decay<F: Real>(block: &mut [F], steps: &[Adam<F>]) {
    let mut p = [F::ONE; BLOCK];
    p[..block.len()].copy_from_slice(block);
    for step in steps {
        for p in &mut p {
            *p = *p * step.decay;
        }
    }
    block.copy_from_slice(&p[..block.len()]);
}

struct Block<F> {
    p: [F; BLOCK],
    m: [F; BLOCK],
    v: [F; BLOCK],
}

impl<F: Real> Block<F> {
    #[inline(always)]
    fn run(&mut self, window: &[Adam<F>], quiet: Option<Quiet<F>>) {
        let mut steps = window;
        while !steps.is_empty() {
            if quiet.is_some_and(|quiet| self.is_quiet(quiet)) {
                return self.shrink(steps);
            }
            let (now, later) = steps.split_at(steps.len().min(LOOK));
            for step in now {
                for i in 0..BLOCK {
                    step.element(&mut self.p[i], F::ZERO, &mut self.m[i], &mut self.v[i]);
                }
            }
            steps = later;
        }
    }

    /// Whether nothing will be added to any of the parameters.
    #[inline(always)]
    fn is_quiet(&self, quiet: Quiet<F>) -> bool {
        let mut all = true;
        for i in 0..BLOCK {
            all &= quiet.holds(self.p[i], self.m[i], self.v[i]);
        }
        all
    }

    /// Steps that add nothing to the parameters.
    #[inline(always)]
    fn shrink(&mut self, steps: &[Adam<F>]) {
        for step in steps {
            for i in 0..BLOCK {
                self.p[i] = self.p[i] * step.decay;
                self.m[i] = step.w1.fused(-self.m[i], self.m[i]);
                self.v[i] = self.v[i] * step.beta2;
            }
        }
    }
}

impl<F: Real> Adam<F> {
    /// Whether a step without a gradient leaves moments of 0 unchanged and only multiplies the parameter by `decay`.
    #[inline(always)]
    fn leaves_zero_moments(&self) -> bool {
        // -size * 0 is -0, and remains -0 after dividing by a positive number. Adding it changes no parameter, not even
        // a zero.
        let weights = self.w1 >= F::ZERO && self.w1 <= F::ONE;
        weights && self.l2 == F::ZERO && self.eps > F::ZERO && self.root > F::ZERO && self.size >= F::ZERO
    }
}

/// A bound for a window of steps. If it [`holds`](Quiet::holds) before one of them, no step from there to the end of
/// the window adds anything to the parameter.
///
/// Let `s` be the largest `size` of the window, `d` its smallest `decay`, `eps` its smallest, `r` and `b` the kept
/// shares of the moments, which are equal in all steps. A step adds at most `s |m| / (sqrt(v) + eps)`, because
/// `root <= 1`. After `j` steps that is, relative to `|p|`, at most `r^j / (sqrt(b) d)^j` times as much as before. It
/// shrinks, because `r < sqrt(b) d` is required with a margin for rounding. Anything below `2^-(DIGITS + 1) |p|` is
/// lost in rounding; the bound requires a quarter of that, so that its own rounding does not matter.
///
/// Numbers below the smallest normal one no longer shrink by `r` and `b`. For `m`, `floor` accounts for that: it is a
/// few of the smallest steps, in proportion to the window's last parameter. A `v` only counts if it stays normal to the
/// end of the window.
#[derive(Clone, Copy)]
struct Quiet<F> {
    /// `s` times `2^(DIGITS + 3)`.
    scale: F,
    floor: F,
    /// The smallest `v` that counts.
    least: F,
    eps: F,
}

impl<F: Real> Quiet<F> {
    /// The bound; None if it does not apply.
    #[inline(always)]
    fn new(window: &[Adam<F>]) -> Option<Self> {
        let first = *window.first()?;
        let (mut size, mut decay, mut eps) = (0.0f64, 1.0f64, f64::INFINITY);
        for step in window {
            let alike = step.w1 == first.w1 && step.beta2 == first.beta2 && step.l2 == F::ZERO;
            let sound = step.size >= F::ZERO && step.decay > F::ZERO && step.decay <= F::ONE && step.eps > F::ZERO;
            if !(alike && sound && step.root > F::ZERO && step.root <= F::ONE) {
                return None;
            }
            size = size.max(step.size.wide());
            decay = decay.min(step.decay.wide());
            eps = eps.min(step.eps.wide());
        }
        let (w1, beta2) = (first.w1.wide(), first.beta2.wide());
        let room = 2.0f64.powi(4 - F::DIGITS);
        // A moment below the smallest normal number stays once `w1` times it is less than half a step: 32 steps here.
        let shrinks = w1 > 2.0f64.powi(-6) && w1 < 0.5 && beta2 > 0.0 && beta2 <= 1.0;
        if !shrinks || (1.0 - w1) * (1.0 + room) > beta2.sqrt() * decay * (1.0 - room) {
            return None;
        }
        let steps = window.len() as i32;
        // What remains of `v` and of `p` at the end; neither may become subnormal.
        let left = beta2.powi(steps) * 0.5;
        if left < 2.0f64.powi(-40) || decay.powi(steps) < 0.25 {
            return None;
        }
        let scale = size * 2.0f64.powi(F::DIGITS + 3);
        let smallest = 2.0f64.powi(F::LEAST_EXPONENT - F::DIGITS + 8);
        Some(Self {
            scale: F::round(scale),
            floor: F::round(scale * smallest / (left.sqrt() * 0.25)),
            least: F::round(2.0f64.powi(F::LEAST_EXPONENT) / left),
            eps: F::round(eps * 0.5),
        })
    }

    #[inline(always)]
    fn holds(self, p: F, m: F, v: F) -> bool {
        let root = if v >= self.least { v.sqrt() } else { F::ZERO };
        self.scale.fused(m.abs(), self.floor) < p.abs() * (root + self.eps)
    }
}

/// The sizes are the bits of a float.
pub(crate) const PROBE: Probe = Probe { name: "replay", line: "replays", sizes: &[32, 64], run: probe };

fn probe(kernels: Kernels, bits: usize, results: &mut Results) {
    if bits == 32 { replays::<f32>(kernels, results) } else { replays::<f64>(kernels, results) }
}

fn replays<F: Real + Element>(kernels: Kernels, results: &mut Results) {
    // One count makes the first moment go quiet on the way, the other does not.
    for (dim, count) in DIMS.into_iter().flat_map(|dim| [(dim, 3), (dim, 400)]) {
        let steps = vec![adam::sample::<F>(0.999_99, 0.0, 0.1); count];
        let [mut param, mut first] = [181, 191].map(|seed| Framed::new(&reals::<F>(dim, seed)));
        let mut second = Framed::new(&squares::<F>(dim, 193));
        let of = Replay { param: &mut param, first: &mut first, second: &mut second, steps: &steps, fresh: false };
        kernels.replay(of);
        [param, first, second].iter().for_each(|written| record(results, written));
    }
}
