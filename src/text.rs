//! Tokenizers and windows.

use crate::borrow::{Operand, size};
use crate::guard::{Failure, guard, status};
use crate::process::computing_threads;
use napi::Env;
use napi::bindgen_prelude::{External, Uint32ArraySlice};
use napi_derive::napi;
use tokenbed_core::Error;
use tokenbed_core::ids::{BadIds, resolve};
use tokenbed_kernels::table;
use tokenbed_text::{Encoding, SpecialPolicy, SpecialSet, TextError, Tokenizer, Windows, encodings};

impl From<TextError> for Failure {
    fn from(error: TextError) -> Self {
        let message = error.to_string();
        match error {
            TextError::UnknownId { position, value, vocab_size } => {
                Error::TokenIndex { flat: position, value: value.into(), rows: vocab_size, count: 1 }.into()
            }
            TextError::Length { .. } | TextError::NoWindow { .. } => Error::Shape(message).into(),
            _ => Error::Usage(message).into(),
        }
    }
}

/// The names of the known encodings.
#[napi(catch_unwind)]
pub fn encoding_names() -> Option<Vec<String>> {
    guard(|| Ok(encodings().map(Into::into).collect()))
}

/// The vocabulary that an encoding needs; a failure that lists the known ones for another name.
#[napi(catch_unwind)]
pub fn encoding_vocabulary(name: String) -> Option<String> {
    guard(|| Ok(Encoding::named(&name)?.vocabulary))
}

/// A tokenizer for a known encoding, from its unpacked vocabulary.
#[napi(catch_unwind)]
pub fn tokenizer_new(name: String, vocabulary: Operand) -> Option<External<Tokenizer>> {
    guard(|| Ok(External::new(Tokenizer::new(Encoding::named(&name)?, vocabulary.shared()?)?)))
}

/// How many ids it has.
#[napi(catch_unwind)]
pub fn tokenizer_size(tokenizer: &External<Tokenizer>) -> Option<f64> {
    guard(|| Ok(tokenizer.vocab_size() as f64))
}

/// A choice as TypeScript writes it: nothing means all.
fn special(allowed: Option<Vec<String>>, disallowed: Option<Vec<String>>) -> SpecialPolicy {
    let set = |names: Option<Vec<String>>| names.map_or(SpecialSet::All, SpecialSet::Only);
    SpecialPolicy { allowed: set(allowed), disallowed: set(disallowed) }
}

/// The ids of a text.
#[napi(catch_unwind)]
pub fn tokenizer_encode(
    env: Env,
    tokenizer: &External<Tokenizer>,
    text: String,
    allowed: Option<Vec<String>>,
    disallowed: Option<Vec<String>>,
) -> Option<Uint32ArraySlice<'static>> {
    guard(|| {
        let mut ids = Vec::new();
        tokenizer.encode(&text, &special(allowed, disallowed), &mut ids)?;
        // A copy into V8's memory: buffers of Rust's own would only be freed when the event loop turns.
        Ok(Uint32ArraySlice::copy_from(&env, ids)?)
    })
}

/// The ids of many texts, end to end.
#[napi(object, object_from_js = false)]
pub struct EncodedTexts {
    pub ids: Uint32ArraySlice<'static>,
    pub offsets: Uint32ArraySlice<'static>,
}

/// The ids of many texts, end to end.
#[napi(catch_unwind)]
pub fn tokenizer_encode_batch(
    env: Env,
    tokenizer: &External<Tokenizer>,
    texts: Vec<String>,
    allowed: Option<Vec<String>>,
    disallowed: Option<Vec<String>>,
) -> Option<EncodedTexts> {
    guard(|| {
        let batch = tokenizer.encode_batch(&texts, &special(allowed, disallowed), computing_threads()?)?;
        Ok(EncodedTexts {
            ids: Uint32ArraySlice::copy_from(&env, batch.ids)?,
            offsets: Uint32ArraySlice::copy_from(&env, batch.offsets)?,
        })
    })
}

/// How many ids a text has.
#[napi(catch_unwind)]
pub fn tokenizer_count(
    tokenizer: &External<Tokenizer>,
    text: String,
    allowed: Option<Vec<String>>,
    disallowed: Option<Vec<String>>,
) -> Option<f64> {
    guard(|| Ok(tokenizer.count(&text, &special(allowed, disallowed))? as f64))
}

/// The text of ids.
#[napi(catch_unwind)]
pub fn tokenizer_decode(tokenizer: &External<Tokenizer>, ids: Operand) -> Option<String> {
    guard(|| {
        let mut scratch = Vec::new();
        let ids = resolve(table::active(), ids.ids()?, tokenizer.vocab_size(), BadIds::Throw, &mut scratch)?;
        Ok(tokenizer.decode(ids.ids())?)
    })
}

/// Windows over ids.
#[napi(catch_unwind)]
pub fn windows_new(
    ids: f64,
    max_length: f64,
    stride: f64,
    batch_size: f64,
    drop_last: bool,
) -> Option<External<Windows>> {
    guard(|| {
        let windows = Windows::new(size(ids)?, size(max_length)?, size(stride)?, size(batch_size)?, drop_last)?;
        Ok(External::new(windows))
    })
}

/// How many windows, and how many batches of them.
#[napi(catch_unwind)]
pub fn windows_counts(windows: &External<Windows>) -> Option<Vec<f64>> {
    guard(|| Ok(vec![windows.count() as f64, windows.batches() as f64]))
}

/// Cuts the windows of these numbers, and their targets, out of the ids (uint32 or int32).
#[napi(catch_unwind)]
pub fn windows_fill(
    windows: &External<Windows>,
    numbers: Operand,
    ids: Operand,
    inputs: Operand,
    targets: Operand,
) -> bool {
    status(|| {
        let read = [&numbers, &ids];
        let inputs = inputs.exclusive(&[read[0], read[1], &targets])?;
        let targets = targets.exclusive(&read)?;
        // Ids of 2^31 and more do not come here, so that both kinds are the same bits.
        Ok(windows.fill::<u32>(numbers.shared()?, ids.shared()?, inputs, targets)?)
    })
}
