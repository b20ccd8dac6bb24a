//! Text to ids and back (tiktoken: `Encoding`).

use std::borrow::Cow;

use crate::batch::{self, EncodedBatch};
use crate::bpe::{Bpe, Recent};
use crate::encoding::Encoding;
use crate::error::{TextError, fit_u32};
use crate::special::{Searches, SpecialPolicy};

/// An encoding with its vocabulary loaded. It does not change: any number of threads may use one.
pub struct Tokenizer {
    encoding: Encoding,
    bpe: Bpe,
}

/// How many ids [`Tokenizer::count`] holds before it lets them go.
const COUNTED_AT_ONCE: usize = 1 << 16;

impl Tokenizer {
    /// A tokenizer for `encoding`; `ranks` is its vocabulary file, decompressed (`vocab/<vocabulary>.br`).
    pub fn new(encoding: Encoding, ranks: &[u8]) -> Result<Self, TextError> {
        let bpe = Bpe::new(ranks)?;
        if let Some(expected) = encoding.tokens.filter(|&expected| expected != bpe.len()) {
            return Err(TextError::WrongVocabulary { encoding: encoding.name, expected, found: bpe.len() });
        }
        for (i, (token, id)) in encoding.special.iter().enumerate() {
            let taken = encoding.special[..i].iter().any(|(t, other)| t == token || other == id);
            let reason = match () {
                () if token.is_empty() => "its text is empty",
                () if (*id as usize) < bpe.len() => "the vocabulary has that id",
                () if *id == u32::MAX => "the id is too large",
                () if taken => "another one has the same text or id",
                () => continue,
            };
            return Err(TextError::SpecialToken { token: token.clone(), id: *id, reason });
        }
        Ok(Self { encoding, bpe })
    }

    /// The encoding's name.
    pub fn name(&self) -> &str {
        &self.encoding.name
    }

    /// The special tokens and their ids.
    pub fn special_tokens(&self) -> &[(String, u32)] {
        &self.encoding.special
    }

    /// One more than the largest id: how many rows a table needs (tiktoken: `n_vocab`).
    pub fn vocab_size(&self) -> usize {
        let special = self.encoding.special.iter().map(|&(_, id)| id as usize + 1);
        special.fold(self.bpe.len(), usize::max)
    }

    /// Appends the ids of `text` to `out` (tiktoken: `encode`). After an error `out` is as it was.
    pub fn encode(&self, text: &str, special: &SpecialPolicy, out: &mut Vec<u32>) -> Result<(), TextError> {
        self.encode_with(text, &special.searches(&self.encoding.special), out)
    }

    /// The ids of all texts, end to end (tiktoken: `encode_batch`), by up to so many threads: fewer where there is little
    /// text, and a text is not divided.
    pub fn encode_batch<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        special: &SpecialPolicy,
        threads: usize,
    ) -> Result<EncodedBatch, TextError> {
        let searches = special.searches(&self.encoding.special);
        batch::encode(texts, threads, |text, ids| self.encode_with(text, &searches, ids))
    }

    /// How many ids `text` has, in memory that does not grow with it.
    pub fn count(&self, text: &str, special: &SpecialPolicy) -> Result<usize, TextError> {
        let mut count = 0;
        let mut ids = Vec::new();
        self.for_each_piece(text, &special.searches(&self.encoding.special), &mut ids, |ids, recent| {
            if ids.len() > COUNTED_AT_ONCE {
                count += ids.len();
                ids.clear();
                recent.forget();
            }
        })?;
        Ok(count + ids.len())
    }

    /// The bytes that the ids stand for (tiktoken: `decode_bytes`).
    pub fn decode_bytes(&self, ids: &[u32]) -> Result<Vec<u8>, TextError> {
        let mut bytes = Vec::with_capacity(ids.len().saturating_mul(4));
        for (position, &id) in ids.iter().enumerate() {
            bytes.extend_from_slice(self.find(id).ok_or_else(|| self.unknown(position, id))?);
        }
        Ok(bytes)
    }

    /// The text that the ids stand for; bytes that are no UTF-8 become U+FFFD (tiktoken: `decode`).
    pub fn decode(&self, ids: &[u32]) -> Result<String, TextError> {
        let bytes = self.decode_bytes(ids)?;
        Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// The bytes of one token (tiktoken: `decode_single_token_bytes`).
    pub fn token_bytes(&self, id: u32) -> Result<&[u8], TextError> {
        self.find(id).ok_or_else(|| self.unknown(0, id))
    }

    /// One token as text; bytes that are no UTF-8 become U+FFFD: a token may be a part of a character.
    pub fn token(&self, id: u32) -> Result<Cow<'_, str>, TextError> {
        self.token_bytes(id).map(String::from_utf8_lossy)
    }

    /// The id of the token with exactly these bytes, if there is one (tiktoken: `encode_single_token`).
    pub fn id_of(&self, token: &[u8]) -> Option<u32> {
        let special = || self.encoding.special.iter().find(|(name, _)| name.as_bytes() == token).map(|&(_, id)| id);
        self.bpe.id_of(token).or_else(special)
    }

    fn find(&self, id: u32) -> Option<&[u8]> {
        let special = || self.encoding.special.iter().find(|special| special.1 == id).map(|(name, _)| name.as_bytes());
        self.bpe.token(id).or_else(special)
    }

    fn unknown(&self, position: usize, value: u32) -> TextError {
        TextError::UnknownId { position, value, vocab_size: self.vocab_size() }
    }

    fn encode_with(&self, text: &str, searches: &Searches<'_>, out: &mut Vec<u32>) -> Result<(), TextError> {
        self.for_each_piece(text, searches, out, |_, _| ())
    }

    /// Appends the ids of `text` to `out`, and calls `done` after each piece.
    fn for_each_piece(
        &self,
        text: &str,
        searches: &Searches<'_>,
        out: &mut Vec<u32>,
        mut done: impl FnMut(&mut Vec<u32>, &mut Recent),
    ) -> Result<(), TextError> {
        fit_u32("the text", text.len())?;
        searches.check(text)?;
        let mut recent = Recent::new(text.len());
        let mut start = 0;
        loop {
            let special = searches.allowed.find(text, start);
            // Each stretch between special tokens is a text of its own: the pattern sees its end as the end.
            let stretch = &text[start..special.map_or(text.len(), |(at, _)| at)];
            self.encoding.pattern.split(stretch, |start, end| {
                self.bpe.encode(stretch.as_bytes(), start, end, &mut recent, out);
                done(out, &mut recent);
            });
            let Some((at, token)) = special else { return Ok(()) };
            out.extend(self.encoding.special.iter().find(|(name, _)| name == token).map(|&(_, id)| id));
            done(out, &mut recent);
            start = at + token.len();
        }
    }
}
