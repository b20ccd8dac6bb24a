//! Reads a `tokenizer.json`. Any bytes give a tokenizer, or an error that says where.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use tokenizers::{
    DecoderWrapper, ModelWrapper, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper, Tokenizer,
};

use super::{check, json, patterns};
use crate::panics::caught;

/// Largest nesting depth. No tokenizer is nested deeper; the JSON reader would give up at 128, which some of its
/// callers do not expect.
const MAX_DEPTH: usize = 100;

/// The kinds that a part of the file may have as its `type`.
const KINDS: [(&str, &[&str]); 5] = [
    ("model", &["BPE", "WordPiece", "WordLevel", "Unigram"]),
    (
        "normalizer",
        &[
            "BertNormalizer",
            "ByteLevel",
            "Lowercase",
            "NFC",
            "NFD",
            "NFKC",
            "NFKD",
            "Nmt",
            "Precompiled",
            "Prepend",
            "Replace",
            "Sequence",
            "Strip",
            "StripAccents",
        ],
    ),
    (
        "pre_tokenizer",
        &[
            "BertPreTokenizer",
            "ByteLevel",
            "CharDelimiterSplit",
            "Digits",
            "FixedLength",
            "Metaspace",
            "Punctuation",
            "Sequence",
            "Split",
            "UnicodeScripts",
            "Whitespace",
            "WhitespaceSplit",
        ],
    ),
    ("post_processor", &["BertProcessing", "ByteLevel", "RobertaProcessing", "Sequence", "TemplateProcessing"]),
    (
        "decoder",
        &[
            "BPEDecoder",
            "ByteFallback",
            "ByteLevel",
            "CTC",
            "Fuse",
            "Metaspace",
            "Replace",
            "Sequence",
            "Strip",
            "WordPiece",
        ],
    ),
];

/// Byte offset of each part of the file.
#[derive(Debug, Clone, Default)]
pub(super) struct Places(BTreeMap<String, usize>);

impl Places {
    /// The offsets of these parts.
    pub(super) fn of_parts(parts: &BTreeMap<String, usize>) -> Self {
        Self(parts.clone())
    }

    pub(super) fn of(&self, part: &str) -> usize {
        self.0.get(part).copied().unwrap_or(0)
    }
}

/// A byte offset, and what is wrong there.
pub(super) type Wrong = (usize, String);

/// Reads the tokenizer that the file describes, with the library.
pub(super) fn read(file: &[u8]) -> Result<(Tokenizer, Places), Wrong> {
    let json = std::str::from_utf8(file).map_err(|error| (error.valid_up_to(), "it is not UTF-8".into()))?;
    check_depth(json)?;
    // The syntax is checked first, because the library sometimes relies on valid JSON.
    json::check(json).map_err(|error| (place(json, &error), syntax(&error)))?;
    let places = look(json)?;
    let parts = parts_of(json)?;
    let file = patterns::rewritten(json, &parts)?;
    // A panic here means a bad file, not a bug.
    let read = caught(|| serde_json::from_str::<Tokenizer>(&file));
    match read {
        Ok(Ok(tokenizer)) => Ok((tokenizer, places)),
        Ok(Err(error)) => Err(caught(|| explain(json, &file, &error)).unwrap_or_else(contradiction)),
        Err(why) => Err(contradiction(why)),
    }
}

fn contradiction(why: String) -> Wrong {
    (0, format!("its parts contradict each other: it cannot be read: {why}"))
}

/// The parts of the file.
fn parts_of(json: &str) -> Result<BTreeMap<String, &RawValue>, Wrong> {
    let parts = serde_json::from_str(json);
    parts.map_err(|_| (0, "it is not a tokenizer.json, which is an object with a model".into()))
}

/// Checks what the file describes, before the library acts on it.
fn look(json: &str) -> Result<Places, Wrong> {
    let parts = parts_of(json)?;
    let mut found = check::Found::default();
    let mut places = Places::default();
    for (name, part) in parts {
        let at = part.get().as_ptr() as usize - json.as_ptr() as usize;
        if KINDS.iter().skip(1).any(|(kind, _)| *kind == name) {
            let value = serde_json::from_str(part.get()).map_err(|error| (at, without_place(&error)))?;
            found.part(&value).map_err(|why| (at, format!("{name}: {why}")))?;
        }
        places.0.insert(name, at);
    }
    Ok(places)
}

