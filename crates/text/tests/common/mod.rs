//! What the tests share: the vocabulary as it is shipped, and an implementation that is slow and plain.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
#![allow(dead_code)] // no test uses all of it

use std::collections::HashMap;
use std::io::Read;
use std::path::PathBuf;
use std::sync::LazyLock;

use tokenbed_text::{Encoding, SpecialPolicy, Tokenizer};

/// A file of the repository.
pub fn repository(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(path)
}

/// The vocabulary, decompressed.
pub static RANKS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let packed = std::fs::read(repository("vocab/r50k_base.br"))
        .unwrap_or_else(|error| panic!("vocab/r50k_base.br: {error}. `npm ci && npm run build` makes it"));
    let mut ranks = Vec::new();
    brotli_decompressor::Decompressor::new(&packed[..], 4096).read_to_end(&mut ranks).expect("brotli");
    ranks
});

/// GPT-2's tokenizer.
pub static GPT2: LazyLock<Tokenizer> =
    LazyLock::new(|| Tokenizer::new(Encoding::named("gpt2").expect("known"), &RANKS).expect("sound"));

/// The ids of plain text.
pub fn encode(text: &str) -> Vec<u32> {
    let mut ids = Vec::new();
    GPT2.encode(text, &SpecialPolicy::PLAIN, &mut ids).expect("plain text always encodes");
    ids
}

/// tiktoken's `r50k_pat_str`, run by the same expression engine as in tiktoken.
pub static PATTERN: LazyLock<fancy_regex::Regex> = LazyLock::new(|| {
    let pattern = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s";
    fancy_regex::Regex::new(pattern).expect("the pattern is spelt right")
});

/// The tokens by their bytes.
pub static RANK_OF: LazyLock<HashMap<Vec<u8>, u32>> =
    LazyLock::new(|| (0..50256).map(|id| (GPT2.token_bytes(id).expect("an id").to_vec(), id)).collect());

/// Byte pair encoding as it is defined: join the two neighbours whose joined bytes have the smallest rank, the leftmost
/// of equals first, until none are left. No table but that of the tokens.
pub fn naive_merge(piece: &[u8]) -> Vec<u32> {
    let mut parts: Vec<Vec<u8>> = piece.iter().map(|&byte| vec![byte]).collect();
    let rank = |parts: &[Vec<u8>], i: usize| RANK_OF.get(&parts[i..i + 2].concat()).copied();
    while let Some((_, at)) =
        (0..parts.len().saturating_sub(1)).filter_map(|i| rank(&parts, i).map(|rank| (rank, i))).min()
    {
        let right = parts.remove(at + 1);
        parts[at].extend(right);
    }
    parts.iter().map(|part| RANK_OF[part]).collect()
}

/// The ids of plain text, the slow way.
pub fn naive_encode(text: &str) -> Vec<u32> {
    PATTERN.find_iter(text).flat_map(|piece| naive_merge(piece.expect("matches").as_str().as_bytes())).collect()
}
