//! NEON: four lanes.

use super::instantiate;
use crate::isa::Isa;
use crate::lanes::Lanes;
use std::arch::aarch64::*;
use std::arch::asm;

#[derive(Clone, Copy)]
pub(crate) struct F32x4(float32x4_t);

impl Lanes for F32x4 {
    const WIDTH: usize = 4;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's: NEON is here and 4 elements may be read.
        unsafe { Self(vld1q_f32(from)) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's: NEON is here and 4 elements may be written.
        unsafe { vst1q_f32(to, self.0) }
    }

    #[inline(always)]
    unsafe fn stream(self, to: *mut f32) {
        // arm64 has no single-vector streaming store (STNP takes pairs, as a hint): the ordinary one serves.
        // SAFETY: the caller's, as for `store`.
        unsafe { self.store(to) }
    }

    #[inline(always)]
    unsafe fn fence() {}

    #[inline(always)]
    unsafe fn prefetch(at: *const f32) {
        // SAFETY: a prefetch never faults and changes no register or memory.
        unsafe { asm!("prfm pldl1keep, [{at}]", at = in(reg) at, options(nostack, preserves_flags, readonly)) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the caller's: NEON is here.
        unsafe { Self(vaddq_f32(self.0, other.0)) }
    }
}

instantiate!(Isa::Neon, F32x4, "neon");
