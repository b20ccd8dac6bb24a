//! Finds added tokens in a text before anything else looks at it, in time that is linear in the text.
//!
//! The tokens found are those that the library finds. The library searches the whole text before each token for
//! spaces, and panics if the spaces of two tokens overlap; this does neither.

use std::cell::{Cell, RefCell};

use aho_corasick::{AhoCorasick, MatchKind};
use tokenbed_memory::{Gather, List};
use tokenizers::normalizer::Range;
use tokenizers::{AddedToken, AddedVocabulary, NormalizedString, PreTokenizedString, Token};

use super::limits::{Budget, Limits};
use super::normal::Normal;
use crate::around::{Around, Takes};
use crate::certain::Certain;

/// The added tokens of a file.
pub(super) struct Added {
    /// Those that are found in the text as it is.
    plain: Finder,
    /// Those that are found in the normalized text.
    normalized: Finder,
}

#[derive(Default)]
struct Finder {
    search: Option<AhoCorasick>,
    tokens: Vec<(u32, AddedToken)>,
}

/// Settings of a pass over a text.
#[derive(Clone, Copy)]
pub(super) struct Look<'a> {
    pub(super) budget: &'a Budget,
    /// Whether the text continues one that was cut before it, so that what stands at the front of a text is not
    /// added.
    pub(super) goes_on: bool,
    /// Collects where the text may be cut, if that is wanted.
    pub(super) certain: Option<&'a RefCell<Certain>>,
}

/// A part of a text, with its tokens if it is an added token.
type Part = (NormalizedString, Option<Vec<Token>>);

impl Added {
    pub(super) fn new(vocabulary: &AddedVocabulary, normal: &Normal, limits: Limits) -> Result<Self, String> {
        let mut tokens: Vec<_> = vocabulary.get_added_tokens_decoder().iter().into_list();
        tokens.sort_unstable_by_key(|&(&id, _)| id);
        let (mut plain, mut normalized) = (Vec::new(), Vec::new());
        for (&id, token) in tokens {
            if token.normalized {
                let mut text = NormalizedString::from(token.content.as_str());
                let budget = limits.budget(token.content.len());
                let look = Look { budget: &budget, goes_on: false, certain: None };
                normal.run(&mut text, &Cell::new(0), look)?;
                normalized.put((text.get().to_owned(), (id, token.clone())));
            } else {
                plain.put((token.content.clone(), (id, token.clone())));
            }
        }
        Ok(Self { plain: Finder::new(plain)?, normalized: Finder::new(normalized)? })
    }

    /// Cuts a text at the added tokens, and normalizes what lies between them. Special tokens for which `spared` is
    /// true are plain text.
    pub(super) fn extract(
        &self,
        text: &str,
        normal: &Normal,
        spared: &dyn Fn(u32) -> bool,
        look: Look<'_>,
    ) -> tokenizers::Result<PreTokenizedString> {
        let mut pieces = PreTokenizedString::from(text);
        pieces.split(|_, part| self.plain.cut(part, spared, look))?;
        let made = Cell::new(0);
        normal.begin(look);
        pieces.split(|_, mut part| {
            normal.run(&mut part, &made, look)?;
            self.normalized.cut(part, spared, look)
        })?;
        Ok(pieces)
    }
}

impl Finder {
    fn new(mut tokens: Vec<(String, (u32, AddedToken))>) -> Result<Self, String> {
        // A token that is empty after normalizing is never found.
        tokens.retain(|(text, _)| !text.is_empty());
        if tokens.is_empty() {
            return Ok(Self::default());
        }
        let (texts, tokens): (Vec<_>, Vec<_>) = tokens.into_iter().unzip();
        let search = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(texts);
        Ok(Self { search: Some(search.map_err(|error| error.to_string())?), tokens })
    }

    fn cut(
        &self,
        text: NormalizedString,
        spared: &dyn Fn(u32) -> bool,
        look: Look<'_>,
    ) -> tokenizers::Result<Vec<Part>> {
        let found = self.find(text.get(), spared);
        if let Some(certain) = look.certain {
            self.learn(&text, &found, &mut certain.borrow_mut());
        }
        if let [(None, _)] | [] = found.as_slice() {
            // What the normalizer removed at the front and the end belongs to no part. The pre-tokenizer asks where a
            // part begins, so it must be the same here.
            let all = text.convert_offsets(Range::Normalized(0..text.len()));
            let is_whole = text.is_empty() || all == Some(0..text.len_original());
            let part = if is_whole { text } else { part(&text, None, (0, text.len()))?.0 };
            return Ok(Vec::from([(part, None)]));
        }
        found.into_iter().map(|(id, place)| part(&text, id, place)).try_into_list()
    }

    /// Records what the tokens mean for cuts: all that may be there, whatever stands around them.
    fn learn(&self, text: &NormalizedString, found: &[(Option<u32>, (usize, usize))], certain: &mut Certain) {
        let Some(search) = &self.search else { return };
        // A token may have begun at the end of the text, and it may depend on the character after it.
        certain.hold_back(text, search.max_pattern_len() + char::MAX.len_utf8());
        certain.strips_before_tokens |= self.tokens.iter().any(|(_, token)| token.lstrip);
        let tokens = found.iter().filter(|(id, _)| id.is_some()).map(|&(_, place)| place);
        let may_be = search.find_iter(text.get()).map(|found| (found.start(), found.end()));
        tokens.chain(may_be).for_each(|(start, end)| certain.token_in(text, start, end));
    }

    /// The tokens, with the spaces that they take, and the parts between them.
    fn find(&self, text: &str, spared: &dyn Fn(u32) -> bool) -> Vec<(Option<u32>, (usize, usize))> {
        let Some(search) = &self.search else { return Vec::new() };
        let mut parts = Vec::new();
        let mut takes = Takes::new(text);
        for found in search.find_iter(text) {
            let (id, token) = &self.tokens[found.pattern().as_usize()];
            if token.special && spared(*id) {
                continue;
            }
            let AddedToken { single_word, lstrip, rstrip, .. } = *token;
            let around = Around { single_word, lstrip, rstrip };
            let Some((done, place)) = takes.take(around, found.start(), found.end()) else { continue };
            if done < place.start {
                parts.put((None, (done, place.start)));
            }
            parts.put((Some(*id), (place.start, place.end)));
        }
        if takes.done() != text.len() {
            parts.put((None, (takes.done(), text.len())));
        }
        parts
    }
}

fn part(text: &NormalizedString, id: Option<u32>, (start, end): (usize, usize)) -> tokenizers::Result<Part> {
    let part = text.slice(Range::Normalized(start..end)).ok_or("a part of the text lies outside of it")?;
    let token = id.map(|id| Vec::from([Token::new(id, part.get().to_owned(), (0, part.len()))]));
    Ok((part, token))
}
