//! Tokenizers: text to ids and back.

use crate::node::borrow::{Operand, size};
use crate::node::borrowed_text::{JsText, copied, read_all};
use crate::node::external::External;
use crate::node::guard::{Failure, Report, caught, guard, status};
use crate::node::process::computing_threads;
use napi::bindgen_prelude::{ArrayBuffer, AsyncTask, FnArgs, Function, Uint8ArraySlice, Uint32ArraySlice};
use napi::{Env, Task};
use napi_derive::napi;
use std::cell::RefCell;
use tokenbed_core::Error;
use tokenbed_core::ids::{BadIds, resolve};
use tokenbed_io::recognise::{Wanted, recognise};
use tokenbed_kernels::dispatch;
use tokenbed_memory::{Gather, List, give_back, owned};
use tokenbed_text::{
    Arranged, Arrangement, EncodedTexts, Encoding, Frame, GoOn, Limits, Origin, PaddedRows, Padding, PairFrame,
    RowOptions, Side, SpecialPolicy, SpecialSet, TextError, TokenDecoder, Tokenizer, encodings,
};

impl From<TextError> for Failure {
    fn from(error: TextError) -> Self {
        let message = error.to_string();
        match error {
            TextError::DisallowedSpecial { token, .. } => Failure::from(Error::Usage(message)).of_special_token(token),
            TextError::UnknownId { position, value, vocab_size } => {
                Error::TokenIndex { flat: position, value: value.into(), rows: vocab_size, count: 1 }.into()
            }
            TextError::TokenizerFile { path, offset, reason } => {
                Error::Format { path: path.into(), offset: offset as u64, message: reason }.into()
            }
            TextError::InBatch { index, source } => match *source {
                TextError::TokenizerFile { path, offset, reason } => {
                    let message = format!("text {index} of the batch: {reason}");
                    Error::Format { path: path.into(), offset: offset as u64, message }.into()
                }
                TextError::DisallowedSpecial { token, .. } => {
                    Failure::from(Error::Usage(message)).of_special_token(token)
                }
                _ => Error::Usage(message).into(),
            },
            TextError::Stopped => Failure::aborted(),
            TextError::Length { .. } | TextError::NoWindow { .. } => Error::Shape(message).into(),
            _ => Error::Usage(message).into(),
        }
    }
}

/// The names of the known encodings.
#[napi(catch_unwind)]
pub fn encoding_names() -> Option<Vec<String>> {
    guard(|| Ok(encodings().map(Into::into).into_list()))
}

/// The vocabulary that an encoding needs. For an unknown name the failure lists the known ones.
#[napi(catch_unwind)]
pub fn encoding_vocabulary(name: String) -> Option<String> {
    guard(|| Ok(Encoding::named(&name)?.vocabulary))
}

/// Makes the tokenizer of a known encoding from its unpacked vocabulary.
#[napi(catch_unwind)]
pub fn tokenizer_new(name: String, vocabulary: Operand) -> Option<External<Tokenizer>> {
    guard(|| Ok(External::new(Tokenizer::new(Encoding::named(&name)?, vocabulary.stable()?)?)))
}

/// The approximate bytes of memory per byte of a file. V8 is told of them, so that it collects unused tokenizers.
const BYTES_IN_MEMORY: usize = 1;

/// Number of bytes of a file from which on what was freed after reading it is worth giving back.
const LARGE: usize = 256 << 10;

/// Limits on what a `tokenizer.json` may do with a text, as given by TypeScript.
#[napi(object, object_to_js = false)]
pub struct TokenizerLimits {
    pub max_growth: Option<f64>,
    pub max_pattern_steps: Option<f64>,
    pub max_seconds_per_megabyte: Option<f64>,
}

impl TokenizerLimits {
    fn read(&self) -> Result<Limits, Failure> {
        let otherwise = Limits::default();
        let or = |given: Option<f64>, otherwise| given.map_or(Ok(otherwise), size);
        Ok(Limits {
            growth: or(self.max_growth, otherwise.growth)?,
            pattern_steps: or(self.max_pattern_steps, otherwise.pattern_steps)?,
            seconds_per_megabyte: self.max_seconds_per_megabyte.unwrap_or(otherwise.seconds_per_megabyte),
        })
    }
}

