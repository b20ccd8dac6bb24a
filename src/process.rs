//! What this binary is and runs on.

use crate::buffers::live_data;
use crate::guard::{Failure, guard};
use napi::Env;
use napi_derive::napi;
use std::num::NonZero;
use std::sync::OnceLock;
use tokenbed_core::Error;
use tokenbed_kernels::{isa, table};

/// What this binary is and runs on.
#[napi(object)]
pub struct Native {
    pub version: String,
    pub isa: String,
    pub detected: Vec<String>,
    pub target: String,
    pub threads: u32,
    pub live_data: bool,
}

/// Threads that run at the same time here.
pub(crate) fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, NonZero::get))
}

/// Threads that a kernel may use: bandwidth saturates at two to four.
pub(crate) fn threads() -> usize {
    cores().min(4)
}

/// What this binary is and runs on; a failure where the environment forces an instruction set that is not there.
#[napi(catch_unwind)]
pub fn native_info(env: Env) -> Option<Native> {
    guard(|| -> Result<_, Failure> {
        let kernels = table::try_active().map_err(|error| Error::Usage(error.to_string()))?;
        Ok(Native {
            version: env!("CARGO_PKG_VERSION").into(),
            isa: kernels.isa().name().into(),
            detected: isa::available().map(|isa| isa.name().into()).collect(),
            target: format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
            threads: threads() as u32,
            live_data: live_data(&env)?,
        })
    })
}
