//! Compiles a file, if all of its parts are known.

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokenizers::{
    DecoderWrapper, NormalizerWrapper, PaddingParams, PostProcessorWrapper, PreTokenizerWrapper, TruncationParams,
};

use super::oniguruma::{Spent, translate};
use super::settings::{frame, habits, pair, trims};
use super::{FileTokenizer, Origin, Runs, check, decode, load};
use crate::compiled::read::{File, ModelPart};
use crate::compiled::{Compiled, NotNative};
use crate::panics::caught;
use tokenbed_memory::owned;

/// The tokenizer of a file whose parts are all known.
pub(super) fn compile(origin: &Origin, json: &[u8]) -> Result<FileTokenizer, NotNative> {
    // A panic means a bad file, which the library's crate reads again.
    let read = caught(|| tokenizer(origin, json));
    read.unwrap_or_else(|panic| Err(NotNative::new(format!("file: {panic}"))))
}

fn tokenizer(origin: &Origin, json: &[u8]) -> Result<FileTokenizer, NotNative> {
    let limits = origin.limits;
    let file = File::read(json)?;
    let not_native = |part: &str| NotNative::new(part);
    let mut found = check::Found::default();
    for name in ["normalizer", "pre_tokenizer", "post_processor", "decoder"] {
        found.part(file.part(name)).map_err(|_| not_native(name))?;
    }
    // The library's readers see the small parts, too: what they refuse is an error, which the old way tells.
    let mut spent = Spent::default();
    part::<NormalizerWrapper>(&file, "normalizer", &mut spent)?;
    part::<PreTokenizerWrapper>(&file, "pre_tokenizer", &mut spent)?;
    let decoder = part::<DecoderWrapper>(&file, "decoder", &mut spent)?;
    let post_processor = part::<PostProcessorWrapper>(&file, "post_processor", &mut spent)?;
    let padding = part::<PaddingParams>(&file, "padding", &mut spent)?;
    let truncation = part::<TruncationParams>(&file, "truncation", &mut spent)?;
    let frame = frame(post_processor.as_ref()).map_err(|_| not_native("post_processor"))?;
    let pairs = [false, true].map(|framed| pair(post_processor.as_ref(), framed));
    let places = load::Places::of_parts(&file.places);
    let unknown = Unknown::of(&file.model);
    let compiled = Compiled::new(file, limits)?;
    let special = compiled.special_tokens();
    let largest = frame.before.iter().chain(&frame.after).map(|&id| id as usize + 1).max().unwrap_or(0);
    let vocab_size = compiled.vocab_size().max(largest);
    if vocab_size > check::LARGEST_ID as usize + 1 {
        return Err(not_native("model: ids that are too large"));
    }
    let it = FileTokenizer {
        places,
        special,
        vocab_size,
        unknown: match unknown {
            Unknown::Named(name) => compiled.id_of(&name),
            Unknown::Id(id) => id,
        },
        frame,
        pairs,
        habits: habits(padding.as_ref(), truncation.as_ref(), |name| compiled.added_id(name)),
        trims: trims(post_processor.as_ref()).map_err(|_| not_native("post_processor"))?,
        stages: decode::stages(decoder.as_ref(), limits).map_err(|_| not_native("decoder"))?,
        runs: Runs::Native(Box::new(compiled)),
        origin: origin.clone(),
    };
    it.try_out().map_err(|error| NotNative::new(error.to_string()))?;
    Ok(it)
}

/// The token for what a model does not know, as its part of the file names it.
enum Unknown {
    Named(String),
    Id(Option<u32>),
}

impl Unknown {
    fn of(model: &ModelPart) -> Self {
        if model.kind == "Unigram" {
            let id = model.settings.get("unk_id").and_then(Value::as_u64);
            return Self::Id(id.and_then(|id| u32::try_from(id).ok()));
        }
        match model.settings.get("unk_token").and_then(Value::as_str) {
            Some(name) => Self::Named(owned(name)),
            None => Self::Id(None),
        }
    }
}

/// A small part of the file, as the library reads it; `None` if the file does not have it.
fn part<T: DeserializeOwned>(file: &File, name: &str, spent: &mut Spent) -> Result<Option<T>, NotNative> {
    let written = file.part(name);
    if written.is_null() {
        return Ok(None);
    }
    let mut rewritten = written.clone();
    rewrite(&mut rewritten, spent).map_err(|()| NotNative::new(format!("{name}: a pattern")))?;
    serde_json::from_value(rewritten).map(Some).map_err(|_| NotNative::new(format!("{name}: its settings")))
}

/// Rewrites the patterns of a part for the engine of the library's crate here.
fn rewrite(part: &mut Value, spent: &mut Spent) -> Result<(), ()> {
    let Value::Object(object) = part else { return Ok(()) };
    if let Some(Value::String(pattern)) = object.get_mut("pattern").and_then(|pattern| pattern.get_mut("Regex")) {
        *pattern = translate(pattern, spent).map_err(|_| ())?;
    }
    for steps in ["normalizers", "pretokenizers", "decoders"] {
        for step in object.get_mut(steps).and_then(Value::as_array_mut).into_iter().flatten() {
            rewrite(step, spent)?;
        }
    }
    Ok(())
}
