//! What the parts of a compiled file record about an unfinished text: where it may be cut.

use super::added::Finder;
use super::pattern::Pattern;
use crate::certain::Certain;
use crate::offsets::Place;

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
        let mut put = |start, end| self.token(portion.before(start), portion.place_of(end));
        found.for_each(|(start, end)| put(start, end));
        finder.each_possible(portion.text, put);
    }

    /// Records the matches of pattern `number` in a portion of the text.
    pub(super) fn matches(&mut self, portion: Portion<'_>, number: usize, found: impl Iterator<Item = (usize, usize)>) {
        self.found(number, found.map(|(start, end)| (portion.before(start), portion.place_of(end))));
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
        if portion.end < self.limit() || portion.start >= self.limit() {
            return None;
        }
        if self.limit() == portion.end {
            return Some(portion.text.len());
        }
        Some(portion.places.iter().take_while(|place| place.1 as usize <= self.limit()).count())
    }

    fn limit_within(&mut self, portion: Portion<'_>, decided: usize) {
        let decided = decided.min(portion.text.len());
        let decided = (0..=decided).rev().find(|&at| portion.text.is_char_boundary(at)).unwrap_or(0);
        self.limit_to(portion.before(decided));
    }
}
