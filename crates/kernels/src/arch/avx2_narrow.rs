//! AVX2 with F16C: small elements.

use super::avx2::F32x8;
use crate::lanes::narrow::NarrowLanes;
use std::arch::x86_64::*;

/// The bytes beginning at `from`, as eight u32.
#[inline(always)]
unsafe fn bytes(from: *const u8) -> __m256i {
    // SAFETY: the caller promises AVX2, and that 8 bytes may be read.
    unsafe { _mm256_cvtepu8_epi32(_mm_loadl_epi64(from.cast())) }
}

impl NarrowLanes for F32x8 {
    type Shorter = F32x8;

    const SUMS: usize = 12;

    #[inline(always)]
    unsafe fn load_f16(from: *const u8) -> Self {
        // SAFETY: the caller promises F16C, and that 16 bytes may be read.
        unsafe { Self(_mm256_cvtph_ps(_mm_loadu_si128(from.cast()))) }
    }

    #[inline(always)]
    unsafe fn load_two_f16(from: *const u8) -> [f32; 2] {
        // SAFETY: the caller promises F16C, and that 4 bytes may be read.
        unsafe {
            let both = _mm_cvtph_ps(_mm_cvtsi32_si128(from.cast::<i32>().read_unaligned()));
            [_mm_cvtss_f32(both), _mm_cvtss_f32(_mm_movehdup_ps(both))]
        }
    }

    #[inline(always)]
    unsafe fn load_bf16(from: *const u8) -> Self {
        // SAFETY: the caller promises AVX2, and that 16 bytes may be read.
        unsafe {
            let wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast()));
            Self(_mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide)))
        }
    }

    #[inline(always)]
    unsafe fn load_u8(from: *const u8) -> Self {
        // SAFETY: the caller promises AVX2, and that 8 bytes may be read.
        unsafe { Self(_mm256_cvtepi32_ps(bytes(from))) }
    }

    #[inline(always)]
    unsafe fn load_i8(from: *const u8) -> Self {
        // SAFETY: the caller promises AVX2, and that 8 bytes may be read.
        unsafe { Self(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(from.cast())))) }
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> __m256i {
        // SAFETY: as the caller promises.
        unsafe { bytes(from) }
    }

    #[inline(always)]
    unsafe fn load_nibbles(from: *const u8) -> [Self; 2] {
        // SAFETY: the caller promises AVX2, and that 8 bytes may be read.
        unsafe {
            let wide = bytes(from);
            let low = _mm256_and_si256(wide, _mm256_set1_epi32(15));
            [Self(_mm256_cvtepi32_ps(low)), Self(_mm256_cvtepi32_ps(_mm256_srli_epi32::<4>(wide)))]
        }
    }

    #[inline(always)]
    unsafe fn interleave(a: Self, b: Self) -> [Self; 2] {
        // SAFETY: the caller promises AVX2.
        unsafe {
            let (low, high) = (_mm256_unpacklo_ps(a.0, b.0), _mm256_unpackhi_ps(a.0, b.0));
            [Self(_mm256_permute2f128_ps::<0x20>(low, high)), Self(_mm256_permute2f128_ps::<0x31>(low, high))]
        }
    }

    #[inline(always)]
    unsafe fn swap_pairs(self) -> Self {
        // SAFETY: the caller promises AVX2.
        unsafe { Self(_mm256_permute_ps::<0b10_11_00_01>(self.0)) }
    }

    #[inline(always)]
    unsafe fn store_f16(self, to: *mut u8) {
        // SAFETY: the caller promises F16C, and that 16 bytes may be written.
        unsafe { _mm_storeu_si128(to.cast(), _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(self.0)) }
    }

    #[inline(always)]
    unsafe fn store_low_halves(ints: __m256i, to: *mut u8) {
        // SAFETY: the caller promises AVX2, and that 16 bytes may be written.
        unsafe {
            let (low, high) = (_mm256_castsi256_si128(ints), _mm256_extracti128_si256::<1>(ints));
            _mm_storeu_si128(to.cast(), _mm_packus_epi32(low, high));
        }
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // SAFETY: the caller promises AVX2.
        unsafe { Self(_mm256_max_ps(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        // SAFETY: the caller promises AVX2.
        unsafe { Self(_mm256_div_ps(self.0, other.0)) }
    }
}
