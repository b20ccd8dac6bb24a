//! Added tokens: they are found before the model sees a text.

mod search;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::models::Encode;
use super::normal::{Normal, Section};
use super::{NotNative, Room};
use crate::around::{Around, Takes};
use crate::file::limits::Limits;
use search::Search;
use tokenbed_memory::{Gather, List, Set, Text, owned};

/// The added tokens of a file.
#[derive(Default)]
pub(crate) struct Added {
    /// The contents of all tokens, and what normalizing made of some of them.
    text: String,
    /// In the order of their ids.
    all: Vec<Token>,
    /// Start and end of each content in `text` and its id, in the order of the contents.
    ids: Vec<(u32, u32, u32)>,
    plain: Finder,
    normalized: Finder,
}

/// An added token.
struct Token {
    id: u32,
    flags: Flags,
    /// Start and end of its content.
    content: (u32, u32),
    /// The same of the normalized content.
    normal: (u32, u32),
}

/// An added token as the file has it.
pub(crate) struct Written {
    content: String,
    flags: Flags,
}

#[derive(Clone, Copy)]
struct Flags {
    around: Around,
    normalized: bool,
    special: bool,
}

/// Finds added tokens of one kind.
#[derive(Default)]
pub(crate) struct Finder {
    search: Option<Search>,
    /// In the order of the search's patterns.
    tokens: Vec<(u32, Flags)>,
}

/// A part of a text: an added token with the spaces that it takes, or what lies between two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// The id, if it is a token.
    pub(crate) id: Option<u32>,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Added {
    /// Compiles the `added_tokens` of a file. Ids are those that the library gives: the model's, or the next ones.
    pub(crate) fn compile(
        list: Vec<Written>,
        model: &dyn Encode,
        normal: &Normal,
        limits: Limits,
    ) -> Result<Self, NotNative> {
        let mut it = Self::default();
        let (mut ids, mut all) = (BTreeMap::new(), BTreeMap::new());
        let mut next = u32::try_from(model.sizes().0).map_err(|_| NotNative::new("added_tokens: too many"))?;
        for Written { content, flags } in list.into_iter().filter(|token| !token.content.is_empty()) {
            let known = ids.get(&content).map(|&(id, _)| id).or_else(|| model.id_of(&content));
            let id = known.unwrap_or(next);
            next += u32::from(known.is_none());
            let place = match ids.get(&content) {
                Some(&(_, place)) => place,
                None => it.put(&content),
            };
            ids.insert(content, (id, place));
            // Another token may have had the id, if the model's ids have holes.
            all.insert(id, (place, flags));
        }
        it.ids = ids.into_values().map(|(id, (start, end))| (start, end, id)).into_list();
        let (mut plain, mut normalized) = (Vec::new(), Vec::new());
        let mut room = Room::default();
        for (id, (place, flags)) in all {
            let content = owned(it.text_of(place));
            let mut token = Token { id, flags, content: place, normal: place };
            if flags.normalized {
                let budget = limits.budget(content.len());
                let section = Section { budget: &budget, goes_on: false, most: budget.bytes };
                let text = normal.run(&content, &mut room, section);
                let text = text.map_err(|_| NotNative::new("added_tokens: a token that cannot be normalized"))?;
                if text != content {
                    token.normal = it.put(text);
                }
                normalized.put((owned(text), (id, flags)));
            } else {
                plain.put((content, (id, flags)));
            }
            it.all.put(token);
        }
        it.text.trim_to(0);
        it.all.trim_to(0);
        it.plain = Finder::new(plain)?;
        it.normalized = Finder::new(normalized)?;
        Ok(it)
    }

    /// Keeps a text, and returns its place.
    fn put(&mut self, text: &str) -> (u32, u32) {
        let start = self.text.len() as u32;
        self.text.put_str(text);
        (start, self.text.len() as u32)
    }

    fn text_of(&self, (start, end): (u32, u32)) -> &str {
        self.text.get(start as usize..end as usize).unwrap_or_default()
    }

    /// Those that are found in the text as it is.
    pub(crate) fn plain(&self) -> &Finder {
        &self.plain
    }

    /// Those that are found in the normalized text.
    pub(crate) fn normalized(&self) -> &Finder {
        &self.normalized
    }

    /// An added token as decoders see it: its normalized text.
    pub(crate) fn token(&self, id: u32) -> Option<&str> {
        let at = self.all.binary_search_by_key(&id, |token| token.id).ok()?;
        Some(self.text_of(self.all[at].normal))
    }

    /// The id of an added token.
    pub(crate) fn id_of(&self, token: &str) -> Option<u32> {
        let at = self.ids.binary_search_by(|&(start, end, _)| self.text_of((start, end)).cmp(token)).ok()?;
        Some(self.ids[at].2)
    }

    /// All added tokens in the order of their ids: id, text, and whether it is special.
    pub(crate) fn all(&self) -> impl Iterator<Item = (u32, &str, bool)> {
        self.all.iter().map(|token| (token.id, self.text_of(token.content), token.flags.special))
    }

    /// Bytes of memory.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        let of = |finder: &Finder| {
            let search = finder.search.as_ref().map_or(0, Search::memory);
            search + size_of::<(u32, Flags)>() * finder.tokens.capacity()
        };
        let tables = size_of::<Token>() * self.all.capacity() + 12 * self.ids.capacity();
        self.text.capacity() + tables + of(&self.plain) + of(&self.normalized)
    }
}

