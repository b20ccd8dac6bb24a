//! One file an instruction set: its vector, and thin `#[target_feature]` wrappers around the generic bodies.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;
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
            gather_add: wrappers::gather_add,
        };

        mod wrappers {
            use super::*;
            use $crate::ops::gather::RawGather;
            use $crate::ops::gather_add::RawGatherAdd;

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
            pub(super) unsafe fn gather_add(op: RawGatherAdd) {
                // SAFETY: the caller keeps the op's contract; the features of `$lanes` are enabled here.
                unsafe { $crate::ops::gather_add::body::<$lanes>(op) }
            }
        }
    };
}
pub(crate) use instantiate;
