//! AVX2 with FMA: eight lanes.

use crate::lanes::Lanes;
use crate::lanes::math::MathLanes;
use std::arch::x86_64::*;

#[derive(Clone, Copy)]
pub(crate) struct F32x8(pub(super) __m256);

impl Lanes for F32x8 {
    const WIDTH: usize = 8;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller promises AVX2, and that 8 elements may be read.
        unsafe { Self(_mm256_loadu_ps(from)) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller promises AVX2, and that 8 elements may be written.
        unsafe { _mm256_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    unsafe fn stream(self, to: *mut f32) {
        // SAFETY: the caller promises the same as for `store`, and `to` is aligned to 32 bytes.
        unsafe { _mm256_stream_ps(to, self.0) }
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
        // SAFETY: the caller promises AVX2.
        unsafe { Self(_mm256_add_ps(self.0, other.0)) }
    }
}

impl MathLanes for F32x8 {
    type Ints = __m256i;
    /// A lane's sign bit selects it.
    type Mask = __m256;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: the caller promises AVX2.
        unsafe { Self(_mm256_set1_ps(value)) }
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: the caller promises AVX2.
        unsafe { Self(_mm256_sub_ps(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: the caller promises AVX2.
        unsafe { Self(_mm256_mul_ps(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, term: Self) -> Self {
        // SAFETY: the caller promises FMA.
        unsafe { Self(_mm256_fmadd_ps(self.0, factor.0, term.0)) }
    }

    #[inline(always)]
    unsafe fn sqrt(self) -> Self {
        // SAFETY: the caller promises AVX2.
        unsafe { Self(_mm256_sqrt_ps(self.0)) }
    }

    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // SAFETY: the caller promises AVX2.
        unsafe { sum_of_8(self.0) }
    }

    #[inline(always)]
    unsafe fn equals(self, other: Self) -> __m256 {
        // SAFETY: the caller promises AVX2.
        unsafe { _mm256_cmp_ps::<_CMP_EQ_OQ>(self.0, other.0) }
    }

    #[inline(always)]
    unsafe fn select(mask: __m256, yes: Self, no: Self) -> Self {
        // SAFETY: the caller promises AVX2.
        unsafe { Self(_mm256_blendv_ps(no.0, yes.0, mask)) }
    }

    #[inline(always)]
    unsafe fn to_bits(self) -> __m256i {
        // SAFETY: the caller promises AVX2.
        unsafe { _mm256_castps_si256(self.0) }
    }

    #[inline(always)]
    unsafe fn from_bits(bits: __m256i) -> Self {
        // SAFETY: the caller promises AVX2.
        unsafe { Self(_mm256_castsi256_ps(bits)) }
    }

    #[inline(always)]
    unsafe fn from_signed(ints: __m256i) -> Self {
        // SAFETY: the caller promises AVX2.
        unsafe { Self(_mm256_cvtepi32_ps(ints)) }
    }

    #[inline(always)]
    unsafe fn load_ints(from: *const u32) -> __m256i {
        // SAFETY: the caller promises AVX2, and that 8 elements may be read.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn store_ints(ints: __m256i, to: *mut u32) {
        // SAFETY: the caller promises AVX2, and that 8 elements may be written.
        unsafe { _mm256_storeu_si256(to.cast(), ints) }
    }

    #[inline(always)]
    unsafe fn splat_int(value: u32) -> __m256i {
        // SAFETY: the caller promises AVX2.
        unsafe { _mm256_set1_epi32(value.cast_signed()) }
    }

    #[inline(always)]
    unsafe fn add_ints(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the caller promises AVX2.
        unsafe { _mm256_add_epi32(a, b) }
    }

    #[inline(always)]
    unsafe fn sub_ints(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the caller promises AVX2.
        unsafe { _mm256_sub_epi32(a, b) }
    }

    #[inline(always)]
    unsafe fn and(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the caller promises AVX2.
        unsafe { _mm256_and_si256(a, b) }
    }

    #[inline(always)]
    unsafe fn xor(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the caller promises AVX2.
        unsafe { _mm256_xor_si256(a, b) }
    }

    #[inline(always)]
    unsafe fn shift_left<const BY: u32>(ints: __m256i) -> __m256i {
        // SAFETY: the caller promises AVX2.
        unsafe { _mm256_sllv_epi32(ints, Self::splat_int(BY)) }
    }

    #[inline(always)]
    unsafe fn shift_right<const BY: u32>(ints: __m256i) -> __m256i {
        // SAFETY: the caller promises AVX2.
        unsafe { _mm256_srlv_epi32(ints, Self::splat_int(BY)) }
    }

    #[inline(always)]
    unsafe fn shift_right_signed<const BY: u32>(ints: __m256i) -> __m256i {
        // SAFETY: the caller promises AVX2.
        unsafe { _mm256_srav_epi32(ints, Self::splat_int(BY)) }
    }

    #[inline(always)]
    unsafe fn has_bit<const BIT: u32>(ints: __m256i) -> __m256 {
        // The blend reads only the sign bit.
        // SAFETY: the caller promises AVX2.
        unsafe { _mm256_castsi256_ps(_mm256_sllv_epi32(ints, Self::splat_int(31 - BIT))) }
    }
}

/// The sum of the lanes, halved until one is left.
///
/// # Safety
/// The machine has AVX2.
#[inline(always)]
pub(super) unsafe fn sum_of_8(eight: __m256) -> f32 {
    // SAFETY: as the caller promises.
    unsafe {
        let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
        let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
    }
}
