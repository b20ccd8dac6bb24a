//! Adam and AdamW. Kingma, Ba 2015; Loshchilov, Hutter 2019. `torch.optim.Adam` and `AdamW` from 2.1 on.
//!
//! ```text
//! p = p * decay                                 AdamW: 1 - lr * weight_decay
//! g = fma(l2, p, g)                             Adam with weight decay
//! m = lerp(m, g, w1)                            w1 = 1 - beta1
//!   = fma(w1, g - m, m) below 1/2, else fma(w1 - 1, g - m, g)
//! v = fma(w2 * g, g, v * beta2)                 w2 = 1 - beta2
//! most = max(most, v)                           AMSGrad, which takes its root instead of v's
//! p = p + (-size * m) / (sqrt(v) / root + eps)  size = lr / (1 - beta1^t), root = sqrt(1 - beta2^t)
//! ```

use super::slots::Slots;
use crate::lanes::narrow::NarrowLanes;
use crate::real::Real;

/// The numbers of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam<F> {
    /// The factor of the parameter.
    pub decay: F,
    /// The factor of the parameter that is added to the gradient.
    pub l2: F,
    /// The gradient's share of the first moment.
    pub w1: F,
    /// The factor that the second moment keeps.
    pub beta2: F,
    /// The squared gradient's share of the second moment.
    pub w2: F,
    /// The learning rate, with the bias correction of the first moment.
    pub size: F,
    /// The square root of the second moment's bias correction.
    pub root: F,
    /// Added to the denominator.
    pub eps: F,
}

impl<F: Real> Adam<F> {
    /// One element.
    #[inline(always)]
    pub(super) fn element(self, p: &mut F, g: F, m: &mut F, v: &mut F) {
        let decayed = self.moments(*p, g, m, v);
        *p = decayed + (-self.size * *m) / (v.sqrt() / self.root + self.eps);
    }

    /// Updates the moments of an element, and returns the parameter after its decay.
    #[inline(always)]
    fn moments(self, p: F, g: F, m: &mut F, v: &mut F) -> F {
        let decayed = p * self.decay;
        let g = if self.l2 == F::ZERO { g } else { self.l2.fused(decayed, g) };
        *m = self.lerp(*m, g);
        *v = (self.w2 * g).fused(g, *v * self.beta2);
        decayed
    }

    /// One element of AMSGrad. Reddi, Kale, Kumar 2018.
    #[inline(always)]
    fn with_most(self, p: &mut F, g: F, m: &mut F, v: &mut F, most: &mut F) {
        let decayed = self.moments(*p, g, m, v);
        // NaN stays, as in `torch.maximum`.
        *most = if *v <= *most { *most } else { *v };
        *p = decayed + (-self.size * *m) / (most.sqrt() / self.root + self.eps);
    }

    #[inline(always)]
    fn lerp(self, m: F, g: F) -> F {
        if self.w1 < F::round(0.5) { self.w1.fused(g - m, m) } else { (self.w1 - F::ONE).fused(g - m, g) }
    }

    #[inline(always)]
    pub(super) fn step(self, slots: Slots<'_, F>) {
        let moments = slots.first.iter_mut().zip(slots.second);
        for ((p, &g), (m, v)) in slots.param.iter_mut().zip(slots.grad).zip(moments) {
            self.element(p, g, m, v);
        }
    }

    /// A step of AMSGrad, whose third state is the largest second moment so far.
    #[inline(always)]
    pub(super) fn step_with_most(self, slots: Slots<'_, F>) {
        let moments = slots.first.iter_mut().zip(slots.second).zip(slots.third);
        for ((p, &g), ((m, v), most)) in slots.param.iter_mut().zip(slots.grad).zip(moments) {
            self.with_most(p, g, m, v, most);
        }
    }
}

impl Adam<f32> {
    /// Whether [`Adam::lanes`] supports it: AdamW whose moments mostly stay.
    pub(super) fn is_plain(&self) -> bool {
        self.l2 == 0.0 && self.w1 < 0.5
    }

    /// The loop of [`Adam::step`] in vectors, with the same bits. Compilers make narrower vectors, with which memory is
    /// read and written a sixth slower.
    ///
    /// # Safety
    /// The machine has `L`'s instruction set. All slices are as long as the parameter.
    #[inline(always)]
    pub(super) unsafe fn lanes<L: NarrowLanes>(self, slots: Slots<'_, f32>) {
        let Slots { param, grad, first, second, .. } = slots;
        let len = param.len();
        let whole = len - len % L::WIDTH;
        // SAFETY: as the caller promises; every index stays below `len`.
        unsafe {
            let (decay, w1, beta2) = (L::splat(self.decay), L::splat(self.w1), L::splat(self.beta2));
            let (w2, size) = (L::splat(self.w2), L::splat(-self.size));
            let (root, eps) = (L::splat(self.root), L::splat(self.eps));
            let mut at = 0;
            while at < whole {
                let (p, m, v) = (param.as_mut_ptr().add(at), first.as_mut_ptr().add(at), second.as_mut_ptr().add(at));
                let (g, old) = (L::load(grad.as_ptr().add(at)), L::load(m));
                let moment = w1.mul_add(g.sub(old), old);
                let square = w2.mul(g).mul_add(g, L::load(v).mul(beta2));
                let moved = size.mul(moment).div(square.sqrt().div(root).add(eps));
                moment.store(m);
                square.store(v);
                L::load(p).mul(decay).add(moved).store(p);
                at += L::WIDTH;
            }
        }
        let rest = first[whole..].iter_mut().zip(&mut second[whole..]);
        for ((p, &g), (m, v)) in param[whole..].iter_mut().zip(&grad[whole..]).zip(rest) {
            self.element(p, g, m, v);
        }
    }
}

/// The numbers of the seventh step, for probes. Values that come from roots and powers are written as constants: they
/// may differ between machines, and kernels do not compute them.
pub(super) fn sample<F: Real>(decay: f64, l2: f64, w1: f64) -> Adam<F> {
    let [decay, l2, w1, beta2, w2, size, root, eps] =
        [decay, l2, w1, 0.999, 0.001, 0.001_916_9, 0.083_462, 1e-8].map(F::round);
    Adam { decay, l2, w1, beta2, w2, size, root, eps }
}
