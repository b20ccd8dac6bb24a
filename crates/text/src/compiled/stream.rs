//! Encodes the front of an unfinished text.

use super::certain::Portion;
use super::cut::Pieces;
use super::desk::Desk;
use super::engine::{Compiled, Fault, Work};
use super::models::Model;
use super::{Aligned, Memo};
use crate::certain::Certain;
use crate::offsets::Place;
use tokenbed_memory::{List, Text};

/// An unfinished text, cut into pieces.
#[derive(Default)]
struct Cut {
    /// The text of all pieces, and the places of its bytes.
    text: String,
    places: Vec<Place>,
    items: Vec<Item>,
}

/// A piece, or an added token.
#[derive(Clone, Copy)]
enum Item {
    Token(u32),
    /// Start and end in the text of all pieces.
    Piece(usize, usize),
}

/// A place where the text may be cut.
struct End {
    /// Byte offset in the text.
    at: usize,
    /// Number of whole items before it.
    items: usize,
    /// Number of bytes of the next piece before it.
    bytes: usize,
}

impl Compiled {
    /// Appends the ids of the front of an unfinished text, up to the last place where it may be cut, if it is
    /// `is_sound`. Returns this place; 0 if there is none. After a fault `out` may have some of the ids.
    pub(crate) fn encode_certain(
        &self,
        text: &str,
        spared: &dyn Fn(u32) -> bool,
        goes_on: bool,
        is_sound: &dyn Fn(usize) -> bool,
        out: &mut Vec<u32>,
    ) -> Result<usize, Fault> {
        let merges = matches!(self.model, Model::ByteBpe(_) | Model::CharBpe(_));
        if self.cuts.is_empty() && !merges {
            // Such a tokenizer has no edges at which a text could be cut.
            return Ok(0);
        }
        let budget = self.limits.budget(text.len());
        let work = Work { text, spared, goes_on, budget: &budget };
        Desk::with(self.number, |desk| {
            let mut certain = Certain::new(text);
            let cut = self.cut_certain(work, desk, &mut certain)?;
            certain.finish();
            let end = edge(text, &cut, &certain).or_else(|| self.within(text, &cut, &certain));
            let Some(end) = end.filter(|end| is_sound(end.at)) else { return Ok(0) };
            self.encode_items(&cut, &end, &mut desk.memo, out)?;
            Ok(end.at)
        })
    }

    fn encode_items(&self, cut: &Cut, end: &End, memo: &mut Memo, out: &mut Vec<u32>) -> Result<(), Fault> {
        let model = self.model.encoder();
        for (number, &item) in cut.items.iter().enumerate().take(end.items + 1) {
            let (start, to) = match item {
                Item::Token(id) if number < end.items => {
                    out.put(id);
                    continue;
                }
                Item::Token(_) => break,
                Item::Piece(start, to) if number < end.items => (start, to),
                Item::Piece(start, _) => (start, start + end.bytes),
            };
            let piece = cut.text.get(start..to).unwrap_or_default();
            if !piece.is_empty() {
                model.encode(piece, memo, out).map_err(Fault::Text)?;
            }
        }
        Ok(())
    }

