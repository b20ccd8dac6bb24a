//! Reads a `tokenizer.json` in one pass: large tables become compact at once, small parts become JSON values.
//!
//! This reader takes only what is beyond doubt. Whatever is damaged, doubled or unusual makes the file `NotNative`;
//! then the library's crate reads the file again, and finds the words for what is wrong with it.

mod cursor;
mod tables;

use std::collections::BTreeMap;

use serde_json::Value;
use tokenbed_memory::{Text, owned};

use super::models::{Merges, Settings};
use super::{NotNative, Tokens};
use cursor::Cursor;

/// The parts of a file.
pub(crate) struct File {
    /// All parts but the model, by name.
    parts: BTreeMap<String, Value>,
    pub(crate) model: ModelPart,
    /// Byte offset of each part.
    pub(crate) places: BTreeMap<String, usize>,
}

/// The model as the file describes it.
pub(crate) struct ModelPart {
    /// Its `type`.
    pub(crate) kind: String,
    /// Everything but the tables.
    pub(crate) settings: Settings,
    pub(crate) tokens: Tokens,
    /// The merges of BPE, in the order of the file.
    pub(crate) merges: Option<Merges>,
    /// The scores of Unigram, by id.
    pub(crate) scores: Option<Vec<f64>>,
}

impl File {
    /// A part of the file; null if the file does not have it.
    pub(crate) fn part(&self, name: &str) -> &Value {
        self.parts.get(name).unwrap_or(&Value::Null)
    }

    /// Reads a file.
    pub(crate) fn read(file: &[u8]) -> Result<Self, NotNative> {
        let json = std::str::from_utf8(file).map_err(|_| NotNative::new("file: not UTF-8"))?;
        if json.len() > u32::MAX as usize {
            return Err(NotNative::new("file: more than 4 GB"));
        }
        let mut cursor = Cursor::new(json);
        let (mut parts, mut places) = (BTreeMap::new(), BTreeMap::new());
        let mut model = None;
        cursor.object(|cursor, name| {
            let at = cursor.at();
            if places.insert(name.to_owned(), at).is_some() {
                return Err(NotNative::new("file: a part twice"));
            }
            if name == "model" {
                model = Some(read_model(cursor)?);
            } else {
                parts.insert(name.to_owned(), cursor.value()?);
            }
            Ok(())
        })?;
        cursor.end()?;
        if parts.get("version").is_some_and(|version| version != "1.0") {
            return Err(NotNative::new("version"));
        }
        Ok(Self { parts, places, model: model.ok_or_else(|| NotNative::new("model: none"))? })
    }
}

fn read_model(cursor: &mut Cursor<'_>) -> Result<ModelPart, NotNative> {
    let mut settings = Settings::new();
    let (mut vocabulary, mut merges, mut unread) = (None, None, None);
    cursor.object(|cursor, name| {
        let twice = || NotNative::new("model: a setting twice");
        match name {
            "vocab" => {
                if vocabulary.replace(tables::vocabulary(cursor)?).is_some() {
                    return Err(twice());
                }
            }
            "merges" if merges.is_some() || unread.is_some() => return Err(twice()),
            "merges" => match &vocabulary {
                Some((tokens, _)) => merges = Some(tables::merges(cursor, tokens)?),
                // They can be read only when all tokens are known.
                None => {
                    unread = Some(cursor.clone());
                    cursor.skip()?;
                }
            },
            name => {
                if settings.insert(name.to_owned(), cursor.value()?).is_some() {
                    return Err(twice());
                }
            }
        }
        Ok(())
    })?;
    let (tokens, scores) = vocabulary.ok_or_else(|| NotNative::new("model: no vocabulary"))?;
    if let Some(mut cursor) = unread {
        merges = Some(tables::merges(&mut cursor, &tokens)?);
    }
    let mut kind = String::new();
    kind.put_str(settings.get("type").and_then(Value::as_str).ok_or_else(|| NotNative::new("model: no type"))?);
    Ok(ModelPart { kind: owned(&kind), settings, tokens, merges, scores })
}
