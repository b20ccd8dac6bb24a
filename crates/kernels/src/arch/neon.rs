//! NEON: four lanes.

use crate::lanes::Lanes;
use crate::lanes::math::MathLanes;
use std::arch::aarch64::*;
use std::arch::asm;

#[derive(Clone, Copy)]
pub(crate) struct F32x4(pub(super) float32x4_t);

impl Lanes for F32x4 {
    const WIDTH: usize = 4;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller promises NEON, and that 4 elements may be read.
        unsafe { Self(vld1q_f32(from)) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller promises NEON, and that 4 elements may be written.
        unsafe { vst1q_f32(to, self.0) }
    }

    #[inline(always)]
    unsafe fn stream(self, to: *mut f32) {
        // arm64 has no single-vector streaming store (STNP takes pairs, as a hint), so this is an ordinary store.
        // SAFETY: the caller promises the same as for `store`.
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
        // SAFETY: the caller promises NEON.
        unsafe { Self(vaddq_f32(self.0, other.0)) }
    }
}

impl MathLanes for F32x4 {
    type Ints = uint32x4_t;
    /// All bits of a lane, or none.
    type Mask = uint32x4_t;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: the caller promises NEON.
        unsafe { Self(vdupq_n_f32(value)) }
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: the caller promises NEON.
        unsafe { Self(vsubq_f32(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: the caller promises NEON.
        unsafe { Self(vmulq_f32(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, term: Self) -> Self {
        // SAFETY: the caller promises NEON.
        unsafe { Self(vfmaq_f32(term.0, self.0, factor.0)) }
    }

    #[inline(always)]
    unsafe fn sqrt(self) -> Self {
        // SAFETY: the caller promises NEON.
        unsafe { Self(vsqrtq_f32(self.0)) }
    }

    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // SAFETY: the caller promises NEON.
        unsafe {
            let two = vadd_f32(vget_low_f32(self.0), vget_high_f32(self.0));
            vget_lane_f32::<0>(two) + vget_lane_f32::<1>(two)
        }
    }

    #[inline(always)]
    unsafe fn equals(self, other: Self) -> uint32x4_t {
        // SAFETY: the caller promises NEON.
        unsafe { vceqq_f32(self.0, other.0) }
    }

    #[inline(always)]
    unsafe fn select(mask: uint32x4_t, yes: Self, no: Self) -> Self {
        // SAFETY: the caller promises NEON.
        unsafe { Self(vbslq_f32(mask, yes.0, no.0)) }
    }

    #[inline(always)]
    unsafe fn to_bits(self) -> uint32x4_t {
        // SAFETY: the caller promises NEON.
        unsafe { vreinterpretq_u32_f32(self.0) }
    }

    #[inline(always)]
    unsafe fn from_bits(bits: uint32x4_t) -> Self {
        // SAFETY: the caller promises NEON.
        unsafe { Self(vreinterpretq_f32_u32(bits)) }
    }

    #[inline(always)]
    unsafe fn from_signed(ints: uint32x4_t) -> Self {
        // SAFETY: the caller promises NEON.
        unsafe { Self(vcvtq_f32_s32(vreinterpretq_s32_u32(ints))) }
    }

    #[inline(always)]
    unsafe fn load_ints(from: *const u32) -> uint32x4_t {
        // SAFETY: the caller promises NEON, and that 4 elements may be read.
        unsafe { vld1q_u32(from) }
    }

    #[inline(always)]
    unsafe fn store_ints(ints: uint32x4_t, to: *mut u32) {
        // SAFETY: the caller promises NEON, and that 4 elements may be written.
        unsafe { vst1q_u32(to, ints) }
    }

    #[inline(always)]
    unsafe fn splat_int(value: u32) -> uint32x4_t {
        // SAFETY: the caller promises NEON.
        unsafe { vdupq_n_u32(value) }
    }

    #[inline(always)]
    unsafe fn add_ints(a: uint32x4_t, b: uint32x4_t) -> uint32x4_t {
        // SAFETY: the caller promises NEON.
        unsafe { vaddq_u32(a, b) }
    }

    #[inline(always)]
    unsafe fn sub_ints(a: uint32x4_t, b: uint32x4_t) -> uint32x4_t {
        // SAFETY: the caller promises NEON.
        unsafe { vsubq_u32(a, b) }
    }

    #[inline(always)]
    unsafe fn and(a: uint32x4_t, b: uint32x4_t) -> uint32x4_t {
        // SAFETY: the caller promises NEON.
        unsafe { vandq_u32(a, b) }
    }

    #[inline(always)]
    unsafe fn xor(a: uint32x4_t, b: uint32x4_t) -> uint32x4_t {
        // SAFETY: the caller promises NEON.
        unsafe { veorq_u32(a, b) }
    }

    #[inline(always)]
    unsafe fn shift_left<const BY: u32>(ints: uint32x4_t) -> uint32x4_t {
        // SAFETY: the caller promises NEON.
        unsafe { vshlq_u32(ints, vdupq_n_s32(BY.cast_signed())) }
    }

    #[inline(always)]
    unsafe fn shift_right<const BY: u32>(ints: uint32x4_t) -> uint32x4_t {
        // A left shift by a negative number shifts right.
        // SAFETY: the caller promises NEON.
        unsafe { vshlq_u32(ints, vdupq_n_s32(-BY.cast_signed())) }
    }

    #[inline(always)]
    unsafe fn shift_right_signed<const BY: u32>(ints: uint32x4_t) -> uint32x4_t {
        // A left shift by a negative number shifts right.
        // SAFETY: the caller promises NEON.
        unsafe { vreinterpretq_u32_s32(vshlq_s32(vreinterpretq_s32_u32(ints), vdupq_n_s32(-BY.cast_signed()))) }
    }

    #[inline(always)]
    unsafe fn has_bit<const BIT: u32>(ints: uint32x4_t) -> uint32x4_t {
        // SAFETY: the caller promises NEON.
        unsafe { vtstq_u32(ints, vdupq_n_u32(1 << BIT)) }
    }
}
