//! One file an instruction set: its vector, and thin `#[target_feature]` wrappers around the generic bodies.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx2_narrow;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512_narrow;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;
#[cfg(target_arch = "aarch64")]
mod neon_narrow;
pub(crate) mod scalar;

/// Writes the wrappers of an instruction set and its table: every op's generic body, instantiated for `$lanes` in a
/// function compiled with `$features`. Adding an op is a line here.
macro_rules! instantiate {
    ($isa:expr, $lanes:ty, $features:literal) => {
        /// The generic bodies, compiled for this instruction set.
        pub(crate) static KERNELS: $crate::table::Kernels = $crate::table::Kernels {
            isa: $isa,
            max_id: wrappers::max_id,
            gather: wrappers::gather,
            gather_rows: wrappers::gather_rows,
            bag: wrappers::bag,
            embed: wrappers::embed,
            row_sum: wrappers::row_sum,
            layer_norm_grad: wrappers::layer_norm_grad,
            mt19937_twist: wrappers::mt19937_twist,
            draw_uniform: wrappers::draw_uniform,
            draw_normal: wrappers::draw_normal,
            pass: wrappers::pass,
        };

        mod wrappers {
            use super::*;
            use $crate::ops::bag::RawBag;
            use $crate::ops::draw_normal::RawDrawNormal;
            use $crate::ops::draw_uniform::RawDrawUniform;
            use $crate::ops::embed::RawEmbed;
            use $crate::ops::gather::RawGather;
            use $crate::ops::gather_rows::RawGatherRows;
            use $crate::ops::layer_norm_grad::RawLayerNormGrad;
            use $crate::ops::mt19937::MtState;
            use $crate::ops::pass::Pass;
            use $crate::ops::row_sum::RawRowSum;

            #[target_feature(enable = $features)]
            pub(super) unsafe fn max_id(ids: &[u32]) -> u32 {
                $crate::ids::max_id_body(ids)
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn gather(op: RawGather) {
                // SAFETY: the caller keeps the op's contract; the features of `$lanes` are enabled here.
                unsafe { $crate::ops::gather::body::<$lanes>(op) }
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn embed(op: RawEmbed) {
                // SAFETY: the caller keeps the op's contract; the features of `$lanes` are enabled here.
                unsafe { $crate::ops::embed::body::<$lanes>(op) }
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn gather_rows(op: RawGatherRows) {
                // SAFETY: the caller keeps the op's contract; the features of `$lanes` are enabled here.
                unsafe { $crate::ops::gather_rows::body::<$lanes>(op) }
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn bag(op: RawBag) {
                // SAFETY: the caller keeps the op's contract; the features of `$lanes` are enabled here.
                unsafe { $crate::ops::bag::body::<$lanes>(op) }
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn row_sum(op: RawRowSum) {
                // SAFETY: the caller keeps the op's contract; the features of `$lanes` are enabled here.
                unsafe { $crate::ops::row_sum::body::<$lanes>(op) }
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn layer_norm_grad(op: RawLayerNormGrad<'_>) {
                $crate::ops::layer_norm_grad::body(op)
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn mt19937_twist(state: &mut MtState) {
                // SAFETY: the caller keeps the op's contract; the features of `$lanes` are enabled here.
                unsafe { $crate::ops::mt19937::body::<$lanes>(state) }
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn draw_uniform(op: RawDrawUniform) {
                // SAFETY: the caller keeps the op's contract; the features of `$lanes` are enabled here.
                unsafe { $crate::ops::draw_uniform::body::<$lanes>(op) }
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn draw_normal(op: RawDrawNormal) {
                // SAFETY: the caller keeps the op's contract; the features of `$lanes` are enabled here.
                unsafe { $crate::ops::draw_normal::body::<$lanes>(op) }
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn pass(pass: Pass<'_, f32>) {
                $crate::ops::pass::body(pass)
            }
        }
    };
}
pub(crate) use instantiate;
