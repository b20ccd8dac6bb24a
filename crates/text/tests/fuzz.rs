//! Runs the bodies of the fuzz targets on bytes that proptest draws, so that they keep compiling and passing.
#![allow(clippy::expect_used, clippy::panic, reason = "the fuzz targets' bodies are tests")]

#[path = "../fuzz/bodies.rs"]
mod bodies;

use proptest::prelude::*;

proptest! {
    #[test]
    fn encode(data in prop_oneof![prop::collection::vec(any::<u8>(), 0..300), "[a-z\n' <|>0-9\u{0}-\u{ffff}]{0,120}".prop_map(String::into_bytes)]) {
        bodies::encode(&data);
    }

    #[test]
    fn vocabulary(data in prop::collection::vec(prop_oneof![any::<u8>(), 97u8..100], 0..200)) {
        bodies::vocabulary(&data);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn tokenizer_parts(data in prop::collection::vec(any::<u8>(), 0..200)) {
        bodies::tokenizer_parts(&data);
    }

    #[test]
    fn engines(data in prop::collection::vec(any::<u8>(), 0..300)) {
        bodies::engines(&data);
    }

    #[test]
    fn pattern(data in prop_oneof![
        "[a-c\\\\\\[\\](){}?*+|^$.:&<=!i-]{0,20}".prop_map(String::into_bytes),
        r"(\\[a-zA-Z]|[a\[\](|)?*+^$]|\(\?[:=!>]|\[\[:alpha:\]\]|\\p\{L\}|\{1,2\}){0,12}".prop_map(String::into_bytes),
    ]) {
        bodies::pattern(&data);
    }
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    tokenbed_testkit::seeds::seeds(env!("CARGO_MANIFEST_DIR"), target)
}

#[test]
fn the_seeds_pass() {
    seeds("encode").iter().for_each(|seed| bodies::encode(seed));
    seeds("tokenizer_json").iter().for_each(|seed| bodies::tokenizer_json(seed));
    seeds("engines").iter().for_each(|seed| bodies::engines(seed));
    seeds("pattern").iter().for_each(|seed| bodies::pattern(seed));
    seeds("tokenizer_parts").iter().for_each(|seed| bodies::tokenizer_parts(seed));
    seeds("vocabulary").iter().for_each(|seed| bodies::vocabulary(seed));
}
