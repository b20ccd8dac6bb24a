//! The bodies of the fuzz targets, on bytes that proptest draws: so that they keep compiling, and holding.
#![allow(clippy::expect_used, reason = "the fuzz targets' bodies are tests")]

#[path = "../fuzz/bodies.rs"]
mod bodies;

use proptest::prelude::*;

proptest! {
    #[test]
    fn safetensors(few: u8, name in "[a-z\"\\\\]{0,3}", shape in prop::collection::vec(0usize..5, 0..4), dtype in "F32|I64|BOOL|F8_E4M3|X",
                   start in 0usize..3, end in 0usize..40, cut in prop::option::of(0usize..90), noise in prop::collection::vec(any::<u8>(), 0..60)) {
        let header = format!(r#"{{"{name}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{start},{end}]}}}}"#);
        let mut data = [&[few], header.as_bytes()].concat();
        data.truncate(cut.unwrap_or(data.len()));
        bodies::safetensors(&data);
        bodies::safetensors(&noise);
    }
}

proptest! {
    #[test]
    fn word2vec(how: u8, rows in 0usize..4, dim in 0usize..4, line in "[a-c\u{e9}]{0,2}( [0-9.eN-]{0,3}){0,4}\n?", repeats in 0usize..4, noise in prop::collection::vec(any::<u8>(), 0..60)) {
        bodies::word2vec(&[&[how], format!("{rows} {dim}\n{}", line.repeat(repeats)).as_bytes()].concat());
        bodies::word2vec(&[&[how], format!("{rows} {dim}\n").as_bytes(), &noise].concat());
        bodies::word2vec(&noise);
    }
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let files = std::fs::read_dir(format!("{}/fuzz/seeds/{target}", env!("CARGO_MANIFEST_DIR"))).expect("a folder");
    let seeds: Vec<_> = files.map(|file| std::fs::read(file.expect("a file").path()).expect("readable")).collect();
    assert!(!seeds.is_empty());
    seeds
}

#[test]
fn the_seeds() {
    seeds("safetensors").iter().for_each(|seed| bodies::safetensors(seed));
    seeds("word2vec").iter().for_each(|seed| bodies::word2vec(seed));
}
