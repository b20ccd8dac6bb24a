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
use super::{Aligned, Memo, NotNative};
use crate::file::Limits;
use crate::file::limits::Budget;
use crate::file::oniguruma::Spent;
use crate::offsets::{self, Place, Spaces};
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
        let list = file.part("added_tokens").clone();
        let model = model(file.model, cuts.are_bytes())?;
        let added = Added::compile(&list, model.encoder(), &normal, limits)?;
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        Ok(Self { number, added, normal, cuts, model, limits })
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

    /// The spaces that a token begins and ends with. An added token has those of the text that it stands for.
    pub(crate) fn spaces(&self, id: u32, text: &str, place: Place) -> Spaces {
        match self.added.token(id) {
            Some(_) => offsets::spaces(text.get(place.0 as usize..place.1 as usize).unwrap_or_default()),
            None => self.model.encoder().token(id).map_or((0, 0), |token| offsets::spaces(&token)),
        }
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
            Model::ByteBpe(model) => self.run(work, model, desk, out),
            Model::CharBpe(model) => self.run(work, model, desk, out),
            Model::WordPiece(model) => self.run(work, model, desk, out),
            Model::WordLevel(model) => self.run(work, model, desk, out),
            Model::Unigram(model) => self.run(work, model, desk, out),
        })
    }

    fn run<M: Encode>(&self, work: Work<'_>, model: &M, desk: &mut Desk, out: &mut Vec<u32>) -> Result<(), Fault> {
        let Desk { memo, room, parts, inner, pieces, aligned, .. } = desk;
        let text = work.text;
        self.added.plain().find(text, work.spared, parts);
        let mut made = 0;
        for part in parts.iter() {
            if let Some(id) = part.id {
                out.put(id);
                continue;
            }
            let raw = text.get(part.start..part.end).unwrap_or_default();
            let section = self.section(work, part.start, made);
            let normal = self.normal.run(raw, room, section).map_err(|reason| Fault::Part("normalizer", reason))?;
            made += normal.len();
            let is_front = part.start == 0 && !work.goes_on && self.is_front(raw, normal, section, aligned)?;
            self.added.normalized().find(normal, work.spared, inner);
            for part in inner.iter() {
                if let Some(id) = part.id {
                    out.put(id);
                    continue;
                }
                let normal = normal.get(part.start..part.end).unwrap_or_default();
                self.cut(normal, is_front && part.start == 0, None, work.budget, pieces)?;
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

    /// Whether the first character of the first section of a text is made of the first one of the text. The normalizer
    /// may have removed characters there.
    fn is_front(&self, raw: &str, normal: &str, section: Section<'_>, aligned: &mut Aligned) -> Result<bool, Fault> {
        let is_same = std::ptr::eq(raw, normal);
        if is_same || !self.cuts.depend_on_front() {
            return Ok(true);
        }
        *aligned = Aligned::of(raw, 0);
        self.normal.run_aligned(aligned, section).map_err(|reason| Fault::Part("normalizer", reason))?;
        Ok(aligned.places.first().is_none_or(|place| place.0 == 0))
    }

    /// Appends the ids of a text, and the place of each token: the bytes of the text that the library's offsets give
    /// before its post-processor changes them.
    pub(crate) fn encode_places(
        &self,
        text: &str,
        spared: &dyn Fn(u32) -> bool,
        out: &mut Vec<u32>,
        places: &mut Vec<Place>,
    ) -> Result<(), Fault> {
        let budget = self.limits.budget(text.len());
        let work = Work { text, spared, goes_on: false, budget: &budget };
        let (start, first) = (out.len(), places.len());
        let done = Desk::with(self.number, |desk| self.run_places(work, desk, out, places));
        done.inspect_err(|_| {
            out.truncate(start);
            places.truncate(first);
        })
    }

    fn run_places(
        &self,
        work: Work<'_>,
        desk: &mut Desk,
        out: &mut Vec<u32>,
        places: &mut Vec<Place>,
    ) -> Result<(), Fault> {
        let Desk { parts, inner, pieces, aligned, .. } = desk;
        self.added.plain().find(work.text, work.spared, parts);
        let mut made = 0;
        for part in parts.iter() {
            if let Some(id) = part.id {
                out.put(id);
                places.put((part.start as u32, part.end as u32));
                continue;
            }
            let raw = work.text.get(part.start..part.end).unwrap_or_default();
            let section = self.section(work, part.start, made);
            *aligned = Aligned::of(raw, part.start as u32);
            self.normal.run_aligned(aligned, section).map_err(|reason| Fault::Part("normalizer", reason))?;
            made += aligned.text.len();
            self.added.normalized().find(&aligned.text, work.spared, inner);
            for &Part { id, start, end } in inner.iter() {
                let of = aligned.places.get(start..end).unwrap_or_default();
                if let Some(id) = id {
                    out.put(id);
                    places.put_all(of.first().zip(of.last()).map(|(first, last)| (first.0, last.1)));
                    continue;
                }
                let normal = aligned.text.get(start..end).unwrap_or_default();
                self.cut(normal, false, Some(of), work.budget, pieces)?;
                let text = pieces.text(normal);
                for &(from, to) in &pieces.list {
                    let first = places.len();
                    let piece = text.get(from as usize..to as usize).unwrap_or_default();
                    self.model.encoder().encode_places(piece, out, places).map_err(Fault::Text)?;
                    let of = pieces.places().get(from as usize..to as usize).unwrap_or_default();
                    places[first..].iter_mut().for_each(|place| *place = in_text(of, *place));
                }
            }
        }
        Ok(())
    }
}

/// The place in the text of a place in a piece, whose bytes have the places `of`.
fn in_text(of: &[Place], (start, end): Place) -> Place {
    let shift = of.first().map_or(0, |place| place.0);
    let made_of = of.get(start as usize..end as usize).unwrap_or_default();
    // The library leaves empty places as they are.
    made_of.first().zip(made_of.last()).map_or((shift + start, shift + end), |(first, last)| (first.0, last.1))
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
        ("BPE", Some(merges), None) if are_bytes => Model::ByteBpe(ByteBpe::compile(&settings, tokens, &merges)?),
        ("BPE", Some(merges), None) => Model::CharBpe(CharBpe::compile(&settings, tokens, &merges)?),
        ("WordPiece", None, None) => Model::WordPiece(WordPiece::compile(&settings, tokens)?),
        ("WordLevel", None, None) => Model::WordLevel(WordLevel::compile(&settings, tokens)?),
        ("Unigram", None, Some(scores)) => Model::Unigram(Unigram::compile(&settings, tokens, scores)?),
        _ => return Err(NotNative::new(format!("model: {kind}"))),
    })
}
