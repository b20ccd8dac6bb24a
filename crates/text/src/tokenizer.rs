//! The tokenizer: text to ids and back, with an encoding or a file behind it.

use std::borrow::Cow;
use std::sync::Arc;

use crate::batch::{self, ALWAYS, EncodedTexts, GoOn};
use crate::decoder::TokenDecoder;
use crate::encoding::Encoding;
use crate::error::TextError;
use crate::file::{self, FileTokenizer, Frame, Habits, Limits, Origin, PairFrame};
use crate::offsets::{Located, end_to_end};
use crate::padding::Side;
use crate::special::{Searches, SpecialPolicy};
use crate::tiktoken::Tiktoken;
use tokenbed_memory::{List, Text, lossy_owned};

/// A loaded tokenizer: an encoding, or a file of the Hugging Face library. It is immutable, so any number of threads
/// may use it, and a clone shares it.
#[derive(Clone)]
pub struct Tokenizer {
    kind: Arc<Kind>,
}

pub(crate) enum Kind {
    Encoding(Box<Tiktoken>),
    File(Box<FileTokenizer>),
}

/// What encodes texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// The engines of this crate.
    Native,
    /// The crate of the Hugging Face library.
    Tokenizers,
}

/// How texts become rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowOptions {
    /// What happens to special tokens in the texts.
    pub special: SpecialPolicy,
    /// Whether each text gets the tokens that the file puts around it.
    pub framed: bool,
    /// Largest number of ids in a row, counting those around the text.
    pub max_length: Option<usize>,
    /// The side on which longer texts are cut.
    pub cut: Side,
}