/// Makes a tokenizer from the bytes of a `tokenizer.json` that was read from `path`. `spent` is the buffer of these
/// bytes, if nobody needs them afterwards: it is detached, because V8 would keep a file of megabytes until it happens
/// to collect garbage.
#[napi(catch_unwind)]
pub fn tokenizer_from_json(
    json: Operand,
    path: String,
    name: String,
    limits: TokenizerLimits,
    spent: Option<ArrayBuffer<'_>>,
) -> Option<External<Tokenizer>> {
    guard(|| {
        let bytes = json.shared::<u8>()?;
        let origin = Origin { name, path, limits: limits.read()? };
        let tokenizer = Tokenizer::from_file(origin, bytes).map_err(|error| named(error, bytes))?;
        let size = bytes.len();
        // The bytes are not looked at from here on. A host that cannot detach the buffer keeps it.
        spent.map(ArrayBuffer::detach).and_then(Result::ok);
        if size > LARGE {
            give_back();
        }
        Ok(External::new_with_size_hint(tokenizer, size * BYTES_IN_MEMORY))
    })
}

/// A tokenizer that was read on another thread, or the failure.
#[napi(object, object_from_js = false)]
pub struct TokenizerRead {
    pub tokenizer: Option<External<Tokenizer>>,
    pub failure: Option<Report>,
}

/// The task that reads a tokenizer, on another thread.
pub struct ReadTokenizer {
    json: Vec<u8>,
    path: String,
    name: String,
}

#[napi]
impl Task for ReadTokenizer {
    type Output = Result<Tokenizer, Failure>;
    type JsValue = TokenizerRead;

    fn compute(&mut self) -> napi::Result<Self::Output> {
        Ok(caught(|| {
            let (path, name) = (std::mem::take(&mut self.path), std::mem::take(&mut self.name));
            let origin = Origin { name, path, limits: Limits::default() };
            let tokenizer = Tokenizer::from_file(origin, &self.json).map_err(|error| named(error, &self.json))?;
            Ok(tokenizer)
        }))
    }

    fn resolve(&mut self, _: Env, output: Self::Output) -> napi::Result<TokenizerRead> {
        let size = self.json.len() * BYTES_IN_MEMORY;
        let made = output.and_then(|tokenizer| caught(|| Ok(External::new_with_size_hint(tokenizer, size))));
        Ok(match made {
            Ok(tokenizer) => TokenizerRead { tokenizer: Some(tokenizer), failure: None },
            Err(failure) => TokenizerRead { tokenizer: None, failure: Some(failure.into()) },
        })
    }
}

/// What `tokenizerFromJson` makes, on another thread, with the usual limits; the bytes are copied.
#[napi(catch_unwind)]
pub fn tokenizer_read(json: Operand, path: String, name: String) -> Option<AsyncTask<ReadTokenizer>> {
    guard(|| {
        let json = json.shared::<u8>()?.iter().copied().into_list();
        Ok(AsyncTask::new(ReadTokenizer { json, path, name }))
    })
}

/// Says what is wrong with a file, or what kind of file it is if it is not a tokenizer.json.
#[cold]
fn named(error: TextError, json: &[u8]) -> TextError {
    match (error, recognise(json, Wanted::Tokenizer)) {
        (TextError::TokenizerFile { path, .. }, Some(found)) => {
            TextError::TokenizerFile { path, offset: 0, reason: found.instead_of(Wanted::Tokenizer) }
        }
        (error, _) => error,
    }
}

/// Facts about a tokenizer that are known before it is used.
#[napi(object, object_from_js = false)]
pub struct TokenizerFacts {
    pub size: f64,
    pub special_names: Vec<String>,
    pub special_ids: Vec<u32>,
    pub padding_id: Option<u32>,
    pub padding_left: bool,
    pub truncation_left: bool,
    /// The part of the file because of which the library's crate encodes; absent if the engine is native.
    pub engine_reason: Option<String>,
}

