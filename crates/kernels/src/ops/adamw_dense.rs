//! adamw_dense: a step of AdamW over all elements. Loshchilov and Hutter 2017, in PyTorch's arithmetic.
//!
//! ```text
//! p = p * decay;  m = fma(g - m, 1 - beta1, m);  v = fma((1 - beta2) * g, g, v * beta2)
//! p = p + (step * m) / (sqrt(v) / root + eps)
//!     where decay = 1 - lr * weightDecay, step = -lr / (1 - beta1^t), root = sqrt(1 - beta2^t)
//! ```
//!
//! Every element by itself: the same bits on every instruction set.

use crate::lanes_narrow::NarrowLanes;
use crate::table::Kernels;

/// The numbers of a step.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the contract says what they are")]
pub struct AdamStep {
    pub decay: f32,
    /// 1 - beta1.
    pub follow: f32,
    pub beta2: f32,
    /// 1 - beta2.
    pub follow2: f32,
    pub step: f32,
    pub root: f32,
    pub eps: f32,
}

/// The op as the kernels take it. Contract, kept by [`Kernels::adamw_dense`]: all four point at `len` elements, none of
/// which overlap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawAdamW {
    pub(crate) by: AdamStep,
    pub(crate) p: *mut f32,
    pub(crate) m: *mut f32,
    pub(crate) v: *mut f32,
    pub(crate) g: *const f32,
    pub(crate) len: usize,
}

impl Kernels {
    /// Moves `p` by the gradient `g`, with the moments `m` and `v`.
    ///
    /// # Panics
    /// If the slices differ in length: the caller's bug, not its user's.
    pub fn adamw_dense(&self, by: AdamStep, p: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32]) {
        let len = p.len();
        assert!(m.len() == len && v.len() == len && g.len() == len, "adamw_dense: slices of other sizes");
        let op = RawAdamW { by, p: p.as_mut_ptr(), m: m.as_mut_ptr(), v: v.as_mut_ptr(), g: g.as_ptr(), len };
        // SAFETY: the sizes were just checked, `&mut` overlap nothing, and this table is only handed out where its
        // instruction set runs.
        unsafe { (self.adamw_dense)(op) }
    }
}

/// # Safety
/// The contract of `RawAdamW`; `i` is below `len`.
#[inline(always)]
unsafe fn element(op: &RawAdamW, i: usize) {
    let AdamStep { decay, follow, beta2, follow2, step, root, eps } = op.by;
    // SAFETY: the caller's.
    unsafe {
        let (p, m, v, g) = (op.p.add(i), op.m.add(i), op.v.add(i), *op.g.add(i));
        *m = (g - *m).mul_add(follow, *m);
        *v = (follow2 * g).mul_add(g, *v * beta2);
        *p = *p * decay + (step * *m) / ((*v).sqrt() / root + eps);
    }
}

/// The definition.
pub(crate) unsafe fn reference(op: RawAdamW) {
    for i in 0..op.len {
        // SAFETY: the contract of `RawAdamW`.
        unsafe { element(&op, i) }
    }
}

/// # Safety
/// The contract of [`RawAdamW`], on a machine that has `L`'s instruction set.
#[inline(always)]
pub(crate) unsafe fn body<L: NarrowLanes>(op: RawAdamW) {
    // SAFETY: the caller's; every index stays below `len`.
    unsafe {
        let by = op.by;
        let (decay, follow, beta2) = (L::splat(by.decay), L::splat(by.follow), L::splat(by.beta2));
        let (follow2, step) = (L::splat(by.follow2), L::splat(by.step));
        let (root, eps) = (L::splat(by.root), L::splat(by.eps));
        let mut at = 0;
        while at + L::WIDTH <= op.len {
            let (p, m, v) = (op.p.add(at), op.m.add(at), op.v.add(at));
            let (g, old) = (L::load(op.g.add(at)), L::load(m));
            let first = g.sub(old).mul_add(follow, old);
            let second = follow2.mul(g).mul_add(g, L::load(v).mul(beta2));
            let moved = step.mul(first).div(second.sqrt().div(root).add(eps));
            first.store(m);
            second.store(v);
            L::load(p).mul(decay).add(moved).store(p);
            at += L::WIDTH;
        }
        while at < op.len {
            element(&op, at);
            at += 1;
        }
    }
}
