//! Chooses the function that runs an op. An op owns its functions, one for each instruction set, and makes them with
//! [`arms!`] in its own file. [`Kernels`] proves that an instruction set runs on this machine, and selects among the
//! functions. No op is named here.

use crate::isa::{self, Isa, UnavailableIsa};

/// An instruction set that this machine runs. It can only be made here, which is what makes its methods safe: each op's
/// method is defined next to the op, in `ops/`. Selecting a function takes one pointer load, once per batch and never
/// per row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernels {
    isa: Isa,
}

impl Kernels {
    /// The instruction set.
    pub fn isa(self) -> Isa {
        self.isa
    }
}

/// The functions of one op, indexed by instruction set. At the places of other processors' instruction sets they are
/// the reference; no [`Kernels`] selects those.
#[derive(Debug)]
pub(crate) struct Arms<F>([F; Isa::ALL.len()]);

impl<F: Copy> Arms<F> {
    /// The reference, and the functions compiled for the instruction sets of this processor.
    pub(crate) const fn new(reference: F, compiled: &[(Isa, F)]) -> Self {
        let mut all = [reference; Isa::ALL.len()];
        let mut i = 0;
        while i < compiled.len() {
            all[compiled[i].0 as usize] = compiled[i].1;
            i += 1;
        }
        Self(all)
    }

    /// The function for an instruction set that runs here.
    #[inline(always)]
    pub(crate) fn on(&self, kernels: Kernels) -> F {
        self.0[kernels.isa as usize]
    }
}

/// Compiles the body of an op once for each instruction set, in a function with the features of that set, and makes the
/// op's table of these functions: `arms!(GATHER: fn(op: RawGather), body<L>, reference)`.
///
/// A body written with vectors is named with `<L>`, which stands for the vectors of the instruction set. A body in
/// plain Rust (`arms!(MAX_ID: fn(ids: &[u32]) -> u32, body, body)`) is left to the compiler. Bodies are
/// `#[inline(always)]`, so that they are compiled with the features of the enclosing function. The reference serves as
/// the scalar instruction set: plain Rust that defines the result.
///
/// A new instruction set needs a line here, its vector in `arch/` and its name in `isa.rs`.
macro_rules! arms {
    ($name:ident: fn($($arg:ident: $type:ty),*) $(-> $result:ty)?, $body:ident<L>, $reference:expr) => {
        $crate::dispatch::arms!(@table $name ($($arg: $type),*) ($(-> $result)?) (lanes $body) $reference);
    };
    ($name:ident: fn($($arg:ident: $type:ty),*) $(-> $result:ty)?, $body:expr, $reference:expr) => {
        $crate::dispatch::arms!(@table $name ($($arg: $type),*) ($(-> $result)?) (plain $body) $reference);
    };
    (@table $name:ident ($($arg:ident: $type:ty),*) ($($result:tt)*) $body:tt $reference:expr) => {
        static $name: $crate::dispatch::Arms<unsafe fn($($type),*) $($result)*> = {
            $crate::dispatch::arms!(@arm "x86_64" avx2 F32x8 "avx2,popcnt,fma,f16c"
                ($($arg: $type),*) ($($result)*) $body);
            $crate::dispatch::arms!(@arm "x86_64" avx512 F32x16 "avx2,popcnt,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl"
                ($($arg: $type),*) ($($result)*) $body);
            $crate::dispatch::arms!(@arm "aarch64" neon F32x4 "neon"
                ($($arg: $type),*) ($($result)*) $body);
            $crate::dispatch::Arms::new(
                $reference,
                &[
                    #[cfg(target_arch = "x86_64")]
                    ($crate::isa::Isa::Avx2, avx2),
                    #[cfg(target_arch = "x86_64")]
                    ($crate::isa::Isa::Avx512, avx512),
                    #[cfg(target_arch = "aarch64")]
                    ($crate::isa::Isa::Neon, neon),
                ],
            )
        };
    };
    (@arm $processor:literal $isa:ident $lanes:ident $features:literal ($($arg:ident: $type:ty),*) ($($result:tt)*)
        $body:tt) => {
        #[cfg(target_arch = $processor)]
        #[target_feature(enable = $features)]
        #[allow(unused_unsafe, reason = "bodies of plain Rust are safe")]
        unsafe fn $isa($($arg: $type),*) $($result)* {
            // SAFETY: the caller keeps the op's contract; the vectors' features are enabled here.
            unsafe { $crate::dispatch::arms!(@call $isa $lanes $body ($($arg),*)) }
        }
    };
    (@call $isa:ident $lanes:ident (lanes $body:ident) ($($arg:ident),*)) => {
        $body::<$crate::arch::$isa::$lanes>($($arg),*)
    };
    (@call $isa:ident $lanes:ident (plain $body:expr) ($($arg:ident),*)) => {
        $body($($arg),*)
    };
}
pub(crate) use arms;

/// The instruction sets that this machine runs, with the preferred one last. For tests and the self-test.
pub fn available() -> impl Iterator<Item = Kernels> {
    isa::available().map(|isa| Kernels { isa })
}

/// Plain Rust: the references, which define all results.
pub fn scalar() -> Kernels {
    Kernels { isa: Isa::Scalar }
}

/// The instruction set in use. Fails if the one that the environment forces is not available.
pub fn try_active() -> Result<Kernels, UnavailableIsa> {
    isa::active().map(|isa| Kernels { isa })
}

/// The instruction set in use; plain Rust if the environment forces one that is not available ([`try_active`] reports
/// that).
pub fn active() -> Kernels {
    try_active().unwrap_or(scalar())
}
