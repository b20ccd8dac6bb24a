//! A compiled file: added tokens, normalizer, pre-tokenizer and model put together.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

use super::added::{Added, Part};
use super::cut::{Cuts, Pieces};
use super::desk::Desk;
use super::models::byte_bpe::ByteBpe;
use super::models::{CharBpe, Encode, Model, Unigram, WordLevel, WordPiece};
use super::normal::{Normal, Section};
use super::read::{File, ModelPart};
use super::words::encode_words;
use super::{Aligned, MARK, Memo, NotNative};
use crate::file::Limits;
use crate::file::limits::Budget;
use crate::file::oniguruma::Spent;
use crate::offsets::{self, Found, Place};
use tokenbed_memory::{Gather, List, owned};

/// A file whose parts are all known.
pub(crate) struct Compiled {
    /// Tells the memories of threads apart.
    pub(super) number: u64,
    pub(super) added: Added,
    pub(super) normal: Normal,
    pub(super) cuts: Cuts,
    pub(super) model: Model,
    pub(super) limits: Limits,
    /// Whether the model may read spaces as marks, so that the normalizer need not write them.
    reads_spaces: bool,
}

/// Why a text has no ids.
pub(crate) enum Fault {
    /// A part of the file takes more than the limits allow.
    Part(&'static str, String),
    /// The model has no token for something in the text, for this reason.
    Text(String),
}

/// What encoding a text needs besides the file.
#[derive(Clone, Copy)]
pub(super) struct Work<'a> {
    pub(super) text: &'a str,
    /// Special tokens for which this is true are plain text.
    pub(super) spared: &'a dyn Fn(u32) -> bool,
    /// Whether the text continues one that was cut before it.
    pub(super) goes_on: bool,
    pub(super) budget: &'a Budget,
}

impl Compiled {
    /// Compiles the parts of a file.
    pub(crate) fn new(file: File, limits: Limits) -> Result<Self, NotNative> {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let mut spent = Spent::default();
        let normal = Normal::compile(file.part("normalizer"), limits, &mut spent)?;
        let takes_bytes = file.model.kind == "BPE" && ByteBpe::fits(&file.model.settings);
        let cuts = Cuts::compile(file.part("pre_tokenizer"), takes_bytes, limits, &mut spent)?;
        let model = model(file.model, cuts.are_bytes())?;
        let added = Added::compile(file.added, model.encoder(), &normal, limits)?;
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let reads_spaces = matches!(model, Model::CharBpe(_))
            && normal.only_marks_spaces()
            && cuts.leave_what_has_no_spaces()
            && added.normalized().is_empty();
        Ok(Self { number, added, normal, cuts, model, limits, reads_spaces })
    }

    /// The special tokens, in the order of their ids.
    pub(crate) fn special_tokens(&self) -> Vec<(String, u32)> {
        let special = self.added.all().filter(|&(_, _, is_special)| is_special);
        let mut special: Vec<_> = special.map(|(id, token, _)| (owned(token), id)).into_list();
        special.sort_unstable_by_key(|&(_, id)| id);
        special
    }

    /// The largest id plus one.
    pub(crate) fn vocab_size(&self) -> usize {
        let added = self.added.all().map(|(id, ..)| id as usize + 1).max();
        self.model.encoder().sizes().1.max(added.unwrap_or(0))
    }

    /// The id of an added token.
    pub(crate) fn added_id(&self, token: &str) -> Option<u32> {
        self.added.id_of(token)
    }

