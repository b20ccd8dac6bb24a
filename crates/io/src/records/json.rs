//! The text and the id in a line of JSON Lines. Other fields are passed over without being kept.

use super::{Id, Settings};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use tokenbed_memory::owned;

/// The id and the text of an object, or why it has no text.
pub(super) fn fields<'a>(line: &'a str, settings: &Settings) -> (Option<Id>, Result<Cow<'a, str>, String>) {
    let mut json = serde_json::Deserializer::from_str(line);
    let found = Fields::<Value<'_>>::of(settings).deserialize(&mut json).and_then(|found| json.end().map(|()| found));
    let Ok((id, text)) = found else {
        let (id, text) = fields_of_raw(line, settings);
        return (id, text.map(Cow::Owned));
    };
    let id = match id {
        Some(Value::Text(id)) => Some(Id::Text(owned_text(id))),
        Some(Value::Number(id)) => Some(Id::Number(id)),
        Some(Value::Other(_)) | None => None,
    };
    let text = match text {
        Some(Value::Text(text)) => Ok(text),
        Some(Value::Number(_)) => Err(no_string(&settings.field, "a number")),
        Some(Value::Other(kind)) => Err(no_string(&settings.field, kind)),
        None => Err(no_field(&settings.field)),
    };
    (id, text)
}

/// The same for a line of which something cannot be read, which may be what nobody asks for. Values are first found and
/// then read, each by itself.
#[cold]
pub(super) fn fields_of_raw(line: &str, settings: &Settings) -> (Option<Id>, Result<String, String>) {
    let mut json = serde_json::Deserializer::from_str(line);
    let found = Fields::<&RawValue>::of(settings).deserialize(&mut json).and_then(|found| json.end().map(|()| found));
    let (id, text) = match found {
        Ok(found) => found,
        Err(error) => return (None, Err(format!("it is not a JSON object: {error}"))),
    };
    let id = id.and_then(|raw| id_of(raw.get()));
    let field = &settings.field;
    let text = match text {
        None => Err(no_field(field)),
        Some(raw) => serde_json::from_str::<String>(raw.get()).map_err(|error| {
            if raw.get().starts_with('"') {
                format!("its field \"{field}\" is not valid Unicode: {error}")
            } else {
                no_string(field, kind(raw.get()))
            }
        }),
    };
    (id, text)
}

fn owned_text(text: Cow<'_, str>) -> String {
    match text {
        Cow::Borrowed(text) => owned(text),
        Cow::Owned(text) => text,
    }
}

fn no_field(field: &str) -> String {
    format!("it has no field \"{field}\"")
}

fn no_string(field: &str, kind: &str) -> String {
    format!("its field \"{field}\" is {kind}, and not a string")
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

/// Finds the values of the two fields, as `V`.
struct Fields<'a, V> {
    settings: &'a Settings,
    values: PhantomData<V>,
}

impl<'a, V> Fields<'a, V> {
    fn of(settings: &'a Settings) -> Self {
        Self { settings, values: PhantomData }
    }
}

/// The id and the text.
type Found<V> = (Option<V>, Option<V>);

impl<'de, V: Deserialize<'de> + Clone> DeserializeSeed<'de> for Fields<'_, V> {
    type Value = Found<V>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, V: Deserialize<'de> + Clone> Visitor<'de> for Fields<'_, V> {
    type Value = Found<V>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    /// Of fields with the same name the last counts, as for `JSON.parse`.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut id, mut text) = (None, None);
        while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
            if key == self.settings.field.as_str() {
                text = Some(map.next_value()?);
            } else if key == self.settings.id.as_str() {
                id = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        let is_one = self.settings.field == self.settings.id;
        Ok((if is_one { text.clone() } else { id }, text))
    }
}

/// A key, which is copied only if it has escapes.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// A value that is read at once. A string is copied only if it has escapes.
#[derive(Clone)]
enum Value<'a> {
    Text(Cow<'a, str>),
    Number(f64),
    /// What else it is.
    Other(&'static str),
}

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Values)
    }
}

struct Values;

impl<'de> Visitor<'de> for Values {
    type Value = Value<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(owned(text))))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Value::Other("a boolean"))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Other("null"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        IgnoredAny.visit_seq(seq).map(|_| Value::Other("an array"))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        IgnoredAny.visit_map(map).map(|_| Value::Other("an object"))
    }
}
