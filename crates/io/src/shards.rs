//! The index of a model in several files, `model.safetensors.index.json`: which tensor is in which file.
//!
//! It may have 20 MB and more, of which a reader needs a few names. So the names go from the text straight into one
//! table, and no tree of values is built.

use crate::names::Names;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use tokenbed_core::open::regular;
use tokenbed_core::{Error, Result};
use tokenbed_memory::{List, TextList, zeroed};

/// Which tensor is in which file.
#[derive(Debug)]
pub struct Index {
    tensors: Names,
    files: Names,
    /// The file of each tensor.
    file_of: Vec<u32>,
}

impl Index {
    /// The names of all tensors, in the order of the file.
    pub fn names(&self) -> &TextList {
        &self.tensors.list
    }

    /// The name of the file that a tensor is in.
    pub fn file(&self, tensor: &str) -> Option<&str> {
        self.tensors.find(tensor).and_then(|id| self.files.list.get(self.file_of[id] as usize))
    }

    /// The names of tensors that are this name, or end with it behind a dot.
    pub fn ending(&self, name: &str) -> impl Iterator<Item = &str> {
        self.names().iter().filter(move |full| {
            full.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('.'))
        })
    }
}

/// Reads an index.
///
/// # Errors
/// [`Error::File`] if it cannot be read; [`Error::Format`], with the byte, if it is not JSON, or not an index.
pub fn open(path: &Path) -> Result<Index> {
    let opened = regular(path)?;
    let failed = |source| Error::File { path: path.to_path_buf(), action: "read", source };
    let len = usize::try_from(opened.len).map_err(|_| failed(std::io::ErrorKind::FileTooLarge.into()))?;
    let bytes = all_of(opened.file, len).map_err(failed)?;
    parse(&bytes).map_err(|(offset, message)| Error::Format { path: path.to_path_buf(), offset, message })
}

/// The bytes of a file, as many as there are now.
fn all_of(mut file: File, len: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes: Vec<u8> = zeroed(len);
    let mut read = 0;
    while read < len {
        match file.read(&mut bytes[read..]) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(read);
    Ok(bytes)
}

/// Reads the text of an index; the error is a place and a message.
fn parse(bytes: &[u8]) -> std::result::Result<Index, (u64, String)> {
    let mut state = State { index: None, wrong: None };
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = json.deserialize_any(Whole(&mut state)).and_then(|()| json.end());
    match (read, state.wrong, state.index) {
        (Err(_), Some(wrong), _) => Err((0, wrong)),
        (Err(error), None, _) => Err((place(bytes, &error), format!("no JSON: {error}"))),
        (Ok(()), _, Some(index)) => Ok(index),
        (Ok(()), _, None) => Err((0, NO_MAP.into())),
    }
}

const NO_MAP: &str = "\"weight_map\" must name the file of every tensor";

/// The byte at which parsing failed.
#[cold]
fn place(bytes: &[u8], error: &serde_json::Error) -> u64 {
    let lines = bytes.split_inclusive(|&byte| byte == b'\n').take(error.line().saturating_sub(1));
    let before: usize = lines.map(<[u8]>::len).sum();
    (before + error.column().saturating_sub(1)).min(bytes.len()) as u64
}

/// What was read so far, and what is wrong with it although it is JSON.
struct State {
    index: Option<Index>,
    wrong: Option<String>,
}

/// A reader of the whole file.
struct Whole<'a>(&'a mut State);

impl<'de> Visitor<'de> for Whole<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        while let Some(is_map) = map.next_key_seed(Is("weight_map"))? {
            if !is_map {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let mut index = Index { tensors: Names::new(), files: Names::new(), file_of: Vec::new() };
            map.next_value_seed(Map { index: &mut index, wrong: &mut self.0.wrong })?;
            self.0.index = Some(index);
        }
        Ok(())
    }
}

/// Whether a name is this one.
struct Is(&'static str);

impl<'de> DeserializeSeed<'de> for Is {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> std::result::Result<bool, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Is {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<bool, E> {
        Ok(text == self.0)
    }
}

/// A reader of the map.
struct Map<'a> {
    index: &'a mut Index,
    wrong: &'a mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for Map<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> std::result::Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

/// Values of other types than an object are no map.
macro_rules! no_map {
    ($($visit:ident: $type:ty),*) => {
        $(fn $visit<E: serde::de::Error>(self, _: $type) -> std::result::Result<(), E> {
            *self.wrong = Some(NO_MAP.into());
            Err(E::custom(NO_MAP))
        })*
    };
}

impl<'de> Visitor<'de> for Map<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of file names")
    }

    no_map!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_unit<E: serde::de::Error>(self) -> std::result::Result<(), E> {
        *self.wrong = Some(NO_MAP.into());
        Err(E::custom(NO_MAP))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, _: A) -> std::result::Result<(), A::Error> {
        *self.wrong = Some(NO_MAP.into());
        Err(A::Error::custom(NO_MAP))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        let Self { index, wrong } = self;
        // The last of several files of one tensor counts, as everywhere in JSON.
        while let Some((tensor, is_new)) = map.next_key_seed(Put { names: &mut index.tensors, accepts: |_| true })? {
            let file = map.next_value_seed(Put { names: &mut index.files, accepts: is_file_name });
            let (file, _) = file.inspect_err(|error| {
                // JSON that is broken is told by its own message.
                if error.to_string().starts_with(NO_NAME) {
                    let name = index.tensors.list.get(tensor).unwrap_or_default();
                    *wrong = Some(format!("\"weight_map\" says that tensor {name:?} is in {NO_NAME} in the folder"));
                }
            })?;
            if is_new {
                index.file_of.put(file as u32);
            } else {
                index.file_of[tensor] = file as u32;
            }
        }
        Ok(())
    }
}

