//! Which function of an op runs. An op owns its functions, one for each instruction set, and makes them by [`arms!`] in
//! its own file; [`Kernels`] is the proof that an instruction set runs on this machine, and chooses among them. No op
//! is named here.

use crate::isa::{self, Isa, UnavailableIsa};

/// An instruction set that this machine runs. Nobody else can make one, which is what makes its methods safe: each op's
/// method stands beside the op, in `ops/`. The choice is one load of a pointer, paid once per batch and never per row.
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

/// The functions of one op, indexed by instruction set. Those of instruction sets that other processors have are the
/// reference; no [`Kernels`] asks for them.
#[derive(Debug)]
pub(crate) struct Arms<F>([F; Isa::ALL.len()]);

impl<F: Copy> Arms<F> {
    /// The reference, and what is compiled for the instruction sets of this processor.
    pub(crate) const fn new(reference: F, compiled: &[(Isa, F)]) -> Self {
        let mut all = [reference; Isa::ALL.len()];
        let mut i = 0;
        while i < compiled.len() {
            all[compiled[i].0 as usize] = compiled[i].1;
            i += 1;
        }
        Self(all)
    }

    /// The function of an instruction set that runs here.
    #[inline(always)]
    pub(crate) fn on(&self, kernels: Kernels) -> F {
        self.0[kernels.isa as usize]
    }
}

/// Compiles the body of an op once for each instruction set, in a function that has its features, and makes the op's
/// table of them: `arms!(GATHER: fn(op: RawGather), body<L>, reference)`.
///
/// A body that is written on vectors is named with `<L>`, for which the vectors of the instruction set stand; one that
/// is plain Rust (`arms!(MAX_ID: fn(ids: &[u32]) -> u32, body, body)`) is left to the compiler to make vectors of.
/// Bodies are `#[inline(always)]`, so that they are compiled with the features of the function around them. The
/// reference is the scalar instruction set: plain Rust that defines the result.
///
/// A new instruction set is a line here, its vector in `arch/` and its name in `isa.rs`.
macro_rules! arms {
    ($name:ident: fn($($arg:ident: $type:ty),*) $(-> $result:ty)?, $body:ident<L>, $reference:expr) => {
        $crate::dispatch::arms!(@table $name ($($arg: $type),*) ($(-> $result)?) (lanes $body) $reference);
    };
    ($name:ident: fn($($arg:ident: $type:ty),*) $(-> $result:ty)?, $body:expr, $reference:expr) => {
        $crate::dispatch::arms!(@table $name ($($arg: $type),*) ($(-> $result)?) (plain $body) $reference);
    };
    (@table $name:ident ($($arg:ident: $type:ty),*) ($($result:tt)*) $body:tt $reference:expr) => {
        static $name: $crate::dispatch::Arms<unsafe fn($($type),*) $($result)*> = {
            $crate::dispatch::arms!(@arm "x86_64" avx2 F32x8 "avx2,fma,f16c"
                ($($arg: $type),*) ($($result)*) $body);
            $crate::dispatch::arms!(@arm "x86_64" avx512 F32x16 "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl"
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
            // SAFETY: the caller keeps the op's contract; the features of the vectors are enabled here.
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

/// The instruction sets that this machine runs, the preferred last. For tests and the self-test.
pub fn available() -> impl Iterator<Item = Kernels> {
    isa::available().map(|isa| Kernels { isa })
}

/// Plain Rust: the references, which define the results of all others.
pub fn scalar() -> Kernels {
    Kernels { isa: Isa::Scalar }
}

/// The instruction set in use, or why the one that the environment forces cannot be.
pub fn try_active() -> Result<Kernels, UnavailableIsa> {
    isa::active().map(|isa| Kernels { isa })
}

/// The instruction set in use; plain Rust where the environment forces something unavailable ([`try_active`] says so).
pub fn active() -> Kernels {
    try_active().unwrap_or(scalar())
}
