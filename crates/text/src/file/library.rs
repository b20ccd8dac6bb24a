//! A tokenizer's file, run by the library's crate.

use std::cell::RefCell;
use std::sync::OnceLock;

use tokenizers::normalizer::Range;
use tokenizers::{
    DecoderWrapper, Model, ModelWrapper, NormalizedString, NormalizerWrapper, OffsetReferential, OffsetType,
    PostProcessorWrapper, PreTokenizedString, PreTokenizerWrapper, TokenizerImpl,
};

use super::added::{self, Look};
use super::certain::{self, Cut};
use super::settings::{frame, habits, pair, trims};
use super::{FileTokenizer, Origin, Runs, check, cut, decode, load, normal, word_piece};
use crate::certain::Certain;
use crate::error::TextError;
use crate::offsets::{self, Found, NO_WORD};
use tokenbed_memory::{Gather, List, Slice};

type Parts = TokenizerImpl<ModelWrapper, NormalizerWrapper, PreTokenizerWrapper, PostProcessorWrapper, DecoderWrapper>;

/// The parts of the library, put together here.
pub(super) struct Library {
    parts: Parts,
    normal: normal::Normal,
    added: added::Added,
    cuts: cut::Cuts,
    word_piece: Option<word_piece::Pieces>,
    /// Computed when a text comes in parts.
    pairs: OnceLock<Option<certain::Pairs>>,
}

/// The tokenizer of these parts. `reason` is the part that only the library's crate knows.
pub(super) fn tokenizer(
    origin: Origin,
    mut parts: Parts,
    places: &load::Places,
    reason: String,
) -> Result<FileTokenizer, load::Wrong> {
    let limits = origin.limits;
    let in_part = |part: &'static str| {
        let at = places.of(part);
        move |reason: String| (at, format!("{part}: {reason}"))
    };
    let names = parts.get_added_vocabulary().get_vocab().clone();
    let habits = habits(parts.get_padding(), parts.get_truncation(), |name| names.get(name).copied());
    parts.with_padding(None);
    // This cannot fail without truncation.
    let _ = parts.with_truncation(None);
    without_dropout(&mut parts);
    let frame = frame(parts.get_post_processor()).map_err(in_part("post_processor"))?;
    let pairs = [false, true].map(|framed| pair(parts.get_post_processor(), framed));
    let added = parts.get_added_vocabulary().get_added_tokens_decoder();
    let mut special: Vec<_> =
        added.iter().filter(|(_, token)| token.special).map(|(&id, token)| (token.content.clone(), id)).into_list();
    special.sort_unstable_by_key(|&(_, id)| id);
    let vocabulary = parts.get_model().get_vocab();
    let word_piece = match parts.get_model() {
        ModelWrapper::WordPiece(model) => Some(word_piece::Pieces::new(model, vocabulary.keys().map(String::as_str))),
        ModelWrapper::Unigram(model) => check::unigram(model).map(|()| None).map_err(in_part("model"))?,
        _ => None,
    };
    let word_piece = word_piece.transpose().map_err(in_part("model"))?;
    let unknown = unknown(&parts);
    let ids = vocabulary.into_values();
    let ids = ids.chain(added.keys().chain(&frame.before).chain(&frame.after).copied());
    let largest = ids.max();
    if let Some(id) = largest.filter(|&id| id > check::LARGEST_ID) {
        return Err(in_part("model")(format!("id {id} is too large: ids end at {}", check::LARGEST_ID)));
    }
    let normal = normal::Normal::new(parts.get_normalizer(), limits).map_err(in_part("normalizer"))?;
    Ok(FileTokenizer {
        places: places.clone(),
        special,
        vocab_size: largest.map_or(0, |id| id as usize + 1),
        unknown,
        frame,
        pairs,
        habits,
        trims: trims(parts.get_post_processor()).map_err(in_part("post_processor"))?,
        stages: decode::stages(parts.get_decoder(), limits).map_err(in_part("decoder"))?,
        runs: Runs::Library(
            Box::new(Library {
                added: added::Added::new(parts.get_added_vocabulary(), &normal, limits)
                    .map_err(in_part("added_tokens"))?,
                cuts: cut::Cuts::new(parts.get_pre_tokenizer(), limits).map_err(in_part("pre_tokenizer"))?,
                normal,
                word_piece,
                pairs: OnceLock::new(),
                parts,
            }),
            reason,
        ),
        origin,
    })
}

