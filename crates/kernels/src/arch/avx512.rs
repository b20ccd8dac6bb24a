//! AVX-512: sixteen lanes.

use super::avx2::sum_of_8;
use crate::lanes::Lanes;
use crate::lanes::math::MathLanes;
use std::arch::x86_64::*;

#[derive(Clone, Copy)]
pub(crate) struct F32x16(pub(super) __m512);

impl Lanes for F32x16 {
    const WIDTH: usize = 16;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller promises AVX-512, and that 16 elements may be read.
        unsafe { Self(_mm512_loadu_ps(from)) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller promises AVX-512, and that 16 elements may be written.
        unsafe { _mm512_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    unsafe fn stream(self, to: *mut f32) {
        // SAFETY: the caller promises the same as for `store`, and `to` is aligned to 64 bytes.
        unsafe { _mm512_stream_ps(to, self.0) }
    }

    #[inline(always)]
    unsafe fn fence() {
        // SAFETY: SSE is part of x86-64.
        unsafe { _mm_sfence() }
    }

    #[inline(always)]
    unsafe fn prefetch(at: *const f32) {
        // SAFETY: a prefetch never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the caller promises AVX-512.
        unsafe { Self(_mm512_add_ps(self.0, other.0)) }
    }
}

impl MathLanes for F32x16 {
    type Ints = __m512i;
    type Mask = __mmask16;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: the caller promises AVX-512.
        unsafe { Self(_mm512_set1_ps(value)) }
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: the caller promises AVX-512.
        unsafe { Self(_mm512_sub_ps(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: the caller promises AVX-512.
        unsafe { Self(_mm512_mul_ps(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, term: Self) -> Self {
        // SAFETY: the caller promises AVX-512.
        unsafe { Self(_mm512_fmadd_ps(self.0, factor.0, term.0)) }
    }

    #[inline(always)]
    unsafe fn sqrt(self) -> Self {
        // SAFETY: the caller promises AVX-512.
        unsafe { Self(_mm512_sqrt_ps(self.0)) }
    }

    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // SAFETY: the caller promises AVX-512.
        unsafe { sum_of_8(_mm256_add_ps(_mm512_castps512_ps256(self.0), _mm512_extractf32x8_ps::<1>(self.0))) }
    }

    #[inline(always)]
    unsafe fn equals(self, other: Self) -> __mmask16 {
        // SAFETY: the caller promises AVX-512.
        unsafe { _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(self.0, other.0) }
    }

    #[inline(always)]
    unsafe fn select(mask: __mmask16, yes: Self, no: Self) -> Self {
        // SAFETY: the caller promises AVX-512.
        unsafe { Self(_mm512_mask_blend_ps(mask, no.0, yes.0)) }
    }

    #[inline(always)]
    unsafe fn to_bits(self) -> __m512i {
        // SAFETY: the caller promises AVX-512.
        unsafe { _mm512_castps_si512(self.0) }
    }

    #[inline(always)]
    unsafe fn from_bits(bits: __m512i) -> Self {
        // SAFETY: the caller promises AVX-512.
        unsafe { Self(_mm512_castsi512_ps(bits)) }
    }

    #[inline(always)]
    unsafe fn from_signed(ints: __m512i) -> Self {
        // SAFETY: the caller promises AVX-512.
        unsafe { Self(_mm512_cvtepi32_ps(ints)) }
    }

    #[inline(always)]
    unsafe fn load_ints(from: *const u32) -> __m512i {
        // SAFETY: the caller promises AVX-512, and that 16 elements may be read.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn store_ints(ints: __m512i, to: *mut u32) {
        // SAFETY: the caller promises AVX-512, and that 16 elements may be written.
        unsafe { _mm512_storeu_si512(to.cast(), ints) }
    }

    #[inline(always)]
    unsafe fn splat_int(value: u32) -> __m512i {
        // SAFETY: the caller promises AVX-512.
        unsafe { _mm512_set1_epi32(value.cast_signed()) }
    }

    #[inline(always)]
    unsafe fn add_ints(a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: the caller promises AVX-512.
        unsafe { _mm512_add_epi32(a, b) }
    }

    #[inline(always)]
    unsafe fn sub_ints(a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: the caller promises AVX-512.
        unsafe { _mm512_sub_epi32(a, b) }
    }

    #[inline(always)]
    unsafe fn and(a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: the caller promises AVX-512.
        unsafe { _mm512_and_si512(a, b) }
    }

    #[inline(always)]
    unsafe fn xor(a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: the caller promises AVX-512.
        unsafe { _mm512_xor_si512(a, b) }
    }

    #[inline(always)]
    unsafe fn shift_left<const BY: u32>(ints: __m512i) -> __m512i {
        // SAFETY: the caller promises AVX-512.
        unsafe { _mm512_sllv_epi32(ints, Self::splat_int(BY)) }
    }

    #[inline(always)]
    unsafe fn shift_right<const BY: u32>(ints: __m512i) -> __m512i {
        // SAFETY: the caller promises AVX-512.
        unsafe { _mm512_srlv_epi32(ints, Self::splat_int(BY)) }
    }

    #[inline(always)]
    unsafe fn shift_right_signed<const BY: u32>(ints: __m512i) -> __m512i {
        // SAFETY: the caller promises AVX-512.
        unsafe { _mm512_srav_epi32(ints, Self::splat_int(BY)) }
    }

    #[inline(always)]
    unsafe fn has_bit<const BIT: u32>(ints: __m512i) -> __mmask16 {
        // SAFETY: the caller promises AVX-512.
        unsafe { _mm512_test_epi32_mask(ints, Self::splat_int(1 << BIT)) }
    }

    #[inline(always)]
    unsafe fn load_halves(from: *const u32) -> (__m512i, __m512i) {
        // SAFETY: the caller promises AVX-512, and that two blocks may be read.
        unsafe {
            let (one, other) = (Self::load_ints(from), Self::load_ints(from.add(16)));
            (_mm512_shuffle_i32x4::<0x44>(one, other), _mm512_shuffle_i32x4::<0xee>(one, other))
        }
    }

    #[inline(always)]
    unsafe fn store_halves(first: Self, second: Self, to: *mut f32) {
        // SAFETY: the caller promises AVX-512, and that two blocks may be written.
        unsafe {
            Self(_mm512_shuffle_f32x4::<0x44>(first.0, second.0)).store(to);
            Self(_mm512_shuffle_f32x4::<0xee>(first.0, second.0)).store(to.add(16));
        }
    }
}
