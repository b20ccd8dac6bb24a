//! Finds where an unfinished text may be cut, so that both sides have the ids that they have in the whole text.
//!
//! The parts of a file say so, one after the other, while they work on the text that is there. A pattern knows how
//! far its matches are decided, and no cut is made within a match. Normalizers look at single characters, or at
//! characters with the marks that follow them, so a cut must stand before an ASCII character. Added tokens, and spaces
//! that belong to them, are not divided. Of the remaining places any edge of a piece will do, because a model sees one
//! piece at a time; with byte pair encoding also a place within a piece that no token reaches across. Where this cannot
//! be known, no cut is made, and the text is held back.

use unicode_segmentation::UnicodeSegmentation;

use super::added::Finder;
use super::pattern::Pattern;
use crate::offsets::Place;
use tokenbed_memory::{List, Text};

/// What the parts of a file recorded about a text. Places are byte offsets in the original text.
pub(super) struct Certain {
    /// Everything before this place is decided.
    limit: usize,
    /// The matches of each pattern, in order.
    found: Vec<Vec<(usize, usize)>>,
    /// Added tokens and possible ones. A cut must not touch them.
    tokens: Vec<(usize, usize)>,
    /// Whether neighbouring characters change each other.
    pub(super) joins: bool,
    /// Whether an added token takes the spaces before it.
    strips_before_tokens: bool,
    /// Whether spaces are stripped from the end of a text.
    pub(super) strips_ends: bool,
    /// The character that is put at the front of a piece that lacks it, in its final form.
    front: Option<char>,
}

/// A part of a text in its current form.
#[derive(Clone, Copy)]
pub(super) struct Portion<'a> {
    pub(super) text: &'a str,
    /// The places of its bytes in the original text.
    pub(super) places: &'a [Place],
    /// Start and end in the original text.
    pub(super) start: usize,
    pub(super) end: usize,
}

impl<'a> Portion<'a> {
    /// A piece, which begins with its first byte's place and ends with its last byte's.
    pub(super) fn piece(text: &'a str, places: &'a [Place]) -> Self {
        let start = places.first().map_or(0, |place| place.0 as usize);
        let end = places.last().map_or(start, |place| place.1 as usize);
        Self { text, places, start, end }
    }

    /// Place in the original text of a position: the beginning of the character there.
    pub(super) fn place_of(&self, at: usize) -> usize {
        self.places.get(at).map_or(self.end, |place| place.0 as usize)
    }

    /// Place in the original text where the character before a position ends. Characters that were removed between
    /// the two belong to neither.
    fn before(&self, at: usize) -> usize {
        let Some(last) = at.checked_sub(1).and_then(|last| self.places.get(last)) else { return self.start };
        self.place_of(at).min(last.1 as usize)
    }
}

impl Certain {
    pub(super) fn new(text: &str) -> Self {
        Self {
            limit: text.len(),
            found: Vec::new(),
            tokens: Vec::new(),
            joins: false,
            strips_before_tokens: false,
            strips_ends: false,
            front: None,
        }
    }

    /// Records that nothing is known.
    pub(super) fn give_up(&mut self) {
        self.limit = 0;
    }

    /// Records that a step puts `front` at the front of a piece that lacks it. A text after a cut must then begin
    /// with it.
    pub(super) fn adds(&mut self, front: char) {
        // Two such steps would hide each other's characters.
        if self.front.is_some() {
            self.give_up();
        }
        self.front = Some(front);
    }

    /// Records what added tokens mean for cuts: all that may be there, whatever stands around them.
    pub(super) fn learn_tokens(
        &mut self,
        finder: &Finder,
        portion: Portion<'_>,
        found: impl Iterator<Item = (usize, usize)>,
    ) {
        if finder.is_empty() {
            return;
        }
        // A token may have begun at the end of the text, and it may depend on the character after it.
        if let Some(known) = self.known(portion) {
            self.limit_within(portion, known.saturating_sub(finder.longest() + char::MAX.len_utf8()));
        }
        self.strips_before_tokens |= finder.strips_before();
        let tokens = &mut self.tokens;
        let mut put = |start, end| tokens.put((portion.before(start), portion.place_of(end)));
        found.for_each(|(start, end)| put(start, end));
        finder.each_possible(portion.text, put);
    }

