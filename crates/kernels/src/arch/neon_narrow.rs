//! NEON: small elements.

use super::neon::F32x4;
use crate::lanes::narrow::NarrowLanes;
use std::arch::aarch64::*;
use std::arch::asm;

/// The bytes beginning at `from`, as four u32.
#[inline(always)]
unsafe fn bytes(from: *const u8) -> uint32x4_t {
    // SAFETY: the caller promises NEON, and that 4 bytes may be read.
    unsafe {
        let four = vcreate_u8(u64::from(from.cast::<u32>().read_unaligned()));
        vmovl_u16(vget_low_u16(vmovl_u8(four)))
    }
}

impl NarrowLanes for F32x4 {
    type Shorter = F32x4;

    const SUMS: usize = 16;

    #[inline(always)]
    unsafe fn load_f16(from: *const u8) -> Self {
        // This is an instruction rather than its intrinsic, whose vector type of halves is not stable.
        // SAFETY: the caller promises NEON, and that 8 bytes may be read; the instruction changes one register.
        unsafe {
            let halves: uint16x4_t = vreinterpret_u16_u8(vld1_u8(from));
            let wide: float32x4_t;
            asm!("fcvtl {wide:v}.4s, {halves:v}.4h", wide = lateout(vreg) wide, halves = in(vreg) halves,
                options(pure, nomem, nostack, preserves_flags));
            Self(wide)
        }
    }

    #[inline(always)]
    unsafe fn load_two_f16(from: *const u8) -> [f32; 2] {
        // SAFETY: the caller promises NEON, and that 4 bytes may be read; the instruction changes one register.
        unsafe {
            let halves = vcreate_u16(u64::from(from.cast::<u32>().read_unaligned()));
            let wide: float32x4_t;
            asm!("fcvtl {wide:v}.4s, {halves:v}.4h", wide = lateout(vreg) wide, halves = in(vreg) halves,
                options(pure, nomem, nostack, preserves_flags));
            [vgetq_lane_f32::<0>(wide), vgetq_lane_f32::<1>(wide)]
        }
    }

    #[inline(always)]
    unsafe fn load_bf16(from: *const u8) -> Self {
        // SAFETY: the caller promises NEON, and that 8 bytes may be read.
        unsafe { Self(vreinterpretq_f32_u32(vshll_n_u16::<16>(vreinterpret_u16_u8(vld1_u8(from))))) }
    }

    #[inline(always)]
    unsafe fn load_u8(from: *const u8) -> Self {
        // SAFETY: the caller promises NEON, and that 4 bytes may be read.
        unsafe { Self(vcvtq_f32_u32(bytes(from))) }
    }

    #[inline(always)]
    unsafe fn load_i8(from: *const u8) -> Self {
        // SAFETY: the caller promises NEON, and that 4 bytes may be read.
        unsafe {
            let four = vcreate_s8(u64::from(from.cast::<u32>().read_unaligned()));
            Self(vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(four)))))
        }
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> uint32x4_t {
        // SAFETY: as the caller promises.
        unsafe { bytes(from) }
    }

    #[inline(always)]
    unsafe fn load_nibbles(from: *const u8) -> [Self; 2] {
        // SAFETY: the caller promises NEON, and that 4 bytes may be read.
        unsafe {
            let wide = bytes(from);
            let low = vandq_u32(wide, vdupq_n_u32(15));
            [Self(vcvtq_f32_u32(low)), Self(vcvtq_f32_u32(vshrq_n_u32::<4>(wide)))]
        }
    }

    #[inline(always)]
    unsafe fn interleave(a: Self, b: Self) -> [Self; 2] {
        // SAFETY: the caller promises NEON.
        unsafe { [Self(vzip1q_f32(a.0, b.0)), Self(vzip2q_f32(a.0, b.0))] }
    }

    #[inline(always)]
    unsafe fn swap_pairs(self) -> Self {
        // SAFETY: the caller promises NEON.
        unsafe { Self(vrev64q_f32(self.0)) }
    }

    #[inline(always)]
    unsafe fn store_f16(self, to: *mut u8) {
        // SAFETY: the caller promises NEON, and that 8 bytes may be written; the instruction changes one register.
        unsafe {
            let halves: uint16x4_t;
            asm!("fcvtn {halves:v}.4h, {wide:v}.4s", halves = lateout(vreg) halves, wide = in(vreg) self.0,
                options(pure, nomem, nostack, preserves_flags));
            vst1_u8(to, vreinterpret_u8_u16(halves));
        }
    }

    #[inline(always)]
    unsafe fn store_low_halves(ints: uint32x4_t, to: *mut u8) {
        // SAFETY: the caller promises NEON, and that 8 bytes may be written.
        unsafe { vst1_u8(to, vreinterpret_u8_u16(vmovn_u32(ints))) }
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // FMAX is not used, because it gives NaN if either operand is NaN.
        // SAFETY: the caller promises NEON.
        unsafe { Self(vbslq_f32(vcgtq_f32(self.0, other.0), self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        // SAFETY: the caller promises NEON.
        unsafe { Self(vdivq_f32(self.0, other.0)) }
    }
}
