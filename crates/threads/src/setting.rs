//! How many threads a kernel may use: the number that was set, else the one in the environment, else a few.

use std::env;
use std::ffi::OsString;
use std::num::NonZero;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

/// The environment variable with the number of threads. It is read once, at the first use.
pub const THREADS_VARIABLE: &str = "TOKENBED_NUM_THREADS";
/// The largest number that can be set. No machine gains from more.
pub const MOST_THREADS: usize = 1024;
/// The largest default. Lookups are bound by memory, and a few cores exhaust its bandwidth.
const DEFAULT_MOST: usize = 4;

/// An invalid number of threads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadThreads {
    /// The number was given to [`set_num_threads`].
    #[error("the number of threads must be a whole number from 1 to {MOST_THREADS}, not {0}")]
    Given(usize),
    /// The number is in the environment.
    #[error("{THREADS_VARIABLE}={0} is not a whole number from 1 to {MOST_THREADS}: correct it or unset it")]
    Environment(String),
}

/// The number that [`set_num_threads`] set; 0 if none was set.
static SET: AtomicUsize = AtomicUsize::new(0);

/// Sets the number of threads that kernels may use from now on in the whole process, counting the calling thread.
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

/// Number of threads that a kernel may use: the one that was set, else the one in the environment, else all cores up
/// to four.
///
/// # Errors
/// [`BadThreads`] if none was set and `TOKENBED_NUM_THREADS` is not a whole number from 1 to [`MOST_THREADS`].
pub fn num_threads() -> Result<usize, BadThreads> {
    Ok(chosen()?.unwrap_or_else(|| cores().min(DEFAULT_MOST)))
}

/// The number of threads that the user chose, by [`set_num_threads`] or in the environment. It is for work that is
/// not bound by memory, and has another default.
///
/// # Errors
/// The same as [`num_threads`].
pub fn chosen() -> Result<Option<usize>, BadThreads> {
    match SET.load(Ordering::Relaxed) {
        0 => environment(),
        set => Ok(Some(set)),
    }
}

/// Number of threads that can run at the same time on this machine.
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
    // Only digits are allowed here; `parse` alone would also accept a sign.
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
    fn the_environment_has_a_number_or_nothing() {
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
    fn the_number_that_was_set_is_used() {
        assert_eq!(set_num_threads(0), Err(BadThreads::Given(0)));
        assert_eq!(set_num_threads(MOST_THREADS + 1), Err(BadThreads::Given(1025)));
        set_num_threads(3).unwrap();
        assert_eq!((num_threads(), chosen()), (Ok(3), Ok(Some(3))));
    }
}
