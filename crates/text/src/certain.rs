//! Where an unfinished text may be cut, so that both sides have the ids that they have in the whole text.
//!
//! The parts of a file say so, one after the other, while they work on the text that is there. A pattern knows how
//! far its matches are decided, and no cut is made within a match. Normalizers look at single characters, or at
//! characters with the marks that follow them, so a cut must stand before an ASCII character. Added tokens, and spaces
//! that belong to them, are not divided. Of the remaining places any edge of a piece will do, because a model sees one
//! piece at a time; with byte pair encoding also a place within a piece that no token reaches across. Where this cannot
//! be known, no cut is made, and the text is held back.
//!
//! Both engines of files keep their records here. What they look at differs, so each has methods of its own to record.

use unicode_segmentation::UnicodeSegmentation;

use tokenbed_memory::{List, Text};

/// What the parts of a file recorded about a text. Places are byte offsets in the original text.
pub(crate) struct Certain {
    /// Everything before this place is decided.
    limit: usize,
    /// The matches of each pattern, in order.
    found: Vec<Vec<(usize, usize)>>,
    /// Added tokens and possible ones. A cut must not touch them.
    tokens: Vec<(usize, usize)>,
    /// Whether neighbouring characters change each other.
    pub(crate) joins: bool,
    /// Whether an added token takes the spaces before it.
    pub(crate) strips_before_tokens: bool,
    /// Whether spaces are stripped from the end of a text.
    pub(crate) strips_ends: bool,
    /// The character that is put at the front of a piece that lacks it, in its final form.
    front: Option<char>,
    /// Whether pieces were cut by a pattern whose matches are not known. Then the rest of a piece could match
    /// differently, and cuts are made at edges only.
    pub(crate) only_edges: bool,
}

impl Certain {
    pub(crate) fn new(text: &str) -> Self {
        Self {
            limit: text.len(),
            found: Vec::new(),
            tokens: Vec::new(),
            joins: false,
            strips_before_tokens: false,
            strips_ends: false,
            front: None,
            only_edges: false,
        }
    }

    /// The place before which everything is decided.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Records that nothing from `at` on is decided.
    pub(crate) fn limit_to(&mut self, at: usize) {
        self.limit = self.limit.min(at);
    }

    /// Records that nothing is known.
    pub(crate) fn give_up(&mut self) {
        self.limit = 0;
    }

    /// Records that a step puts `front` at the front of a piece that lacks it. A text after a cut must then begin
    /// with it.
    pub(crate) fn adds(&mut self, front: char) {
        // Two such steps would hide each other's characters.
        if self.front.is_some() {
            self.give_up();
        }
        self.front = Some(front);
    }

    /// Records that there may be a token.
    pub(crate) fn token(&mut self, start: usize, end: usize) {
        self.tokens.put((start, end));
    }

    /// Makes room for the matches of `count` patterns more, and returns the number of the first.
    pub(crate) fn begin_patterns(&mut self, count: usize) -> usize {
        let first = self.found.len();
        self.found.put_all((0..count).map(|_| Vec::new()));
        first
    }

    /// Records the matches of pattern `number`.
    pub(crate) fn found(&mut self, number: usize, found: impl Iterator<Item = (usize, usize)>) {
        if let Some(list) = self.found.get_mut(number) {
            list.put_all(found);
        }
    }

    /// Call this when everything is recorded. It prepares the tokens for look-ups: each one's end becomes the largest
    /// end so far.
    pub(crate) fn finish(&mut self) {
        self.tokens.sort_unstable();
        let mut end = 0;
        for token in &mut self.tokens {
            end = end.max(token.1);
            token.1 = end;
        }
        self.found.iter_mut().for_each(|list| list.sort_unstable());
    }

    /// Whether the text may be cut at `at`, where a piece begins with `front`.
    pub(crate) fn allows(&self, text: &str, at: usize, front: Option<char>) -> bool {
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
