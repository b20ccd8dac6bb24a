//! Settings of property tests: the same cases in every run.

use proptest::test_runner::{Config, RngSeed};

/// `cases` cases from a fixed seed. A failing case is shrunk and printed, and leaves no file.
pub fn cases(cases: u32) -> Config {
    Config { cases, rng_seed: RngSeed::Fixed(20_240_229), failure_persistence: None, ..Config::default() }
}