/// A policy prepared for many texts.
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

    /// [`Self::encode`] on up to so many threads, as long as it may go on.
    fn encode_while(
        &self,
        text: &str,
        (threads, go_on): (usize, Option<GoOn<'_>>),
        out: &mut Vec<u32>,
    ) -> Result<(), TextError> {
        match (self, go_on) {
            (Self::Encoding(it, searches), _) => {
                it.encode_long(text, searches, (threads, go_on.unwrap_or(ALWAYS)), out)
            }
            (Self::File(it), Some(go_on)) => it.encode_while(text, go_on, out),
            (Self::File(it), None) => it.encode(text, out),
        }
    }

    /// Number of bytes of text that are worth a thread of their own. Waking one takes as long as encoding some
    /// thousands of bytes, and the library for files takes some ten times as long for a byte.
    fn worth_a_thread(&self) -> usize {
        match self {
            Self::Encoding(..) => 32 << 10,
            Self::File(it) => it.worth_a_thread(),
        }
    }

    fn encode_certain(
        &self,
        text: &str,
        goes_on: bool,
        threads: usize,
        out: &mut Vec<u32>,
    ) -> Result<usize, TextError> {
        match self {
            Self::Encoding(it, searches) => it.encode_certain_long(text, searches, threads, out),
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

/// Encodes texts one by one, without the tokens that a file puts around them. Any number of threads may use it.
pub struct Encoder<'a>(Prepared<'a>);

impl Encoder<'_> {
    /// Appends the ids of `text` to `out`, as long as it may go on. After an error `out` is unchanged.
    ///
    /// # Errors
    /// [`TextError::Stopped`] if it may not go on; and those of [`Tokenizer::encode`].
    pub fn encode(&self, text: &str, go_on: Option<GoOn<'_>>, out: &mut Vec<u32>) -> Result<(), TextError> {
        self.0.encode_while(text, (1, go_on), out)
    }

    /// Number of bytes of text that are worth a thread of their own.
    pub fn worth_a_thread(&self) -> usize {
        self.0.worth_a_thread()
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

    /// [`Self::from_json`] with limits, and with the path of the file for errors.
    pub fn from_file(origin: Origin, json: &[u8]) -> Result<Self, TextError> {
        Ok(Self { kind: Arc::new(Kind::File(Box::new(FileTokenizer::new(origin, json)?))) })
    }

    /// [`Self::from_file`] by the library's crate, even if all parts of the file are known: for comparing the engines.
    pub fn by_library(origin: Origin, json: &[u8]) -> Result<Self, TextError> {
        let file = FileTokenizer::by_library(origin, json, "it was asked for".into())?;
        Ok(Self { kind: Arc::new(Kind::File(Box::new(file))) })
    }

    pub(crate) fn is_file(&self) -> bool {
        matches!(self.kind(), Kind::File(_))
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Name of the encoding, or the name that was given to the file.
    pub fn name(&self) -> &str {
        match self.kind() {
            Kind::Encoding(it) => it.name(),
            Kind::File(it) => it.name(),
        }
    }

    /// What encodes texts.
    pub fn engine(&self) -> Engine {
        match self.kind() {
            Kind::Encoding(_) => Engine::Native,
            Kind::File(it) => it.engine(),
        }
    }

    /// The part of the file that only the library's crate knows, such as `pre_tokenizer: UnicodeScripts`; `None` if the
    /// engine is native.
    pub fn engine_reason(&self) -> Option<&str> {
        match self.kind() {
            Kind::Encoding(_) => None,
            Kind::File(it) => it.engine_reason(),
        }
    }

    /// The special tokens and their ids.
    pub fn special_tokens(&self) -> &[(String, u32)] {
        match self.kind() {
            Kind::Encoding(it) => it.special_tokens(),
            Kind::File(it) => it.special_tokens(),
        }
    }

    /// The largest id plus one, which is the number of rows that a table needs (tiktoken: `n_vocab`).
    pub fn vocab_size(&self) -> usize {
        match self.kind() {
            Kind::Encoding(it) => it.vocab_size(),
            Kind::File(it) => it.vocab_size(),
        }
    }

    /// The tokens put around each text; an encoding has none.
    pub fn frame(&self) -> Frame {
        match self.kind() {
            Kind::Encoding(_) => Frame::default(),
            Kind::File(it) => it.frame().clone(),
        }
    }

    /// What two texts become together, with or without the tokens that a file puts around them.
    ///
    /// # Errors
    /// [`TextError::TokenizerFile`] if the file's post-processor cannot take two texts.
    pub fn pair(&self, framed: bool) -> Result<PairFrame, TextError> {
        match self.kind() {
            Kind::Encoding(_) => Ok(PairFrame::plain()),
            Kind::File(it) => it.pair(framed),
        }
    }

    /// Defaults for rectangular batches.
    pub fn habits(&self) -> Habits {
        match self.kind() {
            Kind::Encoding(it) => it.habits(),
            Kind::File(it) => it.habits(),
        }
    }

    /// The token for what a file's model does not know; an encoding knows everything.
    pub fn unknown_id(&self) -> Option<u32> {
        match self.kind() {
            Kind::Encoding(_) => None,
            Kind::File(it) => it.unknown(),
        }
    }

    /// What encodes many texts one by one, with one policy.
    pub fn encoder<'a>(&'a self, special: &'a SpecialPolicy) -> Encoder<'a> {
        Encoder(self.prepare(special))
    }

    fn prepare<'a>(&'a self, special: &'a SpecialPolicy) -> Prepared<'a> {
        match self.kind() {
            Kind::Encoding(it) => Prepared::Encoding(it, special.searches(it.special_tokens())),
            Kind::File(it) => Prepared::File(it.prepare(special)),
        }
    }

    /// Appends the ids of `text` to `out` (tiktoken: `encode`), without the tokens that a file puts around it. After
    /// an error `out` is unchanged.
    pub fn encode(&self, text: &str, special: &SpecialPolicy, out: &mut Vec<u32>) -> Result<(), TextError> {
        self.prepare(special).encode(text, out)
    }

    /// [`Self::encode`] on up to `threads` threads, among which a long text of an encoding is divided.
    pub fn encode_long(
        &self,
        text: &str,
        special: &SpecialPolicy,
        threads: usize,
        out: &mut Vec<u32>,
    ) -> Result<(), TextError> {
        self.prepare(special).encode_while(text, (threads, None), out)
    }

    /// The tokens of `text` and where they stand in it, with those that a file puts around the text if it is `framed`.
    ///
    /// A token of an encoding may be a part of a character; it stands where the whole character stands. The places of
    /// a file's tokens are those that the library gives.
    pub fn encode_offsets(&self, text: &str, special: &SpecialPolicy, framed: bool) -> Result<Located, TextError> {
        match self.prepare(special) {
            Prepared::Encoding(it, searches) => {
                let tokens = it.encode_words(text, &searches)?;
                Ok(end_to_end(text, tokens, |id| it.token_bytes(id).map_or(0, <[u8]>::len)))
            }
            Prepared::File(it) => it.locate(text, framed),
        }
    }

    /// Appends the ids of as much of `text` as has the same ids in every text that begins with it, and returns that
    /// number of bytes; the next text continues there. `goes_on` says whether `text` itself continues one. A long text
    /// of an encoding is divided among `threads` threads. After an error `out` is unchanged.
    pub(crate) fn encode_certain(
        &self,
        text: &str,
        goes_on: bool,
        (special, threads): (&SpecialPolicy, usize),
        out: &mut Vec<u32>,
    ) -> Result<usize, TextError> {
        self.prepare(special).encode_certain(text, goes_on, threads, out)
    }

    /// The same for the last part of a text.
    pub(crate) fn encode_rest(
        &self,
        text: &str,
        goes_on: bool,
        special: &SpecialPolicy,
        out: &mut Vec<u32>,
    ) -> Result<(), TextError> {
        self.prepare(special).encode_rest(text, goes_on, out)
    }

    /// The ids of all texts (tiktoken: `encode_batch`), on up to `threads` threads of the process
    /// (`tokenbed_threads`). There are fewer if there is little text; a text is not divided.
    pub fn encode_batch<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        special: &SpecialPolicy,
        threads: usize,
    ) -> Result<EncodedTexts, TextError> {
        let prepared = self.prepare(special);
        batch::encode(texts, (threads, prepared.worth_a_thread()), ALWAYS, |text, ids| prepared.encode(text, ids))
    }

    /// Like [`Self::encode_batch`], with the tokens that the file puts around each text, and cut to the largest
    /// length.
    pub fn encode_rows<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        options: &RowOptions,
        threads: usize,
    ) -> Result<EncodedTexts, TextError> {
        self.encode_rows_if(texts, options, threads, None)
    }

    /// [`Self::encode_rows`], as long as it may go on. A text that is alone is divided among the threads.
    ///
    /// # Errors
    /// [`TextError::Stopped`] if it may not; and those of [`Self::encode_rows`].
    pub fn encode_rows_while<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        options: &RowOptions,
        threads: usize,
        go_on: GoOn<'_>,
    ) -> Result<EncodedTexts, TextError> {
        self.encode_rows_if(texts, options, threads, Some(go_on))
    }

    fn encode_rows_if<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        options: &RowOptions,
        threads: usize,
        go_on: Option<GoOn<'_>>,
    ) -> Result<EncodedTexts, TextError> {
        let frame = if options.framed { self.frame() } else { Frame::default() };
        let room = options.max_length.map(|max_length| {
            let no_room = TextError::NoRoom { max_length, frame: frame.len() };
            max_length.checked_sub(frame.len()).ok_or(no_room)
        });
        let room = room.transpose()?.unwrap_or(usize::MAX);
        let prepared = self.prepare(&options.special);
        let divided = if texts.len() > 1 { 1 } else { threads };
        let asked = go_on.unwrap_or(ALWAYS);
        batch::encode(texts, (threads, prepared.worth_a_thread()), asked, |text, ids| {
            ids.put_slice(&frame.before);
            let start = ids.len();
            prepared.encode_while(text, (divided, go_on), ids)?;
            let excess = (ids.len() - start).saturating_sub(room);
            match options.cut {
                Side::Left => drop(ids.drain(start..start + excess)),
                Side::Right => ids.truncate(ids.len() - excess),
            }
            ids.put_slice(&frame.after);
            Ok(())
        })
    }

    /// Number of ids of `text`, without those that a file puts around it. With an encoding, memory does not grow with
    /// the text.
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

    /// The text that the ids stand for. Bytes that are not UTF-8 become U+FFFD (tiktoken: `decode`).
    pub fn decode(&self, ids: &[u32]) -> Result<String, TextError> {
        self.decode_with(ids, false)
    }

    /// [`Self::decode`], with or without special tokens.
    pub fn decode_with(&self, ids: &[u32], skip_special: bool) -> Result<String, TextError> {
        let mut decoder = self.decoder(skip_special);
        let mut text = decoder.write(ids)?;
        text.put_str(&decoder.end()?);
        Ok(text)
    }

    /// A decoder for ids that come one after the other.
    pub fn decoder(&self, skip_special: bool) -> TokenDecoder {
        TokenDecoder::new(self, skip_special)
    }

    /// The bytes of one token (tiktoken: `decode_single_token_bytes`), as it is spelled in the vocabulary.
    pub fn token_bytes(&self, id: u32) -> Result<Cow<'_, [u8]>, TextError> {
        match self.kind() {
            Kind::Encoding(it) => it.token_bytes(id).map(Cow::Borrowed),
            Kind::File(it) => it.token(id).map(|it| Cow::Owned(it.into_bytes())).ok_or_else(|| self.unknown(0, id)),
        }
    }

    /// One token as text. A token may be part of a character; bytes that are not UTF-8 become U+FFFD.
    pub fn token(&self, id: u32) -> Result<String, TextError> {
        Ok(lossy_owned(self.token_bytes(id)?.into_owned()))
    }

    /// A token as its vocabulary spells it; for an encoding each byte is a character, as in GPT-2's `vocab.json`.
    pub fn spelling(&self, id: u32) -> Option<String> {
        let token = self.token_bytes(id).ok()?;
        if self.is_file() {
            return Some(lossy_owned(token.into_owned()));
        }
        let mut spelling = String::new();
        token.iter().for_each(|&byte| spelling.put_char(letter(byte)));
        Some(spelling)
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

/// The character that stands for a byte in GPT-2's `vocab.json`: a visible one for itself, and for the others those
/// from U+0100 on, in their order.
fn letter(byte: u8) -> char {
    let is_visible = |byte: u8| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    if is_visible(byte) {
        return char::from(byte);
    }
    let before = (0..byte).filter(|&byte| !is_visible(byte)).count() as u32;
    char::from_u32(0x100 + before).unwrap_or_default()
}
