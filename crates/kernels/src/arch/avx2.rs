//! AVX2 with FMA: eight lanes.

use super::instantiate;
use crate::isa::Isa;
use crate::lanes::Lanes;
use std::arch::x86_64::*;

#[derive(Clone, Copy)]
pub(crate) struct F32x8(__m256);

impl Lanes for F32x8 {
    const WIDTH: usize = 8;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's: AVX2 is here and 8 elements may be read.
        unsafe { Self(_mm256_loadu_ps(from)) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's: AVX2 is here and 8 elements may be written.
        unsafe { _mm256_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    unsafe fn stream(self, to: *mut f32) {
        // SAFETY: the caller's: as for `store`, and `to` is aligned to 32 bytes.
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
        // SAFETY: the caller's: AVX2 is here.
        unsafe { Self(_mm256_add_ps(self.0, other.0)) }
    }
}

instantiate!(Isa::Avx2, F32x8, "avx2,fma,f16c");
