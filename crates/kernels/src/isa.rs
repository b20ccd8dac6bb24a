//! The instruction set to run: detected once, or forced by an environment variable (for tests and bug reports).

use std::sync::OnceLock;

/// Forces an instruction set by its [`Isa::name`]. It is read once, at the first use.
pub const ISA_VARIABLE: &str = "TOKENBED_ISA";

/// An instruction set that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// Plain Rust, on every machine. Its results define those of all others.
    Scalar,
    /// AVX2 with FMA and F16C (x86-64-v3).
    Avx2,
    /// AVX-512 F, BW, DQ and VL (x86-64-v4).
    Avx512,
    /// NEON (every arm64).
    Neon,
}

impl Isa {
    /// All instruction sets, with the preferred one last.
    pub const ALL: [Isa; 4] = [Isa::Scalar, Isa::Neon, Isa::Avx2, Isa::Avx512];

    /// The name that users see and write.
    pub const fn name(self) -> &'static str {
        match self {
            Isa::Scalar => "scalar",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
            Isa::Neon => "neon",
        }
    }

    /// Whether this machine runs it.
    pub fn is_available(self) -> bool {
        match self {
            Isa::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => features().take(4).all(|(_, is_there)| is_there),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => features().all(|(_, is_there)| is_there),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => features().all(|(_, is_there)| is_there),
            #[allow(unreachable_patterns, reason = "which arms exist depends on the architecture")]
            _ => false,
        }
    }
}

/// The processor features that decide the choice of instruction set, and whether this machine has them. The first four
/// make up AVX2, all of them AVX-512.
#[cfg(target_arch = "x86_64")]
pub fn features() -> impl Iterator<Item = (&'static str, bool)> {
    [
        ("avx2", is_x86_feature_detected!("avx2")),
        ("popcnt", is_x86_feature_detected!("popcnt")),
        ("fma", is_x86_feature_detected!("fma")),
        ("f16c", is_x86_feature_detected!("f16c")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx512bw", is_x86_feature_detected!("avx512bw")),
        ("avx512dq", is_x86_feature_detected!("avx512dq")),
        ("avx512vl", is_x86_feature_detected!("avx512vl")),
    ]
    .into_iter()
}

/// The processor features that decide the choice of instruction set, and whether this machine has them.
#[cfg(target_arch = "aarch64")]
pub fn features() -> impl Iterator<Item = (&'static str, bool)> {
    [("neon", std::arch::is_aarch64_feature_detected!("neon"))].into_iter()
}

/// The processor features that decide the choice of instruction set; there are none on this processor.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub fn features() -> impl Iterator<Item = (&'static str, bool)> {
    std::iter::empty()
}

/// The environment forces an instruction set that this machine does not have, or that does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnavailableIsa {
    /// The value of the variable.
    pub asked: String,
}

impl std::fmt::Display for UnavailableIsa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{ISA_VARIABLE}={} is not available on this machine; available:", self.asked)?;
        available().try_for_each(|isa| write!(f, " {}", isa.name()))
    }
}

impl std::error::Error for UnavailableIsa {}

/// The instruction sets that this machine runs, with the preferred one last.
pub fn available() -> impl Iterator<Item = Isa> {
    Isa::ALL.into_iter().filter(|isa| isa.is_available())
}

/// The instruction set in use: the one that the environment forces, or else the preferred one.
pub fn active() -> Result<Isa, UnavailableIsa> {
    static ACTIVE: OnceLock<Result<Isa, UnavailableIsa>> = OnceLock::new();
    ACTIVE.get_or_init(|| choose(std::env::var(ISA_VARIABLE).ok())).clone()
}

fn choose(forced: Option<String>) -> Result<Isa, UnavailableIsa> {
    match forced {
        Some(asked) if !asked.is_empty() => available().find(|isa| isa.name() == asked).ok_or(UnavailableIsa { asked }),
        _ => Ok(available().last().unwrap_or(Isa::Scalar)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_one_is_chosen_unless_forced() {
        assert_eq!(choose(None).ok(), available().last());
        assert_eq!(choose(Some(String::new())).ok(), available().last());
        assert_eq!(choose(Some("scalar".into())), Ok(Isa::Scalar));
    }

    #[test]
    fn an_unknown_name_lists_the_available_ones() {
        let error = choose(Some("avx9".into())).unwrap_err();
        assert!(error.to_string().starts_with("TOKENBED_ISA=avx9 is not available on this machine; available: scalar"));
    }
}