/// Facts about a tokenizer that are known before it is used.
#[napi(catch_unwind)]
pub fn tokenizer_facts(tokenizer: &External<Tokenizer>) -> Option<TokenizerFacts> {
    guard(|| {
        let (special_names, special_ids) = tokenizer.special_tokens().iter().cloned().unzip();
        let habits = tokenizer.habits();
        Ok(TokenizerFacts {
            size: tokenizer.vocab_size() as f64,
            special_names,
            special_ids,
            padding_id: habits.padding_id,
            padding_left: habits.padding_side == Side::Left,
            truncation_left: habits.truncation_side == Side::Left,
            engine_reason: tokenizer.engine_reason().map(owned),
        })
    })
}

/// The policy for special tokens as given by TypeScript; an absent list means all.
pub(crate) fn special(allowed: Option<Vec<String>>, disallowed: Option<Vec<String>>) -> SpecialPolicy {
    let set = |names: Option<Vec<String>>| names.map_or(SpecialSet::All, SpecialSet::Only);
    SpecialPolicy { allowed: set(allowed), disallowed: set(disallowed) }
}

/// What is added around a text, if `framed` is set.
fn frame(tokenizer: &Tokenizer, framed: bool) -> Frame {
    if framed { tokenizer.frame() } else { Frame::default() }
}

/// Number of bytes from which on a text may be worth several threads.
const LONG: usize = 256 << 10;

/// The ids of a text.
#[napi(catch_unwind)]
pub fn tokenizer_encode(
    env: Env,
    tokenizer: &External<Tokenizer>,
    #[napi(ts_arg_type = "string")] text: JsText,
    allowed: Option<Vec<String>>,
    disallowed: Option<Vec<String>>,
    framed: bool,
) -> Option<Uint32ArraySlice<'static>> {
    guard(|| {
        let Frame { before: mut ids, after } = frame(tokenizer, framed);
        let text = text.read()?;
        // Asking for the number of threads would take much of the time of a short text.
        let threads = if text.len() < LONG { 1 } else { computing_threads()? };
        tokenizer.encode_long(&text, &special(allowed, disallowed), threads, &mut ids)?;
        ids.put_all(after);
        // A copy in V8's memory: a buffer of Rust's own would only be freed when the event loop turns.
        copied(&ids, |it| Uint32ArraySlice::copy_from(&env, it))
    })
}

/// The ids of a text, and the UTF-16 code units at which each token begins and ends.
#[napi(object, object_from_js = false)]
pub struct LocatedIds {
    pub ids: Uint32ArraySlice<'static>,
    pub starts: Uint32ArraySlice<'static>,
    pub ends: Uint32ArraySlice<'static>,
    /// The number of the word of each token; the largest number for none.
    pub words: Uint32ArraySlice<'static>,
}

/// The ids of a text, and where their tokens stand in it.
#[napi(catch_unwind)]
pub fn tokenizer_encode_offsets(
    env: Env,
    tokenizer: &External<Tokenizer>,
    #[napi(ts_arg_type = "string")] text: JsText,
    allowed: Option<Vec<String>>,
    disallowed: Option<Vec<String>>,
    framed: bool,
) -> Option<LocatedIds> {
    guard(|| {
        let found = tokenizer.encode_offsets(&text.read()?, &special(allowed, disallowed), framed)?;
        let array = |values: &[u32]| copied(values, |it| Uint32ArraySlice::copy_from(&env, it));
        Ok(LocatedIds {
            ids: array(&found.ids)?,
            starts: array(&found.starts)?,
            ends: array(&found.ends)?,
            words: array(&found.words)?,
        })
    })
}

/// What two texts become together: ids, and among them one for each text, which stands for the ids of that text.
#[napi(object, object_from_js = false)]
pub struct PairedTexts {
    pub ids: Vec<u32>,
    /// The type of each id; that of a text's id is the type of all ids of that text.
    pub types: Vec<u32>,
    /// Where the first text stands among the ids, and where the second.
    pub first: f64,
    pub second: f64,
}

