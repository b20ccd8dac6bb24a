//! Strings whose growth can fail.

use crate::no_room_for;
use std::borrow::Cow;

/// A copy of the text.
#[inline]
pub fn owned(text: &str) -> String {
    let mut copy = String::new();
    copy.put_str(text);
    copy
}

/// All parts, joined without a separator.
pub fn joined<T: AsRef<str>>(parts: &[T]) -> String {
    let mut all = String::new();
    Text::make_room(&mut all, parts.iter().map(|part| part.as_ref().len()).sum());
    parts.iter().for_each(|part| all.put_str(part.as_ref()));
    all
}

/// The bytes as text, with a replacement character for each invalid sequence, like `String::from_utf8_lossy`.
pub fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.put_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.put_char(char::REPLACEMENT_CHARACTER);
        }
    }
    Cow::Owned(text)
}

/// Like [`lossy`], but valid bytes become the text without being copied.
pub fn lossy_owned(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| match lossy(error.as_bytes()) {
        Cow::Borrowed(text) => owned(text),
        Cow::Owned(text) => text,
    })
}

/// Methods that a string has here beside those of the standard library.
pub trait Text {
    /// Makes room for `more` bytes, growing in proportion to the length.
    fn make_room(&mut self, more: usize);
    /// Appends text.
    fn put_str(&mut self, text: &str);
    /// Appends a character.
    fn put_char(&mut self, char: char);
    /// Gives back room beyond `count` bytes, if there is memory for the copy that this takes.
    fn trim_to(&mut self, count: usize);
}

impl Text for String {
    #[inline]
    fn make_room(&mut self, more: usize) {
        if more > self.capacity() - self.len() {
            grow(self, more);
        }
    }

    #[inline]
    fn put_str(&mut self, text: &str) {
        Text::make_room(self, text.len());
        self.push_str(text);
    }

    #[inline]
    fn put_char(&mut self, char: char) {
        Text::make_room(self, char.len_utf8());
        self.push(char);
    }

    fn trim_to(&mut self, count: usize) {
        let room = count.max(self.len());
        let mut trimmed = String::new();
        if self.capacity() > room && trimmed.try_reserve_exact(room).is_ok() {
            trimmed.push_str(self);
            *self = trimmed;
        }
    }
}

#[cold]
#[inline(never)]
fn grow(text: &mut String, more: usize) {
    if text.try_reserve(more).is_err() {
        no_room_for::<u8>(text.len().saturating_add(more));
    }
}