    /// Makes room for the matches of `count` patterns more, and returns the number of the first.
    pub(super) fn begin_patterns(&mut self, count: usize) -> usize {
        let first = self.found.len();
        self.found.put_all((0..count).map(|_| Vec::new()));
        first
    }

    /// Records the matches of pattern `number` in a portion of the text.
    pub(super) fn matches(&mut self, portion: Portion<'_>, number: usize, found: impl Iterator<Item = (usize, usize)>) {
        if let Some(list) = self.found.get_mut(number) {
            list.put_all(found.map(|(start, end)| (portion.before(start), portion.place_of(end))));
        }
    }

    /// Records how far the matches of a pattern in a portion are decided.
    pub(super) fn decide(&mut self, portion: Portion<'_>, pattern: &Pattern) {
        let known = self.known(portion);
        // The known end is never within a character.
        let text = portion.text.get(..known.unwrap_or(0)).unwrap_or_default();
        match (pattern.decided(text), known) {
            // The pattern depends on the text before a match, so no text can continue after a cut.
            (None, _) => self.give_up(),
            (Some(decided), Some(_)) => self.limit_within(portion, decided),
            (Some(_), None) => {}
        }
    }

    /// Number of decided bytes of a portion; `None` if all or none of it is decided.
    fn known(&self, portion: Portion<'_>) -> Option<usize> {
        if portion.end < self.limit || portion.start >= self.limit {
            return None;
        }
        if self.limit == portion.end {
            return Some(portion.text.len());
        }
        Some(portion.places.iter().take_while(|place| place.1 as usize <= self.limit).count())
    }

    fn limit_within(&mut self, portion: Portion<'_>, decided: usize) {
        let decided = decided.min(portion.text.len());
        let decided = (0..=decided).rev().find(|&at| portion.text.is_char_boundary(at)).unwrap_or(0);
        self.limit = self.limit.min(portion.before(decided));
    }

    /// Call this when everything is recorded. It prepares the tokens for look-ups: each one's end becomes the largest
    /// end so far.
    pub(super) fn finish(&mut self) {
        self.tokens.sort_unstable();
        let mut end = 0;
        for token in &mut self.tokens {
            end = end.max(token.1);
            token.1 = end;
        }
        self.found.iter_mut().for_each(|list| list.sort_unstable());
    }

    /// The place before which everything is decided.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Whether the text may be cut at `at`, where a piece begins with `front`.
    pub(super) fn allows(&self, text: &str, at: usize, front: Option<char>) -> bool {
        if at == 0 || at >= self.limit || !text.is_char_boundary(at) {
            return false;
        }
        let (Some(before), Some(after)) = (text[..at].chars().next_back(), text[at..].chars().next()) else {
            return false;
        };
        let are_joined = || {
            let mut pair = String::new();
            pair.put_char(before);
            pair.put_char(after);
            !after.is_ascii() || pair.graphemes(true).count() < 2
        };
        let are_spaces = before.is_whitespace() && after.is_whitespace();
        let touched = self.tokens.partition_point(|&(start, _)| start <= at).checked_sub(1);
        (self.front.is_none() || self.front == front)
            && (!self.strips_before_tokens || !are_spaces)
            && (!self.strips_ends || before.is_ascii_graphic())
            && (!self.joins || !are_joined())
            && touched.is_none_or(|token| self.tokens[token].1 < at)
            && self.found.iter().all(|list| {
                let last = list.partition_point(|&(start, _)| start < at).checked_sub(1);
                last.is_none_or(|last| list[last].1 <= at)
            })
    }
}