    /// A token as it is spelled in the file.
    pub(crate) fn token(&self, id: u32) -> Option<Cow<'_, str>> {
        self.added.token(id).map(Cow::Borrowed).or_else(|| self.model.encoder().token(id))
    }

    /// The id of a token as it is spelled in the file.
    pub(crate) fn id_of(&self, token: &str) -> Option<u32> {
        self.added.id_of(token).or_else(|| self.model.encoder().id_of(token))
    }

    /// Appends the ids of a text. After a fault `out` may have some of them.
    pub(crate) fn encode(
        &self,
        text: &str,
        spared: &dyn Fn(u32) -> bool,
        goes_on: bool,
        out: &mut Vec<u32>,
    ) -> Result<(), Fault> {
        let budget = self.limits.budget(text.len());
        let work = Work { text, spared, goes_on, budget: &budget };
        Desk::with(self.number, |desk| match &self.model {
            Model::ByteBpe(model) => self.run(work, model.as_ref(), desk, out),
            Model::CharBpe(model) => self.run(work, model, desk, out),
            Model::WordPiece(model) => self.run(work, model, desk, out),
            Model::WordLevel(model) => self.run(work, model, desk, out),
            Model::Unigram(model) => self.run(work, model, desk, out),
        })
    }

    fn run<M: Encode>(&self, work: Work<'_>, model: &M, desk: &mut Desk, out: &mut Vec<u32>) -> Result<(), Fault> {
        let Desk { memo, room, parts, inner, pieces, aligned, .. } = desk;
        let text = work.text;
        let words = model.remembers() && self.cuts.are_words();
        self.added.plain().find(text, work.spared, parts);
        let mut made = 0;
        for part in parts.iter() {
            if let Some(id) = part.id {
                out.put(id);
                continue;
            }
            let raw = text.get(part.start..part.end).unwrap_or_default();
            let section = self.section(work, part.start, made);
            if self.reads_spaces
                && let Some(normal) = self.normal.run_unmarked(raw, room, section)
            {
                let normal = normal.map_err(|reason| Fault::Part("normalizer", reason))?;
                made += normal.len() + (MARK.len_utf8() - 1) * memchr::memchr_iter(b' ', normal.as_bytes()).count();
                model.encode_unmarked(normal, memo, out).map_err(Fault::Text)?;
                continue;
            }
            let normal = self.normal.run(raw, room, section).map_err(|reason| Fault::Part("normalizer", reason))?;
            made += normal.len();
            let is_front = part.start == 0 && !work.goes_on;
            let depends = is_front && self.cuts.ask_for_places(!std::ptr::eq(raw, normal));
            if depends {
                // Characters may have been removed or added at the front.
                *aligned = Aligned::of(raw, 0);
                self.normal.run_aligned(aligned, section).map_err(|reason| Fault::Part("normalizer", reason))?;
            }
            self.added.normalized().find(normal, work.spared, inner);
            for part in inner.iter() {
                if let Some(id) = part.id {
                    out.put(id);
                    continue;
                }
                let normal = normal.get(part.start..part.end).unwrap_or_default();
                if words {
                    encode_words(model, normal, memo, &mut pieces.list, out).map_err(Fault::Text)?;
                    if work.budget.is_spent_by(normal.len()) {
                        return Err(Fault::Part("pre_tokenizer", self.limits.slow()));
                    }
                    continue;
                }
                let places = if depends { aligned.places.get(part.start..part.end) } else { None };
                self.cut(normal, is_front && part.start == 0, places, work.budget, pieces)?;
                encode_pieces(model, pieces.text(normal), &pieces.list, memo, out)?;
            }
        }
        Ok(())
    }

    /// What the normalizer needs to know about the section that begins at `start`.
    pub(super) fn section<'a>(&self, work: Work<'a>, start: usize, made: usize) -> Section<'a> {
        Section {
            budget: work.budget,
            goes_on: work.goes_on && start == 0,
            most: work.budget.bytes.saturating_sub(made),
        }
    }

    /// Cuts a section into pieces.
    pub(super) fn cut(
        &self,
        section: &str,
        is_front: bool,
        places: Option<&[Place]>,
        budget: &Budget,
        pieces: &mut Pieces,
    ) -> Result<(), Fault> {
        let done = self.cuts.run(section, is_front, places, budget, pieces);
        done.map_err(|reason| Fault::Part("pre_tokenizer", reason))
    }

    /// The ids of a text, and the place of each token: the bytes of the text that the library's offsets give before its
    /// post-processor changes them. The spaces of tokens are found if they are wanted.
    pub(crate) fn encode_places(
        &self,
        text: &str,
        spared: &dyn Fn(u32) -> bool,
        wants_spaces: bool,
    ) -> Result<Found, Fault> {
        let budget = self.limits.budget(text.len());
        let work = Work { text, spared, goes_on: false, budget: &budget };
        let mut found = Found::default();
        Desk::with(self.number, |desk| self.run_places(work, desk, wants_spaces, &mut found)).map(|()| found)
    }

    fn run_places(&self, work: Work<'_>, desk: &mut Desk, wants_spaces: bool, found: &mut Found) -> Result<(), Fault> {
        let Desk { parts, inner, pieces, aligned, .. } = desk;
        self.added.plain().find(work.text, work.spared, parts);
        let added = |found: &mut Found, id, place, text: &str| {
            found.ids.put(id);
            found.places.put(place);
            if wants_spaces {
                found.spaces.put(offsets::spaces(text));
            }
            found.end_word();
        };
        let mut made = 0;
        for part in parts.iter() {
            let raw = work.text.get(part.start..part.end).unwrap_or_default();
            if let Some(id) = part.id {
                added(found, id, (part.start as u32, part.end as u32), raw);
                continue;
            }
            let section = self.section(work, part.start, made);
            *aligned = Aligned::of(raw, part.start as u32);
            self.normal.run_aligned(aligned, section).map_err(|reason| Fault::Part("normalizer", reason))?;
            made += aligned.text.len();
            self.added.normalized().find(&aligned.text, work.spared, inner);
            for &Part { id, start, end } in inner.iter() {
                let of = aligned.places.get(start..end).unwrap_or_default();
                let normal = aligned.text.get(start..end).unwrap_or_default();
                if let Some(id) = id {
                    let place = of.first().zip(of.last()).map(|(first, last)| (first.0, last.1));
                    added(found, id, place.unwrap_or_default(), normal);
                    continue;
                }
                self.cut(normal, false, Some(of), work.budget, pieces)?;
                let text = pieces.text(normal);
                for &(from, to) in &pieces.list {
                    let piece = text.get(from as usize..to as usize).unwrap_or_default();
                    let of = pieces.places().get(from as usize..to as usize).unwrap_or_default();
                    self.piece(piece, of, wants_spaces, found)?;
                    found.end_word();
                }
            }
        }
        Ok(())
    }

    /// Appends the tokens of a piece, whose bytes have the places `of` in the text.
    fn piece(&self, piece: &str, of: &[Place], wants_spaces: bool, found: &mut Found) -> Result<(), Fault> {
        let Found { ids, places, spaces, .. } = found;
        let first = places.len();
        self.model.encoder().encode_places(piece, ids, places).map_err(Fault::Text)?;
        if wants_spaces {
            let unknown = self.model.spelled_as_the_text();
            let tokens = ids[first..].iter().zip(&places[first..]);
            spaces.put_all(tokens.map(|(&id, &(start, end))| match self.model.encoder().token(id) {
                _ if Some(id) == unknown => {
                    offsets::spaces(piece.get(start as usize..end as usize).unwrap_or_default())
                }
                Some(token) => offsets::spaces(&token),
                None => (0, 0),
            }));
        }
        places[first..].iter_mut().for_each(|place| *place = in_text(of, *place));
        Ok(())
    }
}

