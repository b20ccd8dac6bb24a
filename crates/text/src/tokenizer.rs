//! Text to ids and back: one type, whatever stands behind it.

use std::borrow::Cow;
use std::sync::Arc;

use crate::batch::{self, EncodedTexts};
use crate::decoder::TokenDecoder;
use crate::encoding::Encoding;
use crate::error::TextError;
use crate::file::{self, FileTokenizer, Frame, Habits, Limits, Origin};
use crate::padding::Side;
use crate::special::{Searches, SpecialPolicy};
use crate::tiktoken::Tiktoken;
use tokenbed_memory::{List, Text, lossy_owned};

/// A tokenizer, loaded: an encoding, or a file of the Hugging Face library. It does not change: any number of threads
/// may use one, and a clone is the same.
#[derive(Clone)]
pub struct Tokenizer {
    kind: Arc<Kind>,
}

pub(crate) enum Kind {
    Encoding(Box<Tiktoken>),
    File(Box<FileTokenizer>),
}

/// How texts become rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowOptions {
    /// What happens to special tokens that stand in the texts.
    pub special: SpecialPolicy,
    /// Whether each text gets what the file puts around it.
    pub framed: bool,
    /// How many ids a row may have, those around the text among them.
    pub max_length: Option<usize>,
    /// Where texts are cut that have more.
    pub cut: Side,
}

/// A policy made ready for many texts.
enum Prepared<'a> {
    Encoding(&'a Tiktoken, Searches<'a>),
    File(file::Prepared<'a>),
}

impl Prepared<'_> {
    fn encode(&self, text: &str, out: &mut Vec<u32>) -> Result<(), TextError> {
        match self {
            Self::Encoding(it, searches) => it.encode(text, searches, out),
            Self::File(it) => it.encode(text, out),
        }
    }

    /// Bytes of text that are worth a thread of their own: waking one takes as long as encoding some thousands of
    /// them, and what the library of files does with a byte takes some ten times as long.
    fn worth_a_thread(&self) -> usize {
        match self {
            Self::Encoding(..) => 32 << 10,
            Self::File(_) => 4 << 10,
        }
    }

    fn encode_certain(&self, text: &str, goes_on: bool, out: &mut Vec<u32>) -> Result<usize, TextError> {
        match self {
            Self::Encoding(it, searches) => it.encode_certain(text, searches, out),
            Self::File(it) => it.encode_certain(text, goes_on, out),
        }
    }

    fn encode_rest(&self, text: &str, goes_on: bool, out: &mut Vec<u32>) -> Result<(), TextError> {
        match self {
            Self::Encoding(it, searches) => it.encode(text, searches, out),
            Self::File(it) => it.encode_part(text, goes_on, out),
        }
    }
}

impl Tokenizer {
    /// A tokenizer for `encoding`; `ranks` is its vocabulary file, decompressed (`vocab/<vocabulary>.br`).
    pub fn new(encoding: Encoding, ranks: &[u8]) -> Result<Self, TextError> {
        Ok(Self { kind: Arc::new(Kind::Encoding(Box::new(Tiktoken::new(encoding, ranks)?))) })
    }

    /// The tokenizer that a Hugging Face `tokenizer.json` describes, to be called `name`.
    pub fn from_json(name: &str, json: &[u8]) -> Result<Self, TextError> {
        Self::from_file(Origin { name: name.into(), path: name.into(), limits: Limits::default() }, json)
    }

    /// [`Self::from_json`] within limits, of a file whose path errors name.
    pub fn from_file(origin: Origin, json: &[u8]) -> Result<Self, TextError> {
        Ok(Self { kind: Arc::new(Kind::File(Box::new(FileTokenizer::new(origin, json)?))) })
    }

    pub(crate) fn is_file(&self) -> bool {
        matches!(self.kind(), Kind::File(_))
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The encoding's name, or the one given to the file.
    pub fn name(&self) -> &str {
        match self.kind() {
            Kind::Encoding(it) => it.name(),
            Kind::File(it) => it.name(),
        }
    }

    /// The special tokens and their ids.
    pub fn special_tokens(&self) -> &[(String, u32)] {
        match self.kind() {
            Kind::Encoding(it) => it.special_tokens(),
            Kind::File(it) => it.special_tokens(),
        }
    }

    /// One more than the largest id: how many rows a table needs (tiktoken: `n_vocab`).
    pub fn vocab_size(&self) -> usize {
        match self.kind() {
            Kind::Encoding(it) => it.vocab_size(),
            Kind::File(it) => it.vocab_size(),
        }
    }

    /// What is put around each text; none by an encoding.
    pub fn frame(&self) -> Frame {
        match self.kind() {
            Kind::Encoding(_) => Frame::default(),
            Kind::File(it) => it.frame().clone(),
        }
    }

    /// What it has to say about rectangular batches.
    pub fn habits(&self) -> Habits {
        match self.kind() {
            Kind::Encoding(it) => it.habits(),
            Kind::File(it) => it.habits(),
        }
    }

    fn prepare<'a>(&'a self, special: &'a SpecialPolicy) -> Prepared<'a> {
        match self.kind() {
            Kind::Encoding(it) => Prepared::Encoding(it, special.searches(it.special_tokens())),
            Kind::File(it) => Prepared::File(it.prepare(special)),
        }
    }

    /// Appends the ids of `text` to `out` (tiktoken: `encode`), without what a file puts around it. After an error `out`
    /// is as it was.
    pub fn encode(&self, text: &str, special: &SpecialPolicy, out: &mut Vec<u32>) -> Result<(), TextError> {
        self.prepare(special).encode(text, out)
    }

    /// Appends the ids of as much of `text` as every text gives that begins with it, and returns how much that is; the
    /// rest goes on there. `goes_on` where this one does. After an error `out` is as it was.
    pub(crate) fn encode_certain(
        &self,
        text: &str,
        goes_on: bool,
        special: &SpecialPolicy,
        out: &mut Vec<u32>,
    ) -> Result<usize, TextError> {
        self.prepare(special).encode_certain(text, goes_on, out)
    }

    /// The same of a text that does not go on.
    pub(crate) fn encode_rest(
        &self,
        text: &str,
        goes_on: bool,
        special: &SpecialPolicy,
        out: &mut Vec<u32>,
    ) -> Result<(), TextError> {
        self.prepare(special).encode_rest(text, goes_on, out)
    }

    /// The ids of all texts (tiktoken: `encode_batch`), by up to so many threads: fewer where there is little text, and a text
    /// is not divided. The threads are those of the process (`tokenbed_threads`).
    pub fn encode_batch<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        special: &SpecialPolicy,
        threads: usize,
    ) -> Result<EncodedTexts, TextError> {
        let prepared = self.prepare(special);
        batch::encode(texts, threads, prepared.worth_a_thread(), |text, ids| prepared.encode(text, ids))
    }

