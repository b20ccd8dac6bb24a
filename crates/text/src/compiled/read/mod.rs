//! Reads a `tokenizer.json` in one pass: large tables become compact at once, small parts become JSON values.
//!
//! This reader takes only what is beyond doubt. Whatever is damaged, doubled or unusual makes the file `NotNative`;
//! then the library's crate reads the file again, and finds the words for what is wrong with it.

mod cursor;
mod tables;

use std::collections::BTreeMap;

use serde_json::Value;
use tokenbed_memory::{List, Text, owned};

use super::added::Written;
use super::models::{Merges, Settings};
use super::{NotNative, Tokens};
use cursor::Cursor;

/// The parts of a file.
pub(crate) struct File {
    /// All parts but the model and the added tokens, by name.
    parts: BTreeMap<String, Value>,
    pub(crate) model: ModelPart,
    pub(crate) added: Vec<Written>,
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
        let (mut model, mut added) = (None, Vec::new());
        cursor.object(|cursor, name| {
            let at = cursor.at();
            if places.insert(name.to_owned(), at).is_some() {
                return Err(NotNative::new("file: a part twice"));
            }
            match name {
                "model" => model = Some(read_model(cursor)?),
                // There may be thousands, so they are read one by one.
                "added_tokens" if cursor.is_at(b'[') => cursor.array(|cursor| {
                    let token = Written::read(&cursor.value()?);
                    added.put(token.ok_or_else(|| NotNative::new(name))?);
                    Ok(())
                })?,
                "added_tokens" if !cursor.value()?.is_null() => return Err(NotNative::new(name)),
                "added_tokens" => {}
                name => drop(parts.insert(name.to_owned(), cursor.value()?)),
            }
            Ok(())
        })?;
        cursor.end()?;
        if parts.get("version").is_some_and(|version| version != "1.0") {
            return Err(NotNative::new("version"));
        }
        Ok(Self { parts, places, added, model: model.ok_or_else(|| NotNative::new("model: none"))? })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<File, String> {
        File::read(json.as_bytes()).map_err(|not_native| not_native.part)
    }

    #[test]
    fn merges_may_stand_before_the_tokens() {
        let vocabulary = r#""vocab": {"a": 0, "b": 2, "ab": 1}"#;
        for merges in [r#""merges": ["\u0023version: 1", "a b"]"#, r#" "merges" : [ [ "a" , "b" ] ] "#] {
            for [first, second] in [[vocabulary, merges], [merges, vocabulary]] {
                let json =
                    format!(r#"{{"version": "1.0", "model": {{"type": "BPE", {first}, {second}}}, "more": [1]}}"#);
                let file = read(&json).unwrap();
                assert_eq!(file.model.merges, Some(vec![(0, 2)]));
                assert_eq!(file.model.tokens.iter().map(|(id, _)| id).collect::<Vec<_>>(), [0, 1, 2]);
                assert_eq!(file.model.tokens.get(b"ab"), Some(1));
                assert_eq!((file.model.kind.as_str(), file.places["model"]), ("BPE", json.find(r#"{"type"#).unwrap()));
            }
        }
    }

    #[test]
    fn scores_are_read_as_the_json_reader_reads_them() {
        let file =
            read(r#"{"model": {"type": "Unigram", "vocab": [["<unk>", 0], [" ", -2.0794415416798357e0], ["a", 1]]}}"#);
        assert_eq!(file.unwrap().model.scores, Some(vec![0.0, -2.0794415416798357e0, 1.0]));
    }

    #[test]
    fn what_is_unusual_is_left_to_the_library() {
        let model = |inner: &str| format!(r#"{{"model": {{"type": "WordLevel", {inner}}}}}"#);
        for inner in [
            r#""vocab": {"a": 0, "a": 1}"#,
            r#""vocab": {"a": 0, "b": 0}"#,
            r#""vocab": {"a": 0}, "vocab": {"a": 0}"#,
            r#""vocab": {"a": -1}"#,
            r#""vocab": {"a": 1.0}"#,
            r#""vocab": {"a": 4000000000}"#,
            r#""vocab": {"a": 2000000}"#,
            r#""vocab": {"a": "0"}"#,
            r#""vocab": {"a": 0}, "x": 1, "x": 2"#,
            r#""vocab": {"a": 0}, "merges": ["a"]"#,
            r#""vocab": {"a": 0}, "merges": ["a a a"]"#,
            r#""vocab": {"a": 0}, "merges": ["a b"]"#,
            r#""vocab": {"a": 0}, "merges": ["a a", ["a", "a"]]"#,
            r#""vocab": {"a": 0,}"#,
            r#""vocab": {"a" 0}"#,
            r#""x": 1"#,
        ] {
            assert!(read(&model(inner)).is_err(), "{inner}");
        }
        let whole = model(r#""vocab": {"a": 0}"#);
        assert!(read(&whole).is_ok());
        assert!((0..whole.len()).all(|end| read(&whole[..end]).is_err()));
        for json in [
            whole.clone() + "x",
            whole.replacen('{', r#"{"version": "2.0", "#, 1),
            whole.replacen('{', r#"{"model": 1, "#, 1),
            whole.replacen('{', &format!(r#"{{"x": {}1{}, "#, "[".repeat(200), "]".repeat(200)), 1),
            "[]".to_owned(),
        ] {
            assert!(read(&json).is_err(), "{json}");
        }
        assert!(File::read(b"{\"\xff\": 1}").is_err());
    }
}