/// What two texts become together, with or without the tokens that a file puts around them.
#[napi(catch_unwind)]
pub fn tokenizer_pair(tokenizer: &External<Tokenizer>, framed: bool) -> Option<PairedTexts> {
    guard(|| {
        let PairFrame { ids, types, first, second } = tokenizer.pair(framed)?;
        Ok(PairedTexts { ids, types, first: first as f64, second: second as f64 })
    })
}

/// The ids that stand around a text: those before it, then those after it.
#[napi(catch_unwind)]
pub fn tokenizer_frame(tokenizer: &External<Tokenizer>) -> Option<Vec<Vec<u32>>> {
    guard(|| {
        let Frame { before, after } = tokenizer.frame();
        Ok(Vec::from([before, after]))
    })
}

/// The id of the token with exactly these bytes, as the vocabulary spells it; -1 if there is none.
#[napi(catch_unwind)]
pub fn tokenizer_id(tokenizer: &External<Tokenizer>, token: Operand) -> Option<f64> {
    guard(|| Ok(tokenizer.id_of(token.stable()?).map_or(-1.0, f64::from)))
}

/// The tokens whose ids are from `start` to before `end`, as the vocabulary spells them; null for an id that is not a
/// token. For an encoding each byte is written as GPT-2's `vocab.json` writes it.
#[napi(catch_unwind)]
pub fn tokenizer_vocabulary(tokenizer: &External<Tokenizer>, start: u32, end: u32) -> Option<Vec<Option<String>>> {
    guard(|| Ok((start..end).map(|id| tokenizer.spelling(id)).into_list()))
}

/// How texts become rows, as given by TypeScript.
#[napi(object, object_to_js = false)]
pub struct Rows {
    pub allowed: Option<Vec<String>>,
    pub disallowed: Option<Vec<String>>,
    pub framed: bool,
    pub max_length: Option<f64>,
    pub cut_left: bool,
    /// If present, a text that is too long goes on in further rows, which repeat so many ids.
    pub overlap: Option<f64>,
    /// If present, each row is made of so many texts, which are its words.
    pub words: Option<Vec<u32>>,
}

fn side(left: bool) -> Side {
    if left { Side::Left } else { Side::Right }
}

/// How texts become rows.
pub(crate) struct RowPlan {
    options: RowOptions,
    overlap: Option<usize>,
    words: Option<Vec<u32>>,
}

impl Rows {
    pub(crate) fn plan(self) -> Result<RowPlan, Failure> {
        let options = RowOptions {
            special: special(self.allowed, self.disallowed),
            framed: self.framed,
            max_length: self.max_length.map(size).transpose()?,
            cut: side(self.cut_left),
        };
        Ok(RowPlan { options, overlap: self.overlap.map(size).transpose()?, words: self.words })
    }
}

impl RowPlan {
    /// The rows; and the text of each, if a text may have several.
    pub(crate) fn encode<T: AsRef<str> + Sync>(
        &self,
        tokenizer: &Tokenizer,
        texts: &[T],
        threads: usize,
        go_on: Option<GoOn<'_>>,
    ) -> Result<(EncodedTexts, Option<Vec<u32>>), TextError> {
        let Self { options, overlap, words } = self;
        if overlap.is_none() && words.is_none() {
            let rows = match go_on {
                Some(go_on) => tokenizer.encode_rows_while(texts, options, threads, go_on),
                None => tokenizer.encode_rows(texts, options, threads),
            };
            return Ok((rows?, None));
        }
        let arrangement = Arrangement { words: words.as_deref(), overlap: *overlap };
        let how = (threads, go_on.unwrap_or(&|| true));
        let Arranged { rows, samples } = tokenizer.encode_arranged(texts, options, arrangement, how)?;
        Ok((rows, overlap.map(|_| samples)))
    }
}

/// Memory that TypeScript allocates for the ids of many texts, end to end, once it is told their number.
#[napi(object, object_to_js = false)]
pub struct RoomForTexts {
    /// uint32 (ids): the ids of all texts.
    pub ids: Operand,
    /// uint32 (rows + 1): the beginning of each row, and the end of the last one.
    pub offsets: Operand,
    /// uint32 (rows): the text of each row, if a text may have several.
    pub samples: Operand,
}

