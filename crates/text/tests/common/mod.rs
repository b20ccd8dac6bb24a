//! Helpers for tests: the encodings as they are shipped, and slow, simple implementations.
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

/// An encoding twice: ours, and its definition.
pub struct Subject {
    pub tokenizer: Tokenizer,
    /// The vocabulary, decompressed.
    pub ranks: Vec<u8>,
    /// tiktoken's pattern, run by the same expression engine as in tiktoken.
    pub pattern: fancy_regex::Regex,
    /// The tokens by their bytes.
    rank_of: HashMap<Vec<u8>, u32>,
}

/// `r50k_pat_str`
const R50K: &str = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s";
/// The pattern of `cl100k_base`.
const CL100K_BASE: &str = concat!(
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+",
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
);
/// The pattern of `o200k_base`.
const O200K_BASE: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);

pub static GPT2: LazyLock<Subject> = LazyLock::new(|| Subject::load("gpt2", R50K));
pub static CL100K: LazyLock<Subject> = LazyLock::new(|| Subject::load("cl100k_base", CL100K_BASE));
pub static O200K: LazyLock<Subject> = LazyLock::new(|| Subject::load("o200k_base", O200K_BASE));

/// One encoding for each pattern and vocabulary.
pub fn all() -> [&'static Subject; 3] {
    [&*GPT2, &*CL100K, &*O200K]
}

impl Subject {
    fn load(name: &str, pattern: &str) -> Self {
        let encoding = Encoding::named(name).expect("known");
        let path = format!("vocab/{}.br", encoding.vocabulary);
        let packed = std::fs::read(repository(&path))
            .unwrap_or_else(|error| panic!("{path}: {error}. `npm ci && npm run build` makes it"));
        let mut ranks = Vec::new();
        brotli_decompressor::Decompressor::new(&packed[..], 4096).read_to_end(&mut ranks).expect("brotli");
        let tokens = encoding.tokens.expect("known encodings know") as u32;
        let tokenizer = Tokenizer::new(encoding, &ranks).expect("sound");
        let rank_of = (0..tokens).map(|id| (tokenizer.token_bytes(id).expect("an id").to_vec(), id)).collect();
        let pattern = fancy_regex::Regex::new(pattern).expect("the pattern is spelt right");
        Self { tokenizer, ranks, pattern, rank_of }
    }

    pub fn name(&self) -> &str {
        self.tokenizer.name()
    }

    /// The ids of plain text.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        self.tokenizer.encode(text, &SpecialPolicy::PLAIN, &mut ids).expect("plain text always encodes");
        ids
    }

    /// Byte pair encoding by its definition: join the two neighbours whose joined bytes have the smallest rank, the
    /// leftmost of equals first, until none are left. It uses only the table of tokens.
    pub fn naive_merge(&self, piece: &[u8]) -> Vec<u32> {
        let mut parts: Vec<Vec<u8>> = piece.iter().map(|&byte| vec![byte]).collect();
        let rank = |parts: &[Vec<u8>], i: usize| self.rank_of.get(&parts[i..i + 2].concat()).copied();
        while let Some((_, at)) =
            (0..parts.len().saturating_sub(1)).filter_map(|i| rank(&parts, i).map(|rank| (rank, i))).min()
        {
            let right = parts.remove(at + 1);
            parts[at].extend(right);
        }
        parts.iter().map(|part| self.rank_of[part]).collect()
    }

    /// The ids of plain text, the slow way.
    pub fn naive_encode(&self, text: &str) -> Vec<u32> {
        let pieces = self.pattern.find_iter(text);
        pieces.flat_map(|piece| self.naive_merge(piece.expect("matches").as_str().as_bytes())).collect()
    }
}