/// The token for what the model does not know.
fn unknown(parts: &Parts) -> Option<u32> {
    let name = match parts.get_model() {
        ModelWrapper::Unigram(model) => {
            let written = serde_json::to_value(model).ok()?;
            return written.get("unk_id")?.as_u64().and_then(|id| u32::try_from(id).ok());
        }
        ModelWrapper::WordPiece(model) => &model.unk_token,
        ModelWrapper::WordLevel(model) => &model.unk_token,
        ModelWrapper::BPE(model) => model.unk_token.as_ref()?,
    };
    parts.token_to_id(name)
}

impl Library {
    /// A token as it is spelled in the vocabulary.
    pub(super) fn token(&self, id: u32) -> Option<String> {
        let added = self.parts.get_added_vocabulary().simple_id_to_token(id);
        added.or_else(|| self.parts.get_model().id_to_token(id))
    }

    /// The id of a token as it is spelled in the vocabulary.
    pub(super) fn id_of(&self, token: &str) -> Option<u32> {
        self.parts.token_to_id(token)
    }

    /// Appends the ids of a text. Special tokens for which `spared` is true are plain text.
    pub(super) fn encode(
        &self,
        file: &FileTokenizer,
        text: &str,
        spared: &dyn Fn(u32) -> bool,
        goes_on: bool,
        out: &mut Vec<u32>,
    ) -> Result<(), TextError> {
        let budget = file.limits().budget(text.len());
        let pieces = self.pieces(file, text, spared, Look { budget: &budget, goes_on, certain: None })?;
        self.ids(file, pieces, usize::MAX, out)
    }

    /// Appends the ids of the front of an unfinished text, up to the last place where it may be cut and `is_sound`.
    pub(super) fn encode_certain(
        &self,
        file: &FileTokenizer,
        text: &str,
        spared: &dyn Fn(u32) -> bool,
        goes_on: bool,
        is_sound: &dyn Fn(usize) -> bool,
        out: &mut Vec<u32>,
    ) -> Result<usize, TextError> {
        if self.cuts.is_empty() && !matches!(self.parts.get_model(), ModelWrapper::BPE(_)) {
            // Such a tokenizer has no edges at which a text could be cut.
            return Ok(0);
        }
        let budget = file.limits().budget(text.len());
        let certain = RefCell::new(Certain::new(text));
        let mut pieces = self.pieces(file, text, spared, Look { budget: &budget, goes_on, certain: Some(&certain) })?;
        let mut certain = certain.into_inner();
        certain.finish();
        let cut = self.cut(text, &mut pieces, &certain).filter(|cut| is_sound(cut.at));
        let Some(cut) = cut else { return Ok(0) };
        // `split` does not visit or count added tokens; they stay.
        let part = |number, piece: NormalizedString| match number {
            number if number < cut.pieces => Some(piece),
            number if number == cut.pieces && cut.bytes > 0 => piece.slice(Range::Normalized(..cut.bytes)),
            _ => None,
        };
        file.in_part("pre_tokenizer", || pieces.split(|number, piece| Ok(part(number, piece))))?;
        self.ids(file, pieces, cut.pieces + usize::from(cut.bytes > 0), out).map(|()| cut.at)
    }

