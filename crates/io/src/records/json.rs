//! The text and the id in a line of JSON Lines. Other fields are passed over without being kept.

use super::{Id, Settings};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The id and the text of an object, or why it has no text.
pub(super) fn fields(line: &str, settings: &Settings) -> (Option<Id>, Result<String, String>) {
    let mut json = serde_json::Deserializer::from_str(line);
    let found = Fields(settings).deserialize(&mut json).and_then(|found| json.end().map(|()| found));
    let (id, text) = match found {
        Ok(found) => found,
        Err(error) => return (None, Err(format!("it is not a JSON object: {error}"))),
    };
    let id = id.and_then(|raw| id_of(raw.get()));
    let field = &settings.field;
    let text = match text {
        None => Err(format!("it has no field \"{field}\"")),
        Some(raw) => serde_json::from_str::<String>(raw.get()).map_err(|error| {
            if raw.get().starts_with('"') {
                format!("its field \"{field}\" is not valid Unicode: {error}")
            } else {
                format!("its field \"{field}\" is {}, and not a string", kind(raw.get()))
            }
        }),
    };
    (id, text)
}

/// An id is a string or a number; other values are no ids.
fn id_of(raw: &str) -> Option<Id> {
    if raw.starts_with('"') {
        return serde_json::from_str(raw).ok().map(Id::Text);
    }
    serde_json::from_str(raw).ok().map(Id::Number)
}

/// What a JSON value is.
fn kind(raw: &str) -> &'static str {
    match raw.as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

struct Fields<'a>(&'a Settings);

type Found<'de> = (Option<&'de RawValue>, Option<&'de RawValue>);

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = Found<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = Found<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    /// Of fields with the same name the last counts, as for `JSON.parse`.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut id, mut text) = (None, None);
        while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
            let (is_text, is_id) = (key == self.0.field.as_str(), key == self.0.id.as_str());
            if !is_text && !is_id {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = map.next_value::<&'de RawValue>()?;
            text = if is_text { Some(value) } else { text };
            id = if is_id { Some(value) } else { id };
        }
        Ok((id, text))
    }
}

/// A key, which is copied only if it has escapes.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);
