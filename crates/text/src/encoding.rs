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
    /// Special tokens and their ids. A token `<|reserved_ID|>` may share its id with one before it, which it stands
    /// for.
    pub special: Vec<(String, u32)>,
    /// Tokens after those of the vocabulary: the places of the two tokens that each is made of.
    pub more: &'static [(u32, u32)],
    /// An id that the vocabulary leaves out: tokens from this place on have an id that is greater by one.
    pub gap: Option<u32>,
}

struct Known {
    name: &'static str,
    vocabulary: &'static str,
    tokens: usize,
    pattern: Pattern,
    special: &'static [(&'static str, u32)],
    /// Ids of further special tokens, which are called `<|reserved_ID|>`.
    reserved: std::ops::Range<u32>,
    more: &'static [(u32, u32)],
    gap: Option<u32>,
}

const R50K_BASE: Known = Known {
    name: "r50k_base",
    vocabulary: "r50k_base",
    tokens: 50256,
    pattern: Pattern::Gpt2,
    special: &[("<|endoftext|>", 50256)],
    reserved: 0..0,
    more: &[],
    gap: None,
};

/// The tokens that `p50k_base` has besides those of `r50k_base`: two to twenty-five spaces, each made of two tokens.
const SPACES: &[(u32, u32)] = &[
    (220, 220),
    (50256, 220),
    (50256, 50256),
    (50256, 50257),
    (50258, 50256),
    (50258, 50257),
    (50258, 50258),
    (50258, 50259),
    (50258, 50260),
    (50258, 50261),
    (50262, 50258),
    (50262, 50259),
    (50262, 50260),
    (50262, 50261),
    (50262, 50262),
    (50262, 50263),
    (50262, 50264),
    (50262, 50265),
    (50262, 50266),
    (50262, 50267),
    (50262, 50268),
    (50262, 50269),
    (50270, 50262),
    (50270, 50263),
];

/// Its special token has the id between those of the two vocabularies.
const P50K_BASE: Known = Known { name: "p50k_base", tokens: 50280, more: SPACES, gap: Some(50256), ..R50K_BASE };

const P50K_EDIT: Known = Known {
    name: "p50k_edit",
    special: &[
        ("<|endoftext|>", 50256),
        ("<|fim_prefix|>", 50281),
        ("<|fim_middle|>", 50282),
        ("<|fim_suffix|>", 50283),
    ],
    ..P50K_BASE
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
    reserved: 0..0,
    more: &[],
    gap: None,
};

const O200K_BASE: Known = Known {
    name: "o200k_base",
    vocabulary: "o200k_base",
    tokens: 199998,
    pattern: Pattern::O200k,
    special: &[("<|endoftext|>", 199999), ("<|endofprompt|>", 200018)],
    reserved: 0..0,
    more: &[],
    gap: None,
};

const O200K_HARMONY: Known = Known {
    name: "o200k_harmony",
    special: &[
        ("<|startoftext|>", 199998),
        ("<|endoftext|>", 199999),
        ("<|reserved_200000|>", 200000),
        ("<|reserved_200001|>", 200001),
        ("<|return|>", 200002),
        ("<|constrain|>", 200003),
        ("<|reserved_200004|>", 200004),
        ("<|channel|>", 200005),
        ("<|start|>", 200006),
        ("<|end|>", 200007),
        ("<|message|>", 200008),
        ("<|reserved_200009|>", 200009),
        ("<|reserved_200010|>", 200010),
        ("<|reserved_200011|>", 200011),
        ("<|call|>", 200012),
        ("<|endofprompt|>", 200018),
    ],
    reserved: 200013..201088,
    ..O200K_BASE
};

/// `gpt2` has the same tokens, ids and pattern as `r50k_base`; tiktoken only reads it from older files.
const KNOWN: &[Known] =
    &[Known { name: "gpt2", ..R50K_BASE }, R50K_BASE, P50K_BASE, P50K_EDIT, CL100K_BASE, O200K_BASE, O200K_HARMONY];

impl Encoding {
    /// The encoding with this name (tiktoken: `get_encoding`).
    pub fn named(name: &str) -> Result<Self, TextError> {
        let known = KNOWN.iter().find(|known| known.name == name).ok_or_else(|| TextError::UnknownEncoding {
            name: name.to_owned(),
            known: encodings().into_list().join(", "),
        })?;
        let named = known.special.iter().map(|&(token, id)| (token.to_owned(), id));
        let reserved = known.reserved.clone().map(|id| (format!("<|reserved_{id}|>"), id));
        let mut special = named.chain(reserved).into_list();
        special.sort_by_key(|&(_, id)| id);
        Ok(Self {
            name: known.name.to_owned(),
            vocabulary: known.vocabulary.to_owned(),
            tokens: Some(known.tokens),
            pattern: known.pattern,
            special,
            more: known.more,
            gap: known.gap,
        })
    }
}

/// The names that [`Encoding::named`] knows (tiktoken: `list_encoding_names`).
pub fn encodings() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|known| known.name)
}
