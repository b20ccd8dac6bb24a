//! How many threads a kernel may use: what was set, else what the environment says, else a few.

use std::env;
use std::ffi::OsString;
use std::num::NonZero;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

/// The environment variable that says how many threads, read once, at the first use.
pub const THREADS_VARIABLE: &str = "TOKENBED_NUM_THREADS";
/// The most that can be asked for: more than any machine gains from.
pub const MOST_THREADS: usize = 1024;
/// Lookups are bound by memory, whose bandwidth a few cores exhaust.
const DEFAULT_MOST: usize = 4;

/// A number of threads that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadThreads {
    /// [`set_num_threads`] was given it.
    #[error("the number of threads must be a whole number from 1 to {MOST_THREADS}, not {0}")]
    Given(usize),
    /// The environment says it.
    #[error("{THREADS_VARIABLE}={0} is not a whole number from 1 to {MOST_THREADS}: correct it or unset it")]
    Environment(String),
}

/// What [`set_num_threads`] set; 0 for nothing.
static SET: AtomicUsize = AtomicUsize::new(0);

/// Threads that kernels may use from now on, the calling one among them, in the whole process.
///
/// # Errors
/// [`BadThreads`] for 0 and for more than [`MOST_THREADS`].
pub fn set_num_threads(threads: usize) -> Result<(), BadThreads> {
    if !(1..=MOST_THREADS).contains(&threads) {
        return Err(BadThreads::Given(threads));
    }
    SET.store(threads, Ordering::Relaxed);
    Ok(())
}

/// Threads that a kernel may use: as set, as the environment says, or all cores up to four.
///
/// # Errors
/// [`BadThreads`] where nothing was set and the environment does not say a number.
pub fn num_threads() -> Result<usize, BadThreads> {
    Ok(chosen()?.unwrap_or_else(|| cores().min(DEFAULT_MOST)))
}

/// Threads that somebody chose, by [`set_num_threads`] or the environment: for work that is not bound by memory, whose
/// default is another.
///
/// # Errors
/// As [`num_threads`].
pub fn chosen() -> Result<Option<usize>, BadThreads> {
    match SET.load(Ordering::Relaxed) {
        0 => environment(),
        set => Ok(Some(set)),
    }
}

/// Threads that run at the same time on this machine.
pub fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| available_parallelism().map_or(1, NonZero::get))
}

fn environment() -> Result<Option<usize>, BadThreads> {
    static READ: OnceLock<Result<Option<usize>, BadThreads>> = OnceLock::new();
    READ.get_or_init(|| parse(env::var_os(THREADS_VARIABLE))).clone()
}

fn parse(value: Option<OsString>) -> Result<Option<usize>, BadThreads> {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(None) };
    let text = value.to_string_lossy();
    // Digits alone: `parse` also takes a sign.
    let number = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    match number {
        Some(threads) if (1..=MOST_THREADS).contains(&threads) => Ok(Some(threads)),
        _ => Err(BadThreads::Environment(text.into_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_says_a_number_or_nothing() {
        assert_eq!(parse(None), Ok(None));
        assert_eq!(parse(Some("".into())), Ok(None));
        assert_eq!(parse(Some("1".into())), Ok(Some(1)));
        assert_eq!(parse(Some("1024".into())), Ok(Some(1024)));
        for bad in ["0", "1025", "-1", "+2", " 2", "2.0", "two", "99999999999999999999"] {
            let error = parse(Some(bad.into())).unwrap_err();
            assert_eq!(error, BadThreads::Environment(bad.into()));
            assert_eq!(
                error.to_string(),
                format!("TOKENBED_NUM_THREADS={bad} is not a whole number from 1 to 1024: correct it or unset it")
            );
        }
    }

    #[test]
    fn what_was_set_holds() {
        assert_eq!(set_num_threads(0), Err(BadThreads::Given(0)));
        assert_eq!(set_num_threads(MOST_THREADS + 1), Err(BadThreads::Given(1025)));
        set_num_threads(3).unwrap();
        assert_eq!((num_threads(), chosen()), (Ok(3), Ok(Some(3))));
    }
}
