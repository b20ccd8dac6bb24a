//! Added tokens: they are found before the model sees a text.

mod search;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};

use regex_syntax::is_word_character;
use serde_json::Value;

use super::models::Encode;
use super::normal::{Normal, Section};
use super::{NotNative, Room};
use crate::file::limits::Limits;
use search::Search;
use tokenbed_memory::{List, Map, Set, owned};

/// The added tokens of a file.
pub(crate) struct Added {
    /// By id.
    all: BTreeMap<u32, Token>,
    /// Ids by content.
    ids: HashMap<String, u32>,
    plain: Finder,
    normalized: Finder,
}

/// An added token.
#[derive(Clone)]
struct Token {
    content: String,
    single_word: bool,
    lstrip: bool,
    rstrip: bool,
    normalized: bool,
    special: bool,
    /// The normalized content, if it is different.
    changed: Option<String>,
}

/// Finds added tokens of one kind.
#[derive(Default)]
pub(crate) struct Finder {
    search: Option<Search>,
    /// Id and token, in the order of the search's patterns.
    tokens: Vec<(u32, Token)>,
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
        list: &Value,
        model: &dyn Encode,
        normal: &Normal,
        limits: Limits,
    ) -> Result<Self, NotNative> {
        let mut it =
            Self { all: BTreeMap::new(), ids: HashMap::new(), plain: Finder::default(), normalized: Finder::default() };
        let tokens = match list {
            Value::Null => return Ok(it),
            Value::Array(tokens) => tokens,
            _ => return Err(NotNative::new("added_tokens")),
        };
        let mut next = u32::try_from(model.sizes().0).map_err(|_| NotNative::new("added_tokens: too many"))?;
        for token in tokens {
            let token = Token::read(token).ok_or_else(|| NotNative::new("added_tokens"))?;
            if token.content.is_empty() {
                continue;
            }
            let known = it.ids.get(&token.content).copied().or_else(|| model.id_of(&token.content));
            let id = known.unwrap_or(next);
            next += u32::from(known.is_none());
            Map::put(&mut it.ids, owned(&token.content), id);
            // Another token may have had the id, if the model's ids have holes.
            it.all.insert(id, token);
        }
        let (mut plain, mut normalized) = (Vec::new(), Vec::new());
        let mut room = Room::default();
        for (&id, token) in &mut it.all {
            if !token.normalized {
                plain.put((owned(&token.content), (id, token.clone())));
                continue;
            }
            let budget = limits.budget(token.content.len());
            let section = Section { budget: &budget, goes_on: false, most: budget.bytes };
            let text = normal.run(&token.content, &mut room, section);
            let text = text.map_err(|_| NotNative::new("added_tokens: a token that cannot be normalized"))?;
            let text = owned(text);
            if text != token.content {
                token.changed = Some(owned(&text));
            }
            normalized.put((text, (id, token.clone())));
        }
        it.plain = Finder::new(plain)?;
        it.normalized = Finder::new(normalized)?;
        Ok(it)
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
        self.all.get(&id).map(|token| token.changed.as_ref().unwrap_or(&token.content).as_str())
    }

    /// The id of an added token.
    pub(crate) fn id_of(&self, token: &str) -> Option<u32> {
        self.ids.get(token).copied()
    }

    /// All added tokens in the order of their ids: id, text, and whether it is special.
    pub(crate) fn all(&self) -> impl Iterator<Item = (u32, &str, bool)> {
        self.all.iter().map(|(&id, token)| (id, token.content.as_str(), token.special))
    }
}

impl Token {
    fn read(token: &Value) -> Option<Self> {
        let is = |name: &str| token.get(name)?.as_bool();
        u32::try_from(token.get("id")?.as_u64()?).ok()?;
        Some(Self {
            content: token.get("content")?.as_str()?.to_owned(),
            single_word: is("single_word")?,
            lstrip: is("lstrip")?,
            rstrip: is("rstrip")?,
            normalized: is("normalized")?,
            special: is("special")?,
            changed: None,
        })
    }
}

impl Finder {
    fn new(tokens: Vec<(String, (u32, Token))>) -> Result<Self, NotNative> {
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
        let mut done = 0;
        // The last run of spaces that was searched.
        let mut run = 0..0;
        self.each(text, |pattern, mut start, mut end| {
            let Some((id, token)) = self.tokens.get(pattern) else { return };
            if token.special && spared(*id) {
                return;
            }
            if token.single_word && (ends_with_word(&text[..start]) || begins_with_word(&text[end..])) {
                return;
            }
            if token.lstrip {
                let from = done.min(start);
                start = (from + text[from..start].trim_end().len()).max(done);
            }
            if token.rstrip {
                if !run.contains(&end) {
                    run = end..text.len() - text[end..].trim_start().len();
                }
                end = run.end.max(end);
            }
            // A token that another one took with its spaces is skipped.
            if start >= end {
                return;
            }
            if done < start {
                parts.put(Part { id: None, start: done, end: start });
            }
            parts.put(Part { id: Some(*id), start, end });
            done = end;
        });
        if done != text.len() {
            parts.put(Part { id: None, start: done, end: text.len() });
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
        self.tokens.iter().any(|(_, token)| token.lstrip)
    }

    /// Calls `place(start, end)` for all places where a token may be, whatever stands around it.
    pub(crate) fn each_possible(&self, text: &str, mut place: impl FnMut(usize, usize)) {
        self.each(text, |_, start, end| place(start, end));
    }
}

fn ends_with_word(text: &str) -> bool {
    text.chars().next_back().is_some_and(is_word_character)
}

fn begins_with_word(text: &str) -> bool {
    text.chars().next().is_some_and(is_word_character)
}
