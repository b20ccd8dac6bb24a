//! A struct of function pointers per instruction set. The indirect call is paid once per batch, never per row.

use crate::arch;
use crate::isa::{self, Isa, UnavailableIsa};
use crate::ops::draw::draw_normal::RawDrawNormal;
use crate::ops::draw::draw_uniform::RawDrawUniform;
use crate::ops::draw::mt19937::MtState;
use crate::ops::elements::pass::Pass;
use crate::ops::learn::layer_norm_grad::RawLayerNormGrad;
use crate::ops::learn::optim::{Replays, Squares, Updates};
use crate::ops::learn::row_sum::RawRowSum;
use crate::ops::lookup::bag::RawBag;
use crate::ops::lookup::embed::RawEmbed;
use crate::ops::lookup::gather::RawGather;
use crate::ops::lookup::gather_rows::RawGatherRows;
use crate::ops::positions::rotate::RawRotate;
use crate::ops::positions::windows::RawWindows;
use crate::ops::products::exp_rows::RawExpRows;
use crate::ops::products::row_dots::RawRowDots;
use crate::ops::products::row_mix::RawRowMix;
use crate::ops::products::scores::RawScores;

/// The kernels of one instruction set. Only handed out on machines that run it, which is what makes its methods safe;
/// each op's safe method stands beside the op, in `ops/`.
#[derive(Debug)]
pub struct Kernels {
    pub(crate) isa: Isa,
    pub(crate) max_id: unsafe fn(&[u32]) -> u32,
    pub(crate) gather: unsafe fn(RawGather),
    pub(crate) gather_rows: unsafe fn(RawGatherRows),
    pub(crate) bag: unsafe fn(RawBag),
    pub(crate) embed: unsafe fn(RawEmbed),
    pub(crate) rotate: unsafe fn(RawRotate),
    pub(crate) windows: unsafe fn(RawWindows),
    pub(crate) row_sum: unsafe fn(RawRowSum),
    pub(crate) layer_norm_grad: unsafe fn(RawLayerNormGrad<'_>),
    pub(crate) mt19937_twist: unsafe fn(&mut MtState),
    pub(crate) draw_uniform: unsafe fn(RawDrawUniform),
    pub(crate) draw_normal: unsafe fn(RawDrawNormal),
    pub(crate) row_dots: unsafe fn(RawRowDots),
    pub(crate) row_mix: unsafe fn(RawRowMix),
    pub(crate) exp_rows: unsafe fn(RawExpRows),
    pub(crate) scores: unsafe fn(RawScores),
    pub(crate) pass: unsafe fn(Pass<'_, f32>),
    pub(crate) update_f32: Updates<f32>,
    pub(crate) update_f64: Updates<f64>,
    pub(crate) squares_f32: Squares<f32>,
    pub(crate) squares_f64: Squares<f64>,
    pub(crate) replay_f32: Replays<f32>,
    pub(crate) replay_f64: Replays<f64>,
}

impl Kernels {
    /// The instruction set these kernels are compiled for.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The largest id; 0 of none.
    pub(crate) fn max_id(&self, ids: &[u32]) -> u32 {
        // SAFETY: this table is only handed out where its instruction set runs.
        unsafe { (self.max_id)(ids) }
    }
}

fn of(isa: Isa) -> Option<&'static Kernels> {
    match isa {
        Isa::Scalar => Some(&arch::scalar::KERNELS),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => Some(&arch::avx2::KERNELS),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => Some(&arch::avx512::KERNELS),
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => Some(&arch::neon::KERNELS),
        #[allow(unreachable_patterns, reason = "which arms exist depends on the architecture")]
        _ => None,
    }
}

/// The kernels of every instruction set that this machine runs, the preferred last. For tests and self-tests.
pub fn available() -> impl Iterator<Item = &'static Kernels> {
    isa::available().filter_map(of)
}

/// The scalar kernels: they define the results of all others.
pub fn scalar() -> &'static Kernels {
    &arch::scalar::KERNELS
}

/// The kernels in use, or why what the environment forces cannot be.
pub fn try_active() -> Result<&'static Kernels, UnavailableIsa> {
    isa::active().map(|isa| of(isa).unwrap_or(&arch::scalar::KERNELS))
}

/// The kernels in use; the scalar ones where the environment forces something unavailable ([`try_active`] says so).
pub fn active() -> &'static Kernels {
    try_active().unwrap_or(&arch::scalar::KERNELS)
}
