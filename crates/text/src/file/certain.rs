//! What the parts of a file record about an unfinished text when the library's crate does the work: where it may be
//! cut. How far the matches of a pattern are decided, `outlook` says.

use std::collections::HashSet;

use tokenizers::models::bpe::BPE;
use tokenizers::normalizer::Range;
use tokenizers::{NormalizedString, OffsetReferential, OffsetType, PreTokenizedString};

use super::pattern::Expression;
use crate::certain::Certain;
use tokenbed_memory::Set;

/// A place for a cut.
#[derive(Clone, Copy)]
pub(super) struct Cut {
    /// Byte offset in the text.
    pub(super) at: usize,
    /// Number of whole pieces before it.
    pub(super) pieces: usize,
    /// Number of bytes of the next piece before it.
    pub(super) bytes: usize,
}

impl Certain {
    /// Records that the last `bytes` bytes of a part, in its current form, are not decided.
    pub(super) fn hold_back(&mut self, part: &NormalizedString, bytes: usize) {
        if let Some(known) = self.known_of(part) {
            self.limit_in(part, known.saturating_sub(bytes));
        }
    }

    /// Records that there may be a token in a part.
    pub(super) fn token_in(&mut self, part: &NormalizedString, start: usize, end: usize) {
        self.token(before(part, start), place_of(part, end));
    }

    /// Records the matches of pattern `number` in a part.
    pub(super) fn pattern(
        &mut self,
        part: &NormalizedString,
        pattern: &Expression,
        number: usize,
        found: &[(usize, usize)],
    ) {
        let known = self.known_of(part);
        // The known end is never within a character.
        let text = part.get().get(..known.unwrap_or(0)).unwrap_or_default();
        match (pattern.decided(text), known) {
            // The pattern depends on the text before a match, so no text can continue after a cut.
            (None, _) => self.give_up(),
            (Some(decided), Some(_)) => self.limit_in(part, decided),
            (Some(_), None) => {}
        }
        self.found(number, found.iter().map(|&(start, end)| (before(part, start), place_of(part, end))));
    }

    /// Number of decided bytes of a part; `None` if all or none of it is decided.
    fn known_of(&self, part: &NormalizedString) -> Option<usize> {
        let (start, end) = part.offsets_original();
        if end < self.limit() || start >= self.limit() {
            return None;
        }
        if self.limit() == end {
            return Some(part.len());
        }
        Some(part.convert_offsets(Range::Original(0..self.limit() - start)).map_or(0, |known| known.end))
    }

    fn limit_in(&mut self, part: &NormalizedString, decided: usize) {
        let decided = (0..=decided.min(part.len())).rev().find(|&at| part.get().is_char_boundary(at)).unwrap_or(0);
        self.limit_to(before(part, decided));
    }

    /// The last place for a cut at the edge of a piece.
    pub(super) fn edge(&self, text: &str, pieces: &PreTokenizedString) -> Option<Cut> {
        let all = pieces.get_splits(OffsetReferential::Original, OffsetType::Byte);
        let mut next: Option<(usize, &str)> = None;
        for (before, (piece, (start, end), tokens)) in all.into_iter().enumerate().rev() {
            // An added token does not say where it stands, and a cut must not touch it.
            if tokens.is_some() {
                next = None;
                continue;
            }
            // An edge within the characters that one character became cannot be used.
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

    /// The last place for a cut within a piece: between characters that no token of the model has side by side.
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
        // This splits nothing, but gives access to the pieces. It cannot fail.
        let _ = pieces.split(|number, piece| {
            if piece.offsets_original().0 < self.limit() {
                cut = look(number, &piece).or(cut);
            }
            Ok::<_, tokenizers::Error>([piece])
        });
        cut
    }
}

/// Place in the text of a position in a part: the beginning of the character there.
fn place_of(part: &NormalizedString, at: usize) -> usize {
    let (start, end) = part.offsets_original();
    if at >= part.len() {
        return end;
    }
    let next = at + part.get()[at..].chars().next().map_or(1, char::len_utf8);
    start + part.convert_offsets(Range::Normalized(at..next)).map_or(0, |place| place.start)
}

/// Place in the text where the character before a position ends. Characters that were removed between the two belong
/// to neither.
fn before(part: &NormalizedString, at: usize) -> usize {
    let Some(last) = part.get()[..at].char_indices().next_back() else { return part.offsets_original().0 };
    let place = part.convert_offsets(Range::Normalized(last.0..at)).map_or(0, |place| place.end);
    place_of(part, at).min(part.offsets_original().0 + place)
}

/// Pairs of characters that stand side by side in a token.
pub(super) struct Pairs {
    pairs: HashSet<(char, char)>,
    /// Characters that are tokens.
    known: HashSet<char>,
    /// Whether all other characters become bytes that are tokens.
    bytes: bool,
}

impl Pairs {
    /// The pairs of a model; `None` if its tokens depend on their position in a piece, or on the whole piece.
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

    /// Whether the first tokens of the two characters never merge. A byte is a token such as `<0x0A>`.
    fn keep_apart(&self, before: char, after: char) -> bool {
        let end = |c: char, byte: char| if self.known.contains(&c) { Some(c) } else { self.bytes.then_some(byte) };
        match (end(before, '>'), end(after, '<')) {
            (Some(before), Some(after)) => !self.pairs.contains(&(before, after)),
            _ => false,
        }
    }
}