impl Written {
    /// Reads an entry of `added_tokens`.
    pub(crate) fn read(token: &Value) -> Option<Self> {
        let is = |name: &str| token.get(name)?.as_bool();
        u32::try_from(token.get("id")?.as_u64()?).ok()?;
        let flags = Flags {
            around: Around { single_word: is("single_word")?, lstrip: is("lstrip")?, rstrip: is("rstrip")? },
            normalized: is("normalized")?,
            special: is("special")?,
        };
        Some(Self { content: owned(token.get("content")?.as_str()?), flags })
    }
}

impl Finder {
    fn new(tokens: Vec<(String, (u32, Flags))>) -> Result<Self, NotNative> {
        if tokens.is_empty() {
            return Ok(Self::default());
        }
        let mut seen = HashSet::new();
        for (text, _) in &tokens {
            // Which of two equal ones is found is not defined.
            if text.is_empty() || !Set::put(&mut seen, text.as_str()) {
                return Err(NotNative::new("added_tokens: tokens that normalizing makes equal or empty"));
            }
        }
        let (texts, tokens): (Vec<_>, Vec<_>) = tokens.into_iter().unzip();
        Ok(Self { search: Some(Search::new(&texts)?), tokens })
    }

    /// Whether there are no tokens to find.
    pub(crate) fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Puts the parts of a text into `parts`: they cover all of it, and there are none for an empty text. Special
    /// tokens for which `spared` is true are plain text.
    pub(crate) fn find(&self, text: &str, spared: &dyn Fn(u32) -> bool, parts: &mut Vec<Part>) {
        parts.clear();
        let mut takes = Takes::new(text);
        self.each(text, |pattern, start, end| {
            let Some(&(id, Flags { around, special, .. })) = self.tokens.get(pattern) else { return };
            if special && spared(id) {
                return;
            }
            let Some((done, place)) = takes.take(around, start, end) else { return };
            if done < place.start {
                parts.put(Part { id: None, start: done, end: place.start });
            }
            parts.put(Part { id: Some(id), start: place.start, end: place.end });
        });
        if takes.done() != text.len() {
            parts.put(Part { id: None, start: takes.done(), end: text.len() });
        }
    }

    /// Calls `found` with the number of each token that is in the text, its start and its end.
    #[inline]
    fn each(&self, text: &str, found: impl FnMut(usize, usize, usize)) {
        if let Some(search) = &self.search {
            search.each(text, found);
        }
    }

    /// Number of bytes of the longest token.
    pub(crate) fn longest(&self) -> usize {
        self.search.as_ref().map_or(0, |search| search.longest())
    }

    /// Whether a token takes the spaces before it.
    pub(crate) fn strips_before(&self) -> bool {
        self.tokens.iter().any(|(_, flags)| flags.around.lstrip)
    }

    /// Calls `place(start, end)` for all places where a token may be, whatever stands around it.
    pub(crate) fn each_possible(&self, text: &str, mut place: impl FnMut(usize, usize)) {
        self.each(text, |_, start, end| place(start, end));
    }
}
