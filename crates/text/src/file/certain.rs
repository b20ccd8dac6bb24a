//! Where a text that is yet to go on may be cut, so that both sides have the ids that they have in the whole.
//!
//! The parts of a file say so, one after the other, while they work on what is there of the text. A pattern knows up to
//! where its matches are decided (`outlook`), and no cut is made within one. Normalizers treat characters alone, or together
//! with marks that follow them: a cut stands before an ASCII character. Added tokens, and spaces that belong to them, are not
//! divided. Of what is left any edge of a piece will do, as a model knows one piece at a time; and of byte pair encoding a
//! place within a piece that no token reaches over. What cannot be known is no place for a cut: then the text is held.

use std::collections::HashSet;

use tokenizers::models::bpe::BPE;
use tokenizers::normalizer::Range;
use tokenizers::{NormalizedString, OffsetReferential, OffsetType, PreTokenizedString};
use unicode_segmentation::UnicodeSegmentation;

use super::pattern::Expression;
use tokenbed_memory::{List, Set};

/// What the parts of a file said of a text. Places are bytes of the text as it was given.
pub(super) struct Certain {
    /// Up to where everything is decided.
    limit: usize,
    /// What patterns found: a list for each of them, in order.
    found: Vec<Vec<(usize, usize)>>,
    /// Added tokens, or what may be some; a cut does not touch them.
    tokens: Vec<(usize, usize)>,
    /// Whether characters next to each other change each other.
    pub(super) joins: bool,
    /// Whether spaces before an added token go with it.
    pub(super) strips_before_tokens: bool,
    /// Whether spaces are taken from the end of a text.
    pub(super) strips_ends: bool,
    /// What a piece gets at its front, if it has none: as it is in the end.
    front: Option<char>,
    /// Whether a pattern cut the pieces whose matches are not known: what would be left of one may be another.
    pub(super) only_edges: bool,
}

