//! AVX-512: small elements.

use super::avx2::F32x8;
use super::avx512::F32x16;
use crate::lanes::narrow::NarrowLanes;
use std::arch::x86_64::*;

/// The bytes beginning at `from`, as sixteen u32.
#[inline(always)]
unsafe fn bytes(from: *const u8) -> __m512i {
    // SAFETY: the caller promises AVX-512, and that 16 bytes may be read.
    unsafe { _mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast())) }
}

impl NarrowLanes for F32x16 {
    type Shorter = F32x8;

    const SUMS: usize = 24;

    #[inline(always)]
    unsafe fn load_f16(from: *const u8) -> Self {
        // SAFETY: the caller promises AVX-512, and that 32 bytes may be read.
        unsafe { Self(_mm512_cvtph_ps(_mm256_loadu_si256(from.cast()))) }
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
        // SAFETY: the caller promises AVX-512, and that 32 bytes may be read.
        unsafe {
            let wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast()));
            Self(_mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide)))
        }
    }

    #[inline(always)]
    unsafe fn load_u8(from: *const u8) -> Self {
        // SAFETY: the caller promises AVX-512, and that 16 bytes may be read.
        unsafe { Self(_mm512_cvtepi32_ps(bytes(from))) }
    }

    #[inline(always)]
    unsafe fn load_i8(from: *const u8) -> Self {
        // SAFETY: the caller promises AVX-512, and that 16 bytes may be read.
        unsafe { Self(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(from.cast())))) }
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> __m512i {
        // SAFETY: as the caller promises.
        unsafe { bytes(from) }
    }

    #[inline(always)]
    unsafe fn load_nibbles(from: *const u8) -> [Self; 2] {
        // SAFETY: the caller promises AVX-512, and that 16 bytes may be read.
        unsafe {
            let wide = bytes(from);
            // A permute reads four bits of an index, so no mask and no conversion is needed.
            let of =
                _mm512_setr_ps(0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0);
            [Self(_mm512_permutexvar_ps(wide, of)), Self(_mm512_permutexvar_ps(_mm512_srli_epi32::<4>(wide), of))]
        }
    }

    #[inline(always)]
    unsafe fn interleave(a: Self, b: Self) -> [Self; 2] {
        // SAFETY: the caller promises AVX-512.
        unsafe {
            let first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            let second = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
            [Self(_mm512_permutex2var_ps(a.0, first, b.0)), Self(_mm512_permutex2var_ps(a.0, second, b.0))]
        }
    }

    #[inline(always)]
    unsafe fn swap_pairs(self) -> Self {
        // SAFETY: the caller promises AVX-512.
        unsafe { Self(_mm512_permute_ps::<0b10_11_00_01>(self.0)) }
    }

    #[inline(always)]
    unsafe fn store_f16(self, to: *mut u8) {
        // SAFETY: the caller promises AVX-512, and that 32 bytes may be written.
        unsafe {
            let halves = _mm512_cvtps_ph::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0);
            _mm256_storeu_si256(to.cast(), halves);
        }
    }

    #[inline(always)]
    unsafe fn store_low_halves(ints: __m512i, to: *mut u8) {
        // SAFETY: the caller promises AVX-512, and that 32 bytes may be written.
        unsafe { _mm256_storeu_si256(to.cast(), _mm512_cvtepi32_epi16(ints)) }
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // SAFETY: the caller promises AVX-512.
        unsafe { Self(_mm512_max_ps(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        // SAFETY: the caller promises AVX-512.
        unsafe { Self(_mm512_div_ps(self.0, other.0)) }
    }
}
