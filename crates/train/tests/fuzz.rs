//! Runs the bodies of the fuzz targets on bytes that proptest draws, so that they keep compiling and holding.
#![allow(clippy::expect_used, reason = "the fuzz targets' bodies are tests")]

#[path = "../fuzz/bodies.rs"]
mod bodies;

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn checkpoint(changes in prop::collection::vec(any::<u8>(), 0..30)) {
        bodies::checkpoint(&changes);
    }

    #[test]
    fn generator(changes in prop::collection::vec(any::<u8>(), 0..30)) {
        bodies::generator(&changes);
    }
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    tokenbed_testkit::seeds::seeds(env!("CARGO_MANIFEST_DIR"), target)
}

#[test]
fn the_seeds() {
    seeds("checkpoint").iter().for_each(|seed| bodies::checkpoint(seed));
    seeds("generator").iter().for_each(|seed| bodies::generator(seed));
}