    /// Cuts a text into pieces, and records where it may be divided.
    fn cut_certain(&self, work: Work<'_>, desk: &mut Desk, certain: &mut Certain) -> Result<Cut, Fault> {
        let Desk { parts, inner, pieces, aligned, .. } = desk;
        let mut cut = Cut::default();
        let text = work.text;
        self.added.plain().find(text, work.spared, parts);
        if !self.added.plain().is_empty() {
            let whole = Aligned::of(text, 0);
            let portion = Portion { text, places: &whole.places, start: 0, end: text.len() };
            let tokens = parts.iter().filter(|part| part.id.is_some()).map(|part| (part.start, part.end));
            certain.learn_tokens(self.added.plain(), portion, tokens);
        }
        let joins = self.normal.joins();
        certain.joins |= joins.joins;
        certain.strips_ends |= joins.strips_ends;
        if joins.unknown {
            certain.give_up();
        }
        let replacements = certain.begin_patterns(joins.replacements);
        let first = self.cuts.begin_certain(certain);
        let mut made = 0;
        for part in parts.iter() {
            if let Some(id) = part.id {
                cut.items.put(Item::Token(id));
                continue;
            }
            let raw = text.get(part.start..part.end).unwrap_or_default();
            let section = self.section(work, part.start, made);
            *aligned = Aligned::of(raw, part.start as u32);
            let noted = self.normal.run_noted(aligned, section, &mut |replaced| {
                let Aligned { text, places } = replaced.text;
                let portion = Portion { text, places, start: part.start, end: part.end };
                certain.decide(portion, replaced.pattern);
                certain.matches(portion, replacements + replaced.number, replaced.found.iter().copied());
            });
            noted.map_err(|reason| Fault::Part("normalizer", reason))?;
            made += aligned.text.len();
            let Aligned { text: normal, places } = &*aligned;
            self.added.normalized().find(normal, work.spared, inner);
            let portion = Portion { text: normal, places, start: part.start, end: part.end };
            let tokens = inner.iter().filter(|part| part.id.is_some()).map(|part| (part.start, part.end));
            certain.learn_tokens(self.added.normalized(), portion, tokens);
            for part in inner.iter() {
                if let Some(id) = part.id {
                    cut.items.put(Item::Token(id));
                    continue;
                }
                let section = normal.get(part.start..part.end).unwrap_or_default();
                let of = places.get(part.start..part.end).unwrap_or_default();
                let done = self.cuts.run_certain(section, of, work.goes_on, work.budget, pieces, certain, first);
                done.map_err(|reason| Fault::Part("pre_tokenizer", reason))?;
                cut.add(section, pieces);
            }
        }
        Ok(cut)
    }

    /// The last place for a cut within a piece: between characters that no token of the model has side by side.
    fn within(&self, text: &str, cut: &Cut, certain: &Certain) -> Option<End> {
        let Model::CharBpe(model) = &self.model else { return None };
        for (number, &item) in cut.items.iter().enumerate().rev() {
            let Item::Piece(start, end) = item else { continue };
            let piece = cut.portion(start, end);
            if piece.start >= certain.limit() {
                continue;
            }
            let mut chars = piece.text.char_indices().rev();
            let Some((mut at, mut after)) = chars.next() else { continue };
            for (before_at, before) in chars {
                let place = piece.place_of(at);
                if model.keep_apart(before, after)
                    && piece.place_of(before_at) < place
                    && certain.allows(text, place, Some(after))
                {
                    return Some(End { at: place, items: number, bytes: at });
                }
                (at, after) = (before_at, before);
            }
        }
        None
    }
}

impl Cut {
    /// Adds the pieces of a section.
    fn add(&mut self, section: &str, pieces: &Pieces) {
        let start = self.text.len();
        self.text.put_str(pieces.text(section));
        self.places.put_slice(pieces.places());
        let list = pieces.list.iter();
        self.items.put_all(list.map(|&(from, to)| Item::Piece(start + from as usize, start + to as usize)));
    }

    fn portion(&self, start: usize, end: usize) -> Portion<'_> {
        let text = self.text.get(start..end).unwrap_or_default();
        Portion::piece(text, self.places.get(start..end).unwrap_or_default())
    }
}

/// The last place for a cut at the edge of a piece.
fn edge(text: &str, cut: &Cut, certain: &Certain) -> Option<End> {
    let mut next: Option<(usize, Option<char>)> = None;
    for (before, &item) in cut.items.iter().enumerate().rev() {
        // A cut must not touch an added token.
        let Item::Piece(start, end) = item else {
            next = None;
            continue;
        };
        let piece = cut.portion(start, end);
        // An edge within the characters that one character became cannot be used.
        if let Some((after, front)) = next.filter(|&(after, _)| piece.end <= after) {
            let cut = |at| End { at, items: before + 1, bytes: 0 };
            if certain.allows(text, after, front) {
                return Some(cut(after));
            }
            if after != piece.end && certain.allows(text, piece.end, None) {
                return Some(cut(piece.end));
            }
        }
        next = Some((piece.start, piece.text.chars().next()));
    }
    None
}
