//! What must hold for any bytes: run by the fuzz targets and, for a start, by a property test on every compiler.

use std::io::Read;
use std::path::Path;
use std::sync::LazyLock;

use tokenbed_text::{Encoding, SpecialPolicy, SpecialSet, TextError, Tokenizer};

static TOKENIZERS: LazyLock<Vec<Tokenizer>> = LazyLock::new(|| {
    let load = |name: &str| {
        let encoding = Encoding::named(name).expect("a known encoding");
        let path = format!("{}/vocab/{}.br", root(), encoding.vocabulary);
        let packed = std::fs::read(path).expect("`npm run build` makes the vocabularies");
        let mut ranks = Vec::new();
        brotli_decompressor::Decompressor::new(&packed[..], 4096).read_to_end(&mut ranks).expect("brotli");
        Tokenizer::new(encoding, &ranks).expect("a sound vocabulary")
    };
    ["gpt2", "cl100k_base", "o200k_base"].map(load).into()
});

/// The project's folder, seen from the crate or from its fuzz crate.
fn root() -> &'static str {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let is_fuzz = crate_folder.ends_with("fuzz");
    if is_fuzz {
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../..")
    } else {
        concat!(env!("CARGO_MANIFEST_DIR"), "/../..")
    }
}

fn encoded(it: &Tokenizer, text: &str, policy: &SpecialPolicy) -> Result<Vec<u32>, TextError> {
    let mut ids = vec![7];
    let result = it.encode(text, policy, &mut ids);
    assert_eq!(ids.first(), Some(&7), "what stood in the output is kept");
    result.map(|()| ids.split_off(1))
}

/// Decoding inverts encoding, counting is encoding, a batch is its texts, under every policy. The first byte is the
/// number of threads, the others are text.
pub fn encode(data: &[u8]) {
    let Some((&threads, bytes)) = data.split_first() else { return };
    let text = &*String::from_utf8_lossy(bytes);
    let all = SpecialPolicy { allowed: SpecialSet::All, disallowed: SpecialSet::NONE };
    for it in &*TOKENIZERS {
        for policy in [&SpecialPolicy::PLAIN, &all, &SpecialPolicy::default()] {
            let result = encoded(it, text, policy);
            assert_eq!(it.count(text, policy), result.as_ref().map(Vec::len).map_err(Clone::clone), "{}", it.name());
            let has_special = it.special_tokens().iter().any(|(name, _)| text.contains(name.as_str()));
            match &result {
                Ok(ids) => assert_eq!(it.decode(ids).as_deref(), Ok(text), "{}", it.name()),
                Err(error) => {
                    assert!(has_special && matches!(error, TextError::DisallowedSpecial { .. }), "{error}");
                }
            }
            // Line by line, and several times over, so that long texts are worth some threads.
            let lines: Vec<&str> = text.split_inclusive('\n').cycle().take(text.lines().count() * 4).collect();
            let batch = it.encode_batch(&lines, policy, usize::from(threads % 5));
            let single: Result<Vec<_>, _> = lines.iter().map(|line| encoded(it, line, policy)).collect();
            match (batch, single) {
                (Ok(batch), Ok(single)) => {
                    assert_eq!(batch.ids, single.concat());
                    let lengths: Vec<_> = batch.offsets.windows(2).map(|ends| (ends[1] - ends[0]) as usize).collect();
                    assert_eq!(lengths, single.iter().map(Vec::len).collect::<Vec<_>>());
                }
                (Err(TextError::InBatch { index, source }), Err(error)) => {
                    assert_eq!(*source, error);
                    assert_eq!(encoded(it, lines[index], policy), Err(error));
                }
                (batch, single) => panic!("{batch:?}, and one by one {single:?}"),
            }
        }
    }
}

/// Whatever the bytes of a vocabulary, reading it ends, and what was read encodes. As they are, and behind a sound
/// beginning, so that the reader gets as far as the merges.
pub fn vocabulary(data: &[u8]) {
    let mut merges = b"TBVOCAB1".to_vec();
    let numbers = data.iter().filter(|&&byte| byte < 128).count() as u32;
    merges.extend_from_slice(&(256 + numbers / 2).to_le_bytes());
    merges.extend(0..=255);
    merges.extend_from_slice(data);
    for file in [data, &merges] {
        let encoding = Encoding { tokens: None, special: vec![], ..Encoding::named("gpt2").expect("known") };
        let Ok(it) = Tokenizer::new(encoding, file) else { continue };
        assert!(it.vocab_size() >= 256);
        for id in 0..it.vocab_size() as u32 {
            let bytes = it.token_bytes(id).expect("a token");
            if let Ok(token) = std::str::from_utf8(&bytes) {
                // Once alone, and often enough to be cut into blocks.
                for text in [token.to_owned(), token.repeat(130 / token.len().max(1) + 1)] {
                    let ids = encoded(&it, &text, &SpecialPolicy::PLAIN).expect("plain text");
                    assert_eq!(it.decode(&ids).as_deref(), Ok(&*text));
                    assert_eq!(it.count(&text, &SpecialPolicy::PLAIN), Ok(ids.len()));
                }
            }
        }
    }
}