const NO_NAME: &str = "what is no name of a file";

/// Shards lie beside their index: a path could lead anywhere.
fn is_file_name(text: &str) -> bool {
    !text.is_empty() && !text.starts_with("..") && !text.contains(['/', '\\', '\0', ':'])
}

/// Puts a text into names.
struct Put<'a> {
    names: &'a mut Names,
    accepts: fn(&str) -> bool,
}

impl<'de> DeserializeSeed<'de> for Put<'_> {
    type Value = (usize, bool);

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> std::result::Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

/// Values of other types than a text name no file.
macro_rules! no_name {
    ($($visit:ident: $type:ty),*) => {
        $(fn $visit<E: serde::de::Error>(self, _: $type) -> std::result::Result<Self::Value, E> {
            Err(E::custom(NO_NAME))
        })*
    };
}

impl<'de> Visitor<'de> for Put<'_> {
    type Value = (usize, bool);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    no_name!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64);

    fn visit_str<E: serde::de::Error>(self, text: &str) -> std::result::Result<Self::Value, E> {
        if !(self.accepts)(text) {
            return Err(E::custom(NO_NAME));
        }
        self.names.put(text).map_err(|_| E::custom("more names than 32 bits count"))
    }

    fn visit_unit<E: serde::de::Error>(self) -> std::result::Result<Self::Value, E> {
        Err(E::custom(NO_NAME))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, _: A) -> std::result::Result<Self::Value, A::Error> {
        Err(A::Error::custom(NO_NAME))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> std::result::Result<Self::Value, A::Error> {
        Err(A::Error::custom(NO_NAME))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> (u64, String) {
        parse(text.as_bytes()).expect_err("no index")
    }

    #[test]
    fn the_file_of_each_tensor_is_known() {
        let text = r#"{"metadata": {"total_size": 5, "deep": [[{}]]}, "weight_map": {
            "model.wte.weight": "a.safetensors", "b\u00e9": "b.safetensors", "wte.weight": "a.safetensors",
            "xwte.weight": "b.safetensors", "b\u00e9": "c.safetensors"}, "more": null}"#;
        let index = parse(text.as_bytes()).unwrap();
        assert_eq!(index.names().len(), 4);
        assert_eq!(index.file("model.wte.weight"), Some("a.safetensors"));
        assert_eq!(index.file("bé"), Some("c.safetensors"));
        assert_eq!(index.file("wte"), None);
        assert!(index.ending("wte.weight").eq(["model.wte.weight", "wte.weight"]));
        assert!(parse(br#"{"weight_map": {}}"#).unwrap().names().is_empty());
    }

    #[test]
    fn what_is_no_index_is_refused() {
        for text in [
            "{}",
            r#"{"weight_map": 5}"#,
            r#"{"weight_map": null}"#,
            r#"{"weight_map": ["a"]}"#,
            r#"{"weight_map": "a"}"#,
        ] {
            assert_eq!(wrong(text), (0, NO_MAP.to_owned()), "{text}");
        }
        for file in ["5", "null", "[]", "{}", "\"\"", "\"../a\"", "\"a/b\"", "\"C:a\"", "\"a\\u0000\"", "\"a\\\\b\""] {
            let (offset, message) = wrong(&format!(r#"{{"weight_map": {{"x": {file}}}}}"#));
            assert!(
                offset == 0 && message.contains("tensor \"x\" is in what is no name of a file"),
                "{file}: {message}"
            );
        }
        for text in [
            "",
            "[",
            "5",
            r#"{"weight_map": {"x": "a""#,
            r#"{"weight_map": {"x": "a"}} x"#,
            "{\"weight_map\": {\"\u{1}\": 1}}",
        ] {
            let (offset, message) = wrong(text);
            assert!(offset <= text.len() as u64 && message.starts_with("no JSON: "), "{text}: {message}");
        }
        assert!(parse(b"{\"weight_map\": {\"\xff\": \"a\"}}").is_err());
    }
}