/// Byte offset at which the reader gave up.
fn place(json: &str, error: &serde_json::Error) -> usize {
    if error.is_eof() {
        return json.len();
    }
    let before: usize = json.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    (before + error.column().saturating_sub(1)).min(json.len())
}

/// The reader's message about the syntax, without its own words for the place.
fn syntax(error: &serde_json::Error) -> String {
    let text = without_place(error);
    if error.is_eof() { "it ends too soon: it was cut short".into() } else { format!("it is not JSON: {text}") }
}

fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rfind(" at line ").map_or(text.as_str(), |at| &text[..at]).to_owned()
}

fn check_depth(json: &str) -> Result<(), Wrong> {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for (offset, byte) in json.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err((offset, format!("it is nested more than {MAX_DEPTH} deep")));
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// Explains why valid JSON is not a tokenizer: which part is wrong, and why. The library's own message is about its
/// types. It read `rewritten`, which is the file with rewritten patterns.
fn explain(json: &str, rewritten: &str, error: &serde_json::Error) -> Wrong {
    let (parts, library) = match (parts_of(json), parts_of(rewritten)) {
        (Ok(parts), Ok(library)) => (parts, library),
        (Err(wrong), _) | (_, Err(wrong)) => return wrong,
    };
    let offset_of = |part: &RawValue| part.get().as_ptr() as usize - json.as_ptr() as usize;
    if !parts.contains_key("model") {
        return (0, "it is not a tokenizer.json: it has no model".into());
    }
    for (name, kinds) in KINDS {
        let (Some(part), Some(read)) = (parts.get(name), library.get(name)) else { continue };
        if let Some(kind) = unknown_kind(part, kinds) {
            let at = part.get().find(&format!("{kind:?}")).unwrap_or(0);
            let reason = format!("{name}: {kind:?} is not supported; the kinds are {}", kinds.join(", "));
            return (offset_of(part) + at, reason);
        }
        let failure = match name {
            "model" => failure::<ModelWrapper>(read),
            "normalizer" => failure::<NormalizerWrapper>(read),
            "pre_tokenizer" => failure::<PreTokenizerWrapper>(read),
            "post_processor" => failure::<PostProcessorWrapper>(read),
            _ => failure::<DecoderWrapper>(read),
        };
        if let Some(why) = failure {
            return (offset_of(part), format!("{name}: {why}"));
        }
    }
    // Finds the place in the file, where the patterns before it may have other lengths.
    let at = place(rewritten, error);
    let is_before = rewritten.as_bytes()[..at].iter().eq(json.as_bytes().iter().take(at));
    let at = if is_before { at } else { (json.len() + at).saturating_sub(rewritten.len()) };
    (at.min(json.len()), without_place(error))
}

/// A `type` in the part that is not among `kinds`. The parts of a sequence have the same kinds.
fn unknown_kind(part: &RawValue, kinds: &[&str]) -> Option<String> {
    fn search(value: &Value, kinds: &[&str]) -> Option<String> {
        let object = value.as_object()?;
        if let Some(Value::String(kind)) = object.get("type")
            && !kinds.contains(&kind.as_str())
        {
            return Some(kind.clone());
        }
        let lists = object.values().filter_map(Value::as_array);
        lists.flatten().find_map(|value| search(value, kinds))
    }
    search(&serde_json::from_str(part.get()).ok()?, kinds)
}

/// Why the part alone cannot be read, if it cannot.
fn failure<T: DeserializeOwned>(part: &RawValue) -> Option<String> {
    serde_json::from_str::<Option<T>>(part.get()).err().map(|error| {
        let why = without_place(&error);
        if why.contains("did not match any variant") {
            "its settings are not those of any known kind".into()
        } else {
            why
        }
    })
}
