//! Text to ids and back: one type, whatever stands behind it.

use std::borrow::Cow;
use std::sync::Arc;

use crate::batch::{self, EncodedBatch};
use crate::encoding::Encoding;
use crate::error::TextError;
use crate::special::{Searches, SpecialPolicy};
use crate::tiktoken::Tiktoken;

/// A tokenizer, loaded. It does not change: any number of threads may use one, and a clone is the same.
#[derive(Clone)]
pub struct Tokenizer {
    kind: Arc<Kind>,
}

enum Kind {
    Encoding(Tiktoken),
}

/// A policy made ready for many texts.
enum Prepared<'a> {
    Encoding(&'a Tiktoken, Searches<'a>),
}

impl Prepared<'_> {
    fn encode(&self, text: &str, out: &mut Vec<u32>) -> Result<(), TextError> {
        match self {
            Self::Encoding(it, searches) => it.encode(text, searches, out),
        }
    }

    fn encode_certain(&self, text: &str, out: &mut Vec<u32>) -> Result<usize, TextError> {
        match self {
            Self::Encoding(it, searches) => it.encode_certain(text, searches, out),
        }
    }
}

impl Tokenizer {
    /// A tokenizer for `encoding`; `ranks` is its vocabulary file, decompressed (`vocab/<vocabulary>.br`).
    pub fn new(encoding: Encoding, ranks: &[u8]) -> Result<Self, TextError> {
        Ok(Self { kind: Arc::new(Kind::Encoding(Tiktoken::new(encoding, ranks)?)) })
    }

    fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The encoding's name.
    pub fn name(&self) -> &str {
        match self.kind() {
            Kind::Encoding(it) => it.name(),
        }
    }

    /// The special tokens and their ids.
    pub fn special_tokens(&self) -> &[(String, u32)] {
        match self.kind() {
            Kind::Encoding(it) => it.special_tokens(),
        }
    }

    /// One more than the largest id: how many rows a table needs (tiktoken: `n_vocab`).
    pub fn vocab_size(&self) -> usize {
        match self.kind() {
            Kind::Encoding(it) => it.vocab_size(),
        }
    }

    fn prepare<'a>(&'a self, special: &'a SpecialPolicy) -> Prepared<'a> {
        match self.kind() {
            Kind::Encoding(it) => Prepared::Encoding(it, special.searches(it.special_tokens())),
        }
    }

    /// Appends the ids of `text` to `out` (tiktoken: `encode`). After an error `out` is as it was.
    pub fn encode(&self, text: &str, special: &SpecialPolicy, out: &mut Vec<u32>) -> Result<(), TextError> {
        self.prepare(special).encode(text, out)
    }

    /// Appends the ids of as much of `text` as every text gives that begins with it, and returns how much that is. The ids
    /// of the rest are those of a text of its own. After an error `out` is as it was.
    pub(crate) fn encode_certain(
        &self,
        text: &str,
        special: &SpecialPolicy,
        out: &mut Vec<u32>,
    ) -> Result<usize, TextError> {
        self.prepare(special).encode_certain(text, out)
    }

    /// The ids of all texts, end to end (tiktoken: `encode_batch`), by up to so many threads: fewer where there is little
    /// text, and a text is not divided.
    pub fn encode_batch<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        special: &SpecialPolicy,
        threads: usize,
    ) -> Result<EncodedBatch, TextError> {
        let prepared = self.prepare(special);
        batch::encode(texts, threads, |text, ids| prepared.encode(text, ids))
    }

    /// How many ids `text` has; of an encoding, in memory that does not grow with it.
    pub fn count(&self, text: &str, special: &SpecialPolicy) -> Result<usize, TextError> {
        match self.prepare(special) {
            Prepared::Encoding(it, searches) => it.count(text, &searches),
        }
    }

    /// The bytes that the ids stand for (tiktoken: `decode_bytes`).
    pub fn decode_bytes(&self, ids: &[u32]) -> Result<Vec<u8>, TextError> {
        match self.kind() {
            Kind::Encoding(it) => it.decode_bytes(ids),
        }
    }

    /// The text that the ids stand for; bytes that are no UTF-8 become U+FFFD (tiktoken: `decode`).
    pub fn decode(&self, ids: &[u32]) -> Result<String, TextError> {
        let bytes = self.decode_bytes(ids)?;
        Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// The bytes of one token (tiktoken: `decode_single_token_bytes`).
    pub fn token_bytes(&self, id: u32) -> Result<Cow<'_, [u8]>, TextError> {
        match self.kind() {
            Kind::Encoding(it) => it.token_bytes(id).map(Cow::Borrowed),
        }
    }

    /// One token as text; bytes that are no UTF-8 become U+FFFD: a token may be a part of a character.
    pub fn token(&self, id: u32) -> Result<String, TextError> {
        Ok(String::from_utf8_lossy(&self.token_bytes(id)?).into_owned())
    }

    /// The id of the token with exactly these bytes, if there is one (tiktoken: `encode_single_token`).
    pub fn id_of(&self, token: &[u8]) -> Option<u32> {
        match self.kind() {
            Kind::Encoding(it) => it.id_of(token),
        }
    }
}