/// The place in the text of a place in a piece, whose bytes have the places `of`. The library leaves a place outside of
/// the piece as it is, and does not count the piece's own place in it.
fn in_text(of: &[Place], (start, end): Place) -> Place {
    let shift = of.first().map_or(0, |place| place.0);
    if start == end {
        return (shift + start, shift + end);
    }
    let made_of = of.get(start as usize..end as usize).unwrap_or_default();
    made_of.first().zip(made_of.last()).map_or((start, end), |(first, last)| (first.0, last.1))
}

/// Appends the ids of pieces.
#[inline]
fn encode_pieces<M: Encode>(
    model: &M,
    text: &str,
    pieces: &[(u32, u32)],
    memo: &mut Memo,
    out: &mut Vec<u32>,
) -> Result<(), Fault> {
    out.make_room(pieces.len());
    for &(start, end) in pieces {
        let piece = text.get(start as usize..end as usize).unwrap_or_default();
        model.encode(piece, memo, out).map_err(Fault::Text)?;
    }
    Ok(())
}

fn model(part: ModelPart, are_bytes: bool) -> Result<Model, NotNative> {
    let ModelPart { kind, settings, tokens, merges, scores } = part;
    Ok(match (kind.as_str(), merges, scores) {
        ("BPE", Some(merges), None) if are_bytes => {
            Model::ByteBpe(Box::new(ByteBpe::compile(&settings, tokens, &merges)?))
        }
        ("BPE", Some(merges), None) => Model::CharBpe(CharBpe::compile(&settings, tokens, &merges)?),
        ("WordPiece", None, None) => Model::WordPiece(WordPiece::compile(&settings, tokens)?),
        ("WordLevel", None, None) => Model::WordLevel(WordLevel::compile(&settings, tokens)?),
        ("Unigram", None, Some(scores)) => Model::Unigram(Unigram::compile(&settings, tokens, scores)?),
        _ => return Err(NotNative::new(format!("model: {kind}"))),
    })
}
