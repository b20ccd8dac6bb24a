//! Facts about this binary and the machine that it runs on.

use crate::node::borrow::size;
use crate::node::buffers::live_data;
use crate::node::guard::{Failure, guard, status};
use napi::Env;
use napi_derive::napi;
use tokenbed_core::Error;
use tokenbed_kernels::self_test::self_test;
use tokenbed_kernels::{dispatch, isa};
use tokenbed_memory::Gather;
use tokenbed_threads::{BadThreads, setting};

/// A processor feature that decides which instruction set is chosen.
#[napi(object)]
pub struct CpuFeature {
    pub name: String,
    pub available: bool,
}

/// Facts about this binary and the machine that it runs on.
#[napi(object)]
pub struct Native {
    pub version: String,
    pub isa: String,
    pub detected: Vec<String>,
    pub features: Vec<CpuFeature>,
    pub target: String,
    pub live_data: bool,
}

impl From<BadThreads> for Failure {
    fn from(error: BadThreads) -> Self {
        let failure = Failure::from(Error::Usage(error.to_string()));
        match error {
            BadThreads::Given(_) => failure,
            BadThreads::Environment(_) => failure.of_setting(setting::THREADS_VARIABLE),
        }
    }
}

/// The number of threads that a kernel may use. Fails if the environment variable is not a valid number of threads.
pub(crate) fn threads() -> Result<usize, Failure> {
    Ok(setting::num_threads()?)
}

/// The number of threads for work that is not bound by memory bandwidth: the configured number, or else all cores.
pub(crate) fn computing_threads() -> Result<usize, Failure> {
    Ok(setting::chosen()?.unwrap_or_else(setting::cores))
}

/// The number of threads that a kernel may use.
#[napi(catch_unwind)]
pub fn num_threads() -> Option<f64> {
    guard(|| Ok(threads()? as f64))
}

/// Sets the number of threads for the whole process.
#[napi(catch_unwind)]
pub fn set_num_threads(threads: f64) -> bool {
    status(|| Ok(setting::set_num_threads(size(threads)?)?))
}

/// The number of worker threads started so far. A test uses it to check that none starts before there is work.
#[napi(catch_unwind)]
pub fn started_threads() -> Option<f64> {
    guard(|| Ok(tokenbed_threads::started() as f64))
}

/// Facts about this binary and the machine. Fails if the environment forces an instruction set that the machine does
/// not have.
#[napi(catch_unwind)]
pub fn native_info(env: Env) -> Option<Native> {
    guard(|| -> Result<_, Failure> {
        let kernels = dispatch::try_active()
            .map_err(|error| Failure::from(Error::Usage(error.to_string())).of_setting(isa::ISA_VARIABLE))?;
        Ok(Native {
            version: env!("CARGO_PKG_VERSION").into(),
            isa: kernels.isa().name().into(),
            detected: isa::available().map(|isa| isa.name().into()).into_list(),
            features: isa::features().map(|(name, available)| CpuFeature { name: name.into(), available }).into_list(),
            target: format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
            live_data: live_data(&env)?,
        })
    })
}

/// The results of one op on one instruction set, compared with the scalar ones.
#[napi(object)]
pub struct KernelTest {
    pub op: String,
    pub isa: String,
    pub ok: bool,
    /// The digest of all its results: 16 hexadecimal digits, the same on every machine.
    pub digest: String,
}

/// Compares the kernels of every instruction set that the machine has with the scalar ones. This takes some
/// milliseconds.
#[napi(catch_unwind)]
pub fn kernels_self_test() -> Option<Vec<KernelTest>> {
    guard(|| {
        let tested = self_test().into_iter();
        Ok(tested
            .map(|it| KernelTest {
                op: it.op.into(),
                isa: it.isa.name().into(),
                ok: it.ok,
                digest: format!("{:016x}", it.digest),
            })
            .into_list())
    })
}