/// Copies the text of each row, where that is known.
fn put_samples(samples: Option<&[u32]>, to: &mut [u32]) {
    if let Some(samples) = samples.filter(|samples| samples.len() == to.len()) {
        to.copy_from_slice(samples);
    }
}

/// Writes the ids of many texts, end to end, into the memory that `room` allocates for this number of ids, of rows, and
/// of rows whose text is told.
#[napi(catch_unwind)]
pub fn tokenizer_encode_batch(
    tokenizer: &External<Tokenizer>,
    #[napi(ts_arg_type = "Array<string>")] texts: Vec<JsText>,
    rows: Rows,
    #[napi(ts_arg_type = "(ids: number, rows: number, told: number) => RoomForTexts | null")] room: Function<
        '_,
        FnArgs<(f64, f64, f64)>,
        Option<RoomForTexts>,
    >,
) -> bool {
    status(|| {
        let (batch, samples) = rows.plan()?.encode(tokenizer, &read_all(&texts)?.list(), computing_threads()?, None)?;
        let told = samples.as_ref().map_or(0, Vec::len);
        let sizes = (batch.ids() as f64, batch.texts() as f64, told as f64);
        let RoomForTexts { ids, offsets, samples: to } = room.call(sizes.into())?.ok_or_else(no_room)?;
        put_samples(samples.as_deref(), to.exclusive(&[&ids, &offsets])?);
        Ok(batch.join(ids.exclusive(&[&offsets, &to])?, offsets.exclusive(&[&ids, &to])?)?)
    })
}

/// The failure if TypeScript allocated no memory for a result; TypeScript knows the reason.
fn no_room() -> Failure {
    Error::Usage("there is not enough memory for the ids".into()).into()
}

/// How rows are padded, as given by TypeScript.
#[napi(object, object_to_js = false)]
pub struct Filler {
    /// The ids per row. If absent, it is the length of the longest text.
    pub length: Option<f64>,
    /// The number of ids is rounded up to a multiple of this number.
    pub multiple: f64,
    pub id: u32,
    pub left: bool,
}

impl Filler {
    pub(crate) fn padding(&self) -> Result<Padding, Failure> {
        let (length, multiple) = (self.length.map(size).transpose()?, size(self.multiple)?);
        Ok(Padding { length, multiple, id: self.id, side: side(self.left) })
    }
}

/// Memory that TypeScript allocates for texts as rows of one length, once it is told that length.
#[napi(object, object_to_js = false)]
pub struct RoomForRows {
    /// int32 (texts, length): the ids, padded.
    pub ids: Operand,
    /// bool (texts, length): where tokens are, as opposed to padding.
    pub mask: Operand,
    /// uint32 (rows): the number of ids in each row that are not padding.
    pub lengths: Operand,
    /// uint32 (rows): the text of each row, if a text may have several.
    pub samples: Operand,
}

/// Writes the ids of many texts as rows of one length, into the memory that `room` allocates for this length, this
/// number of rows, and of rows whose text is told.
#[napi(catch_unwind)]
pub fn tokenizer_encode_padded(
    tokenizer: &External<Tokenizer>,
    #[napi(ts_arg_type = "Array<string>")] texts: Vec<JsText>,
    rows: Rows,
    filler: Filler,
    #[napi(ts_arg_type = "(length: number, rows: number, told: number) => RoomForRows | null")] room: Function<
        '_,
        FnArgs<(f64, f64, f64)>,
        Option<RoomForRows>,
    >,
) -> bool {
    status(|| {
        let padding = filler.padding()?;
        let (batch, samples) = rows.plan()?.encode(tokenizer, &read_all(&texts)?.list(), computing_threads()?, None)?;
        let told = samples.as_ref().map_or(0, Vec::len);
        let sizes = (batch.padded_length(padding)? as f64, batch.texts() as f64, told as f64);
        // JavaScript runs here, in the middle of the call: none of its memory is borrowed yet.
        let RoomForRows { ids, mask, lengths, samples: to } = room.call(sizes.into())?.ok_or_else(no_room)?;
        put_samples(samples.as_deref(), to.exclusive(&[&ids, &mask, &lengths])?);
        let out = PaddedRows {
            ids: ids.exclusive(&[&mask, &lengths, &to])?,
            mask: mask.exclusive(&[&ids, &lengths, &to])?,
            lengths: lengths.exclusive(&[&ids, &mask, &to])?,
        };
        Ok(batch.pad(padding, out)?)
    })
}

