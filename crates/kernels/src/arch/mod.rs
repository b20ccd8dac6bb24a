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
        pub(crate) static KERNELS: $crate::dispatch::Kernels = $crate::dispatch::Kernels {
            isa: $isa,
            max_id: wrappers::max_id,
            gather: wrappers::gather,
            gather_rows: wrappers::gather_rows,
            bag: wrappers::bag,
            embed: wrappers::embed,
            rotate: wrappers::rotate,
            windows: wrappers::windows,
            row_sum: wrappers::row_sum,
            layer_norm_grad: wrappers::layer_norm_grad,
            mt19937_twist: wrappers::mt19937_twist,
            draw_uniform: wrappers::draw_uniform,
            draw_normal: wrappers::draw_normal,
            row_dots: wrappers::row_dots,
            row_mix: wrappers::row_mix,
            exp_rows: wrappers::exp_rows,
            scores: wrappers::scores,
            pass: wrappers::pass,
            update_f32: wrappers::update_lanes,
            update_f64: wrappers::update::<f64>,
            squares_f32: wrappers::sum_squares::<f32>,
            squares_f64: wrappers::sum_squares::<f64>,
            replay_f32: wrappers::replay::<f32>,
            replay_f64: wrappers::replay::<f64>,
        };

        mod wrappers {
            use super::*;
            use $crate::ops::draw::draw_normal::RawDrawNormal;
            use $crate::ops::draw::draw_uniform::RawDrawUniform;
            use $crate::ops::draw::mt19937::MtState;
            use $crate::ops::elements::pass::Pass;
            use $crate::ops::learn::layer_norm_grad::RawLayerNormGrad;
            use $crate::ops::learn::optim::replay::Replay;
            use $crate::ops::learn::optim::{Slots, Update};
            use $crate::ops::learn::row_sum::RawRowSum;
            use $crate::ops::lookup::bag::RawBag;
            use $crate::ops::lookup::embed::RawEmbed;
            use $crate::ops::lookup::gather::RawGather;
            use $crate::ops::lookup::gather_rows::RawGatherRows;
            use $crate::ops::positions::rotate::RawRotate;
            use $crate::ops::positions::windows::RawWindows;
            use $crate::ops::products::exp_rows::RawExpRows;
            use $crate::ops::products::row_dots::RawRowDots;
            use $crate::ops::products::row_mix::RawRowMix;
            use $crate::ops::products::scores::RawScores;
            use $crate::real::Real;

            #[target_feature(enable = $features)]
            pub(super) unsafe fn max_id(ids: &[u32]) -> u32 {
                $crate::ids::max_id_body(ids)
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn gather(op: RawGather) {
                // SAFETY: the caller keeps the op's contract; the features of `$lanes` are enabled here.
                unsafe { $crate::ops::lookup::gather::body::<$lanes>(op) }
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn embed(op: RawEmbed) {
                // SAFETY: the caller keeps the op's contract; the features of `$lanes` are enabled here.
                unsafe { $crate::ops::lookup::embed::body::<$lanes>(op) }
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn gather_rows(op: RawGatherRows) {
                // SAFETY: the caller keeps the op's contract; the features of `$lanes` are enabled here.
                unsafe { $crate::ops::lookup::gather_rows::body::<$lanes>(op) }
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn rotate(op: RawRotate) {
                // SAFETY: the caller keeps the op's contract; the features of `$lanes` are enabled here.
                unsafe { $crate::ops::positions::rotate::body::<$lanes>(op) }
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn windows(op: RawWindows) {
                // SAFETY: the caller keeps the op's contract; the features of `$lanes` are enabled here.
                unsafe { $crate::ops::positions::windows::body::<$lanes>(op) }
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn bag(op: RawBag) {
                // SAFETY: the caller keeps the op's contract; the features of `$lanes` are enabled here.
                unsafe { $crate::ops::lookup::bag::body::<$lanes>(op) }
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn row_sum(op: RawRowSum) {
                // SAFETY: the caller keeps the op's contract; the features of `$lanes` are enabled here.
                unsafe { $crate::ops::learn::row_sum::body::<$lanes>(op) }
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn layer_norm_grad(op: RawLayerNormGrad<'_>) {
                // SAFETY: the caller keeps the op's contract; the features of `$lanes` are enabled here.
                unsafe { $crate::ops::learn::layer_norm_grad::body::<$lanes>(op) }
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn mt19937_twist(state: &mut MtState) {
                // SAFETY: the caller keeps the op's contract; the features of `$lanes` are enabled here.
                unsafe { $crate::ops::draw::mt19937::body::<$lanes>(state) }
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn draw_uniform(op: RawDrawUniform) {
                // SAFETY: the caller keeps the op's contract; the features of `$lanes` are enabled here.
                unsafe { $crate::ops::draw::draw_uniform::body::<$lanes>(op) }
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn draw_normal(op: RawDrawNormal) {
                // SAFETY: the caller keeps the op's contract; the features of `$lanes` are enabled here.
                unsafe { $crate::ops::draw::draw_normal::body::<$lanes>(op) }
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn pass(pass: Pass<'_, f32>) {
                $crate::ops::elements::pass::body(pass)
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn update<F: Real>(rule: &Update<F>, slots: Slots<'_, F>) {
                $crate::ops::learn::optim::update(rule, slots);
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn update_lanes(rule: &Update<f32>, slots: Slots<'_, f32>) {
                // SAFETY: the caller checked the slices; the features of `$lanes` are enabled here.
                unsafe { $crate::ops::learn::optim::update_lanes::<$lanes>(rule, slots) }
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn sum_squares<F: Real>(values: &[F]) -> f64 {
                $crate::ops::learn::optim::sum_squares(values)
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn replay<F: Real>(replay: Replay<'_, F>) {
                $crate::ops::learn::optim::replay::body(replay);
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn row_dots(op: RawRowDots) {
                // SAFETY: the caller keeps the op's contract; the features of `$lanes` are enabled here.
                unsafe { $crate::ops::products::row_dots::body::<$lanes>(op) }
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn row_mix(op: RawRowMix) {
                // SAFETY: the caller keeps the op's contract; the features of `$lanes` are enabled here.
                unsafe { $crate::ops::products::row_mix::body::<$lanes>(op) }
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn exp_rows(op: RawExpRows) {
                // SAFETY: the caller keeps the op's contract; the features of `$lanes` are enabled here.
                unsafe { $crate::ops::products::exp_rows::body::<$lanes>(op) }
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn scores(op: RawScores) {
                // SAFETY: the caller keeps the op's contract; the features of `$lanes` are enabled here.
                unsafe { $crate::ops::products::scores::body::<$lanes>(op) }
            }
        }
    };
}
pub(crate) use instantiate;
