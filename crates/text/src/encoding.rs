//! The parts of an encoding besides its vocabulary: name, pattern and special tokens (tiktoken: `openai_public.py`).

use crate::error::TextError;
use crate::split::Pattern;
use tokenbed_memory::Gather;

/// What a [`Tokenizer`](crate::Tokenizer) is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoding {
    /// The name that users give.
    pub name: String,
    /// Name of the vocabulary that it needs. Two encodings may share one.
    pub vocabulary: String,
    /// Number of tokens that the vocabulary must have, without special ones, if that is fixed.
    pub tokens: Option<usize>,
    /// How text is cut into pieces.
    pub pattern: Pattern,
    /// Special tokens and their ids.
    pub special: Vec<(String, u32)>,
}

struct Known {
    name: &'static str,
    vocabulary: &'static str,
    tokens: usize,
    pattern: Pattern,
    special: &'static [(&'static str, u32)],
}

const R50K_BASE: Known = Known {
    name: "r50k_base",
    vocabulary: "r50k_base",
    tokens: 50256,
    pattern: Pattern::Gpt2,
    special: &[("<|endoftext|>", 50256)],
};

const CL100K_BASE: Known = Known {
    name: "cl100k_base",
    vocabulary: "cl100k_base",
    tokens: 100256,
    pattern: Pattern::Cl100k,
    special: &[
        ("<|endoftext|>", 100257),
        ("<|fim_prefix|>", 100258),
        ("<|fim_middle|>", 100259),
        ("<|fim_suffix|>", 100260),
        ("<|endofprompt|>", 100276),
    ],
};

const O200K_BASE: Known = Known {
    name: "o200k_base",
    vocabulary: "o200k_base",
    tokens: 199998,
    pattern: Pattern::O200k,
    special: &[("<|endoftext|>", 199999), ("<|endofprompt|>", 200018)],
};

/// `gpt2` has the same tokens, ids and pattern as `r50k_base`; tiktoken only reads it from older files.
const KNOWN: &[Known] = &[Known { name: "gpt2", ..R50K_BASE }, R50K_BASE, CL100K_BASE, O200K_BASE];

impl Encoding {
    /// The encoding with this name (tiktoken: `get_encoding`).
    pub fn named(name: &str) -> Result<Self, TextError> {
        let known = KNOWN.iter().find(|known| known.name == name).ok_or_else(|| TextError::UnknownEncoding {
            name: name.to_owned(),
            known: encodings().into_list().join(", "),
        })?;
        Ok(Self {
            name: known.name.to_owned(),
            vocabulary: known.vocabulary.to_owned(),
            tokens: Some(known.tokens),
            pattern: known.pattern,
            special: known.special.iter().map(|&(token, id)| (token.to_owned(), id)).into_list(),
        })
    }
}

/// The names that [`Encoding::named`] knows (tiktoken: `list_encoding_names`).
pub fn encodings() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|known| known.name)
}