/// The number of ids of a text.
#[napi(catch_unwind)]
pub fn tokenizer_count(
    tokenizer: &External<Tokenizer>,
    #[napi(ts_arg_type = "string")] text: JsText,
    allowed: Option<Vec<String>>,
    disallowed: Option<Vec<String>>,
    framed: bool,
) -> Option<f64> {
    guard(|| {
        let around = frame(tokenizer, framed).len();
        Ok((around + tokenizer.count(&text.read()?, &special(allowed, disallowed))?) as f64)
    })
}

/// The ids as 32-bit integers, all checked to be below the vocabulary's size.
fn checked<'a>(tokenizer: &Tokenizer, ids: &'a Operand, scratch: &'a mut Vec<u32>) -> Result<&'a [u32], Failure> {
    Ok(resolve(dispatch::active(), ids.ids()?, tokenizer.vocab_size(), BadIds::Throw, scratch)?.ids())
}

/// Decodes ids to text.
#[napi(catch_unwind)]
pub fn tokenizer_decode(tokenizer: &External<Tokenizer>, ids: Operand, skip_special: bool) -> Option<String> {
    guard(|| {
        let mut scratch = Vec::new();
        let ids = checked(tokenizer, &ids, &mut scratch)?;
        Ok(tokenizer.decode_with(ids, skip_special)?)
    })
}

/// One token as it is written in the vocabulary.
#[napi(catch_unwind)]
pub fn tokenizer_token(tokenizer: &External<Tokenizer>, id: Operand) -> Option<Vec<String>> {
    guard(|| {
        let mut scratch = Vec::new();
        let ids = checked(tokenizer, &id, &mut scratch)?;
        Ok(ids.iter().map(|&id| tokenizer.token(id)).try_into_list()?)
    })
}

/// A decoder in progress; JavaScript holds it only by its handle.
pub struct Decoding {
    tokenizer: Tokenizer,
    decoder: RefCell<TokenDecoder>,
}

/// Makes a decoder that takes ids as they arrive.
#[napi(catch_unwind)]
pub fn decoder_new(tokenizer: &External<Tokenizer>, skip_special: bool) -> Option<External<Decoding>> {
    guard(|| {
        let decoder = RefCell::new(tokenizer.decoder(skip_special));
        Ok(External::new(Decoding { tokenizer: (**tokenizer).clone(), decoder }))
    })
}

/// The text that these further ids complete.
#[napi(catch_unwind)]
pub fn decoder_write(decoding: &External<Decoding>, ids: Operand) -> Option<String> {
    guard(|| {
        let mut scratch = Vec::new();
        let ids = checked(&decoding.tokenizer, &ids, &mut scratch)?;
        Ok(decoding.decoder.borrow_mut().write(ids)?)
    })
}

/// The text that remains at the end.
#[napi(catch_unwind)]
pub fn decoder_end(decoding: &External<Decoding>) -> Option<String> {
    guard(|| Ok(decoding.decoder.borrow_mut().end()?))
}

/// The bytes of the given ids.
#[napi(catch_unwind)]
pub fn tokenizer_decode_bytes(
    env: Env,
    tokenizer: &External<Tokenizer>,
    ids: Operand,
) -> Option<Uint8ArraySlice<'static>> {
    guard(|| {
        let mut scratch = Vec::new();
        let ids = resolve(dispatch::active(), ids.ids()?, tokenizer.vocab_size(), BadIds::Throw, &mut scratch)?;
        copied(&tokenizer.decode_bytes(ids.ids())?, |it| Uint8ArraySlice::copy_from(&env, it))
    })
}