    /// As [`Self::encode_batch`], each text with what the file puts around it, and no longer than it may be.
    pub fn encode_rows<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        options: &RowOptions,
        threads: usize,
    ) -> Result<EncodedTexts, TextError> {
        let frame = if options.framed { self.frame() } else { Frame::default() };
        let room = options.max_length.map(|max_length| {
            let no_room = TextError::NoRoom { max_length, frame: frame.len() };
            max_length.checked_sub(frame.len()).ok_or(no_room)
        });
        let room = room.transpose()?.unwrap_or(usize::MAX);
        let prepared = self.prepare(&options.special);
        batch::encode(texts, threads, prepared.worth_a_thread(), |text, ids| {
            ids.put_slice(&frame.before);
            let start = ids.len();
            prepared.encode(text, ids)?;
            let excess = (ids.len() - start).saturating_sub(room);
            match options.cut {
                Side::Left => drop(ids.drain(start..start + excess)),
                Side::Right => ids.truncate(ids.len() - excess),
            }
            ids.put_slice(&frame.after);
            Ok(())
        })
    }

    /// How many ids `text` has, without what a file puts around it; of an encoding, in memory that does not grow with it.
    pub fn count(&self, text: &str, special: &SpecialPolicy) -> Result<usize, TextError> {
        match self.prepare(special) {
            Prepared::Encoding(it, searches) => it.count(text, &searches),
            Prepared::File(it) => {
                let mut ids = Vec::new();
                it.encode(text, &mut ids)?;
                Ok(ids.len())
            }
        }
    }

    /// The bytes that the ids stand for (tiktoken: `decode_bytes`).
    pub fn decode_bytes(&self, ids: &[u32]) -> Result<Vec<u8>, TextError> {
        match self.kind() {
            Kind::Encoding(it) => it.decode_bytes(ids, false),
            Kind::File(_) => self.decode(ids).map(String::into_bytes),
        }
    }

    /// The text that the ids stand for; bytes that are no UTF-8 become U+FFFD (tiktoken: `decode`).
    pub fn decode(&self, ids: &[u32]) -> Result<String, TextError> {
        self.decode_with(ids, false)
    }

    /// [`Self::decode`], with the special tokens or without.
    pub fn decode_with(&self, ids: &[u32], skip_special: bool) -> Result<String, TextError> {
        let mut decoder = self.decoder(skip_special);
        let mut text = decoder.write(ids)?;
        text.put_str(&decoder.end()?);
        Ok(text)
    }

    /// What decodes ids as they come.
    pub fn decoder(&self, skip_special: bool) -> TokenDecoder {
        TokenDecoder::new(self, skip_special)
    }

    /// The bytes of one token (tiktoken: `decode_single_token_bytes`), as it stands in the vocabulary.
    pub fn token_bytes(&self, id: u32) -> Result<Cow<'_, [u8]>, TextError> {
        match self.kind() {
            Kind::Encoding(it) => it.token_bytes(id).map(Cow::Borrowed),
            Kind::File(it) => it.token(id).map(|it| Cow::Owned(it.into_bytes())).ok_or_else(|| self.unknown(0, id)),
        }
    }

    /// One token as text; bytes that are no UTF-8 become U+FFFD: a token may be a part of a character.
    pub fn token(&self, id: u32) -> Result<String, TextError> {
        Ok(lossy_owned(self.token_bytes(id)?.into_owned()))
    }

    /// The id of the token with exactly these bytes, if there is one (tiktoken: `encode_single_token`).
    pub fn id_of(&self, token: &[u8]) -> Option<u32> {
        match self.kind() {
            Kind::Encoding(it) => it.id_of(token),
            Kind::File(it) => it.id_of(std::str::from_utf8(token).ok()?),
        }
    }

    pub(crate) fn unknown(&self, position: usize, value: u32) -> TextError {
        TextError::UnknownId { position, value, vocab_size: self.vocab_size() }
    }
}