    /// The last place where the text may be cut.
    fn cut(&self, text: &str, pieces: &mut PreTokenizedString, certain: &Certain) -> Option<Cut> {
        if let Some(edge) = certain.edge(text, pieces) {
            return Some(edge);
        }
        let ModelWrapper::BPE(model) = self.parts.get_model() else { return None };
        let pairs = self.pairs.get_or_init(|| certain::Pairs::of(model));
        certain.within(text, pieces, pairs.as_ref()?)
    }

    /// The pieces for the model, and the added tokens.
    fn pieces(
        &self,
        file: &FileTokenizer,
        text: &str,
        spared: &dyn Fn(u32) -> bool,
        look: Look<'_>,
    ) -> Result<PreTokenizedString, TextError> {
        let mut pieces = file.in_part("normalizer", || self.added.extract(text, &self.normal, spared, look))?;
        file.in_part("pre_tokenizer", || self.cuts.run(&mut pieces, look))?;
        Ok(pieces)
    }

    /// The ids of the first pieces.
    fn ids(
        &self,
        file: &FileTokenizer,
        mut pieces: PreTokenizedString,
        count: usize,
        out: &mut Vec<u32>,
    ) -> Result<(), TextError> {
        self.tokenize(file, &mut pieces)?;
        for (_, _, tokens) in pieces.get_splits(OffsetReferential::Normalized, OffsetType::None).into_iter().take(count)
        {
            out.put_all(tokens.iter().flatten().map(|token| token.id));
        }
        Ok(())
    }

    /// Runs the model on all pieces.
    fn tokenize(&self, file: &FileTokenizer, pieces: &mut PreTokenizedString) -> Result<(), TextError> {
        let model = self.parts.get_model();
        let done = file.in_part("model", || match (model, &self.word_piece) {
            (ModelWrapper::WordPiece(model), Some(known)) => {
                Ok::<_, String>(pieces.tokenize(|word| known.tokenize(model, word.get())))
            }
            _ => Ok(model.tokenize_in_pretokenized(pieces, None)),
        })?;
        // A missing token for a character is the text's problem, not the file's.
        done.map_err(|error| TextError::Unencodable { reason: error.to_string() })
    }

    /// The tokens of a text and their places, before the post-processor has looked at them.
    pub(super) fn find(
        &self,
        file: &FileTokenizer,
        text: &str,
        spared: &dyn Fn(u32) -> bool,
    ) -> Result<Found, TextError> {
        let budget = file.limits().budget(text.len());
        let mut pieces = self.pieces(file, text, spared, Look { budget: &budget, goes_on: false, certain: None })?;
        self.tokenize(file, &mut pieces)?;
        let encoding = file.in_part("model", || pieces.into_encoding(None, 0, OffsetType::Byte))?;
        let places = encoding.get_offsets().iter().map(|&(start, end)| (start as u32, end as u32));
        let token = |(token, &id): (&String, _)| match token.is_empty() {
            // WordPiece gives no texts: see `word_piece`. An added token may have the same id.
            true => self.parts.get_model().id_to_token(id).map_or((0, 0), |token| offsets::spaces(&token)),
            false => offsets::spaces(token),
        };
        let tokens = encoding.get_tokens().iter().zip(encoding.get_ids());
        let spaces = if file.trims.is_empty() { Vec::new() } else { tokens.map(token).into_list() };
        let words = encoding.get_word_ids().iter().map(|word| word.unwrap_or(NO_WORD));
        Ok(Found {
            ids: encoding.get_ids().to_list(),
            places: places.into_list(),
            spaces,
            words: words.into_list(),
            next_word: 0,
        })
    }
}

/// Removes dropout, which makes ids random and is for training only. Here the same text always has the same ids.
fn without_dropout(parts: &mut Parts) {
    if let ModelWrapper::BPE(bpe) = parts.get_model()
        && bpe.dropout.is_some()
    {
        let mut bpe = bpe.clone();
        bpe.dropout = None;
        parts.with_model(bpe);
    }
}
