//! Runs the bodies of the fuzz targets on bytes that proptest draws, so that they keep compiling and passing.
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
    fn shards(name in "[a-z.\"\\\\]{0,6}", file in "[a-z./:\\\\]{0,6}|\\[|null|7", cut in prop::option::of(0usize..40),
              noise in prop::collection::vec(any::<u8>(), 0..60)) {
        let mut data = format!(r#""{name}": "{file}", "x": {file:?}"#).into_bytes();
        data.truncate(cut.unwrap_or(data.len()));
        bodies::shards(&data);
        bodies::shards(&noise);
        bodies::recognised(&noise);
        for mut seed in seeds("recognised") {
            seed.truncate(cut.unwrap_or(seed.len()));
            seed.extend(&noise);
            bodies::recognised(&seed);
        }
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

proptest! {
    #[test]
    fn glove(how: u8, line in "[a-c\u{e9} ]{0,3}( [0-9.eN-]{0,3}){0,4}\r?\n?", repeats in 0usize..4, noise in prop::collection::vec(any::<u8>(), 0..60)) {
        bodies::glove(&[&[how | 2], line.repeat(repeats).as_bytes(), &noise].concat());
        bodies::glove(&[&[how | 2], format!("a 1 2\nb 3 4\n{line}c 5 6").as_bytes()].concat());
        bodies::glove(&noise);
    }
}

proptest! {
    #[test]
    fn gguf(at in any::<prop::sample::Index>(), change: u8, cut in prop::option::of(any::<prop::sample::Index>()),
            noise in prop::collection::vec(any::<u8>(), 0..90)) {
        bodies::gguf(&noise);
        for mut seed in seeds("gguf") {
            let at = at.index(seed.len());
            seed[at] ^= change;
            seed.truncate(cut.map_or(seed.len(), |cut| cut.index(seed.len())));
            bodies::gguf(&seed);
        }
    }
}

proptest! {
    #[test]
    fn fasttext(at in any::<prop::sample::Index>(), change: u8, cut in prop::option::of(any::<prop::sample::Index>()),
                noise in prop::collection::vec(any::<u8>(), 0..120)) {
        bodies::fasttext(&noise);
        for mut seed in seeds("fasttext") {
            // The header and what follows is where a change does most.
            let at = at.index(seed.len().min(400));
            seed[at] ^= change;
            seed.truncate(cut.map_or(seed.len(), |cut| cut.index(seed.len())));
            bodies::fasttext(&seed);
        }
    }
}

proptest! {
    #[test]
    fn npy(few: u8, descr in "[<>|=]?[fiub?][0-9]{0,2}", fortran in "True|False|1", shape in prop::collection::vec(0usize..5, 0..4),
           cut in prop::option::of(0usize..90), noise in prop::collection::vec(any::<u8>(), 0..60)) {
        let shape: String = shape.iter().map(|n| format!("{n}, ")).collect();
        let header = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': ({shape}), }}\n");
        let mut data = [&[few], header.as_bytes()].concat();
        data.truncate(cut.unwrap_or(data.len()));
        bodies::npy(&data);
        bodies::npy(&noise);
    }

    #[test]
    fn archives(how: u8, at in any::<prop::sample::Index>(), change: u8, cut in prop::option::of(0usize..400), noise in prop::collection::vec(any::<u8>(), 0..60)) {
        for target in ["npz", "torch"] {
            let body = if target == "npz" { bodies::npz } else { bodies::torch };
            body(&[&[how], &*noise].concat());
            for mut seed in seeds(target) {
                let at = at.index(seed.len());
                seed[at] ^= change;
                seed[0] = how;
                seed.truncate(cut.unwrap_or(seed.len()));
                body(&seed);
            }
        }
    }

    #[test]
    fn tokens(wide: bool, ids in prop::collection::vec(any::<u16>(), 0..20), ends in prop::collection::vec(0u64..24, 0..6), more in 0u8..3,
              cut in prop::option::of(0usize..90), noise in prop::collection::vec(any::<u8>(), 0..60)) {
        let bytes: Vec<u8> = ids.iter().flat_map(|&id| if wide { u32::from(id).to_le_bytes().to_vec() } else { id.to_le_bytes().to_vec() }).collect();
        let index = [0].into_iter().chain(ends.iter().copied()).chain([ids.len() as u64]).flat_map(u64::to_le_bytes);
        let head = [u8::from(wide), ids.len() as u8, ends.len() as u8 + more];
        let mut data: Vec<u8> = head.into_iter().chain(bytes).chain(index).collect();
        data.truncate(cut.unwrap_or(data.len()));
        bodies::tokens(&data);
        bodies::tokens(&noise);
    }

    #[test]
    fn writers(rows: u8, width: u8, kind: u8, rest in prop::collection::vec(any::<u8>(), 0..80)) {
        bodies::writers(&[&[rows, width, kind], &*rest].concat());
    }

    #[test]
    fn text_file(how: u8, at in any::<prop::sample::Index>(), change: u8, noise in prop::collection::vec(any::<u8>(), 0..60)) {
        bodies::text_file(&[&[how], &*noise].concat());
        for mut seed in seeds("text_file") {
            let at = at.index(seed.len().min(64));
            seed[at] ^= change;
            bodies::text_file(&seed);
        }
    }
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    tokenbed_testkit::seeds::seeds(env!("CARGO_MANIFEST_DIR"), target)
}

#[test]
fn the_seeds_pass() {
    seeds("safetensors").iter().for_each(|seed| bodies::safetensors(seed));
    seeds("shards").iter().for_each(|seed| bodies::shards(seed));
    seeds("recognised").iter().for_each(|seed| bodies::recognised(seed));
    seeds("gguf").iter().for_each(|seed| bodies::gguf(seed));
    seeds("fasttext").iter().for_each(|seed| bodies::fasttext(seed));
    seeds("npz").iter().for_each(|seed| bodies::npz(seed));
    seeds("torch").iter().for_each(|seed| bodies::torch(seed));
    seeds("npy").iter().for_each(|seed| bodies::npy(seed));
    seeds("tokens").iter().for_each(|seed| bodies::tokens(seed));
    seeds("glove").iter().for_each(|seed| bodies::glove(seed));
    seeds("word2vec").iter().for_each(|seed| bodies::word2vec(seed));
    seeds("text_file").iter().for_each(|seed| bodies::text_file(seed));
    seeds("writers").iter().for_each(|seed| bodies::writers(seed));
}

proptest! {
    #[test]
    fn records(how: u8, cut: u8, text in "([a-z\u{e9},\"\n\r\t{}:\\[\\]]|\"text\"|text|id){0,80}", noise in prop::collection::vec(any::<u8>(), 0..60)) {
        bodies::records(&[&[how, cut], text.as_bytes()].concat());
        bodies::records(&noise);
        for seed in seeds("records") {
            bodies::records(&seed);
        }
    }
}