/// A place for a cut.
#[derive(Clone, Copy)]
pub(super) struct Cut {
    /// In the text.
    pub(super) at: usize,
    /// Pieces that lie before it as a whole.
    pub(super) pieces: usize,
    /// Bytes of the next piece that do, too.
    pub(super) bytes: usize,
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
            only_edges: false,
        }
    }

    /// Nothing is known.
    pub(super) fn give_up(&mut self) {
        self.limit = 0;
    }

    /// A step puts this at the front of a piece that has none: what goes on must have one.
    pub(super) fn adds(&mut self, front: char) {
        // What one puts there hides what another would.
        if self.front.is_some() {
            self.give_up();
        }
        self.front = Some(front);
    }

    /// So many bytes at the end of a part, as it is by now, are not decided.
    pub(super) fn hold_back(&mut self, part: &NormalizedString, bytes: usize) {
        if let Some(known) = self.known(part) {
            self.limit_within(part, known.saturating_sub(bytes));
        }
    }

    /// A token may stand in a part.
    pub(super) fn token(&mut self, part: &NormalizedString, start: usize, end: usize) {
        self.tokens.put((before(part, start), place_of(part, end)));
    }

    /// Another pattern looks at the text: its number.
    pub(super) fn begin_pattern(&mut self) -> usize {
        self.found.put(Vec::new());
        self.found.len() - 1
    }

    /// What a pattern, of which so many began before it, finds in a part.
    pub(super) fn pattern(
        &mut self,
        part: &NormalizedString,
        pattern: &Expression,
        number: usize,
        found: &[(usize, usize)],
    ) {
        let known = self.known(part);
        // Where it is decided that it ends is never within a character.
        let text = part.get().get(..known.unwrap_or(0)).unwrap_or_default();
        match (pattern.decided(text), known) {
            // What stands before a place matters to it: nothing goes on elsewhere.
            (None, _) => self.give_up(),
            (Some(decided), Some(_)) => self.limit_within(part, decided),
            (Some(_), None) => {}
        }
        if let Some(list) = self.found.get_mut(number) {
            list.put_all(found.iter().map(|&(start, end)| (before(part, start), place_of(part, end))));
        }
    }

    /// How much of a part is decided, if not all of it is, and any of it.
    fn known(&self, part: &NormalizedString) -> Option<usize> {
        let (start, end) = part.offsets_original();
        if end < self.limit || start >= self.limit {
            return None;
        }
        if self.limit == end {
            return Some(part.len());
        }
        Some(part.convert_offsets(Range::Original(0..self.limit - start)).map_or(0, |known| known.end))
    }

    fn limit_within(&mut self, part: &NormalizedString, decided: usize) {
        let decided = (0..=decided.min(part.len())).rev().find(|&at| part.get().is_char_boundary(at)).unwrap_or(0);
        self.limit = self.limit.min(before(part, decided));
    }

    /// All was said: makes tokens ready to be looked up, each reaching as far as any before it.
    pub(super) fn finish(&mut self) {
        self.tokens.sort_unstable();
        let mut end = 0;
        for token in &mut self.tokens {
            end = end.max(token.1);
            token.1 = end;
        }
    }

    /// The last place for a cut at the edges of pieces.
    pub(super) fn edge(&self, text: &str, pieces: &PreTokenizedString) -> Option<Cut> {
        let all = pieces.get_splits(OffsetReferential::Original, OffsetType::Byte);
        let mut next: Option<(usize, &str)> = None;
        for (before, (piece, (start, end), tokens)) in all.into_iter().enumerate().rev() {
            // An added token does not say where it stands; a cut touches none.
            if tokens.is_some() {
                next = None;
                continue;
            }
            // An edge within what one character became is none.
            if let Some((after, text_after)) = next.filter(|&(after, _)| end <= after) {
                let cut = |at| Cut { at, pieces: before + 1, bytes: 0 };
                if self.allows(text, after, text_after.chars().next()) {
                    return Some(cut(after));
                }
                if after != end && self.allows(text, end, None) {
                    return Some(cut(end));
                }
            }
            next = Some((start, piece));
        }
        None
    }

    /// The last place for a cut within a piece: between characters that no token of the model has next to each other.
    pub(super) fn within(&self, text: &str, pieces: &mut PreTokenizedString, pairs: &Pairs) -> Option<Cut> {
        if self.only_edges {
            return None;
        }
        let mut cut = None;
        let look = |number: usize, piece: &NormalizedString| {
            let mut chars = piece.get().char_indices().rev();
            let (mut at, mut after) = chars.next()?;
            for (before_at, before) in chars {
                let place = place_of(piece, at);
                if pairs.keep_apart(before, after)
                    && place_of(piece, before_at) < place
                    && self.allows(text, place, Some(after))
                {
                    return Some(Cut { at: place, pieces: number, bytes: at });
                }
                (at, after) = (before_at, before);
            }
            None
        };
        // Nothing is split: this is the way to the pieces. It cannot fail.
        let _ = pieces.split(|number, piece| {
            if piece.offsets_original().0 < self.limit {
                cut = look(number, &piece).or(cut);
            }
            Ok::<_, tokenizers::Error>([piece])
        });
        cut
    }

    /// Whether the text may be cut here, before what a piece begins with.
    fn allows(&self, text: &str, at: usize, front: Option<char>) -> bool {
        if at == 0 || at >= self.limit || !text.is_char_boundary(at) {
            return false;
        }
        let (Some(before), Some(after)) = (text[..at].chars().next_back(), text[at..].chars().next()) else {
            return false;
        };
        let are_joined = || {
            let pair = [before, after].iter().fold(String::new(), |mut pair, &c| {
                pair.push(c);
                pair
            });
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

/// Where a place in a part stands in the text: where the character begins that is there.
fn place_of(part: &NormalizedString, at: usize) -> usize {
    let (start, end) = part.offsets_original();
    if at >= part.len() {
        return end;
    }
    let next = at + part.get()[at..].chars().next().map_or(1, char::len_utf8);
    start + part.convert_offsets(Range::Normalized(at..next)).map_or(0, |place| place.start)
}

/// Where the character before a place ends: what was left out between them belongs to neither.
fn before(part: &NormalizedString, at: usize) -> usize {
    let Some(last) = part.get()[..at].char_indices().next_back() else { return part.offsets_original().0 };
    let place = part.convert_offsets(Range::Normalized(last.0..at)).map_or(0, |place| place.end);
    place_of(part, at).min(part.offsets_original().0 + place)
}

/// Characters that stand next to each other in a token.
pub(super) struct Pairs {
    pairs: HashSet<(char, char)>,
    /// Characters that are tokens.
    known: HashSet<char>,
    /// Whether every other one is bytes that are tokens.
    bytes: bool,
}

impl Pairs {
    /// Those of a model; none where its tokens depend on where in a piece they stand, or on the piece as a whole.
    pub(super) fn of(model: &BPE) -> Option<Self> {
        let is_set = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
        if model.ignore_merges || is_set(&model.continuing_subword_prefix) || is_set(&model.end_of_word_suffix) {
            return None;
        }
        let vocabulary = model.get_vocab();
        let (mut pairs, mut known) = (HashSet::new(), HashSet::new());
        for token in vocabulary.keys() {
            let mut chars = token.chars();
            let Some(mut before) = chars.next() else { continue };
            if chars.as_str().is_empty() {
                known.put(before);
            }
            for c in chars {
                pairs.put((before, c));
                before = c;
            }
        }
        let bytes =
            model.byte_fallback && (0..=u8::MAX).all(|byte| vocabulary.contains_key(&format!("<0x{byte:02X}>")));
        Some(Self { pairs, known, bytes })
    }

    /// Whether what the two characters are at first is never merged. A byte is a token like `<0x0A>`.
    fn keep_apart(&self, before: char, after: char) -> bool {
        let end = |c: char, byte: char| if self.known.contains(&c) { Some(c) } else { self.bytes.then_some(byte) };
        match (end(before, '>'), end(after, '<')) {
            (Some(before), Some(after)) => !self.pairs.contains(&(before, after)),
            _ => false,
        }
    }
}
