//! The libraries whose vectors are made, and what each does with tokens.

use tokenbed_text::SpecialPolicy;
use tokenbed_text::SpecialSet;

/// A library, or a way, of making the vector of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Semantics {
    /// model2vec from version 0.10 on: a text is cut to a number of characters, then to a number of tokens, and unknown
    /// tokens are left out of what remains.
    Model2Vec,
    /// model2vec before that: unknown tokens are left out first.
    Model2Vec09,
    /// StaticEmbedding of sentence-transformers: all tokens count.
    SentenceTransformers,
    /// WordLlama: all tokens count, and an id behind the table names its last row.
    WordLlama,
    /// The mean of all tokens that have a row. Special tokens in a text are plain text.
    Mean,
}

/// What happens to tokens that the tokenizer does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnknownTokens {
    /// They count as any other.
    Stay,
    /// They are left out, and do not count towards the largest number of tokens.
    GoFirst,
    /// They are left out of what a cut text has.
    GoLast,
}

impl Semantics {
    /// Which special tokens of a text are recognised.
    pub(crate) fn special(self) -> SpecialPolicy {
        match self {
            Self::Mean => SpecialPolicy::PLAIN,
            _ => SpecialPolicy { allowed: SpecialSet::All, disallowed: SpecialSet::NONE },
        }
    }

    pub(crate) fn unknown(self) -> UnknownTokens {
        match self {
            Self::Model2Vec => UnknownTokens::GoLast,
            Self::Model2Vec09 => UnknownTokens::GoFirst,
            Self::SentenceTransformers | Self::WordLlama | Self::Mean => UnknownTokens::Stay,
        }
    }

    /// Whether a text is cut by characters before it is encoded.
    pub(crate) fn cuts_characters(self) -> bool {
        matches!(self, Self::Model2Vec | Self::Model2Vec09)
    }

    /// Whether an id without a row names the last one.
    pub(crate) fn clamps(self) -> bool {
        self == Self::WordLlama
    }

    /// The smallest length that vectors are divided by. Each library has its own way of not dividing by zero.
    pub(crate) fn least_norm(self) -> f32 {
        match self {
            Self::SentenceTransformers => 1e-12,
            _ => f32::MIN_POSITIVE,
        }
    }
}
