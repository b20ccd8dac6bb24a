//! Tokenizers from a Hugging Face `tokenizer.json`, by the `tokenizers` crate.
//!
//! The library gives the parts (normalizer, pre-tokenizer, model, added tokens), which are put together here, so that
//! each call has its own special tokens, nothing is cut or padded without being asked for, and no thread is started.

mod added;
mod certain;
mod check;
mod cut;
mod decode;
mod json;
pub(crate) mod limits;
mod load;
mod normal;
pub(crate) mod oniguruma;
mod outlook;
pub(crate) mod pattern;
mod patterns;
mod word_piece;

pub(crate) use decode::{Room, Stage, StageState};
pub use limits::Limits;

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::OnceLock;

use tokenizers::normalizer::Range;
use tokenizers::{
    DecoderWrapper, Encoding, Model, ModelWrapper, NormalizedString, NormalizerWrapper, OffsetReferential, OffsetType,
    PaddingDirection, PostProcessorWrapper, PreTokenizedString, PreTokenizerWrapper, Token, TokenizerImpl,
    TruncationDirection,
};

use crate::error::{TextError, fit_u32};
use crate::offsets::{self, Finish, Found, Located, Trims};
use crate::padding::Side;
use crate::panics::caught;
use crate::special::{Searches, SpecialPolicy, SpecialSet};
use crate::tokenizer::Engine;
use added::Look;
use certain::Cut;
use tokenbed_memory::{Gather, List, Set, Slice};

type Parts = TokenizerImpl<ModelWrapper, NormalizerWrapper, PreTokenizerWrapper, PostProcessorWrapper, DecoderWrapper>;

/// Ids that the file puts around each text, such as `[CLS]` and `[SEP]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    /// Ids before the text.
    pub before: Vec<u32>,
    /// Ids after the text.
    pub after: Vec<u32>,
}

impl Frame {
    /// Number of ids.
    pub fn len(&self) -> usize {
        self.before.len() + self.after.len()
    }

    /// Whether there are no ids.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Defaults of a file, or of an encoding, for rectangular batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Habits {
    /// The token that fills up rows, if there is one.
    pub padding_id: Option<u32>,
    /// The side on which rows are filled up.
    pub padding_side: Side,
    /// The side on which long texts are cut.
    pub truncation_side: Side,
}

/// Where a tokenizer's file comes from, and what it may cost.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// Name of the tokenizer.
    pub name: String,
    /// Path of the file, for errors.
    pub path: String,
    /// How much it may make of a text.
    pub limits: Limits,
}

/// A tokenizer as its file describes it. It is immutable, so any number of threads may use it.
pub(crate) struct FileTokenizer {
    origin: Origin,
    places: load::Places,
    parts: Parts,
    /// The special tokens, in the order of their ids.
    special: Vec<(String, u32)>,
    vocab_size: usize,
    frame: Frame,
    habits: Habits,
    stages: Vec<Stage>,
    trims: Trims,
    normal: normal::Normal,
    added: added::Added,
    cuts: cut::Cuts,
    word_piece: Option<word_piece::Pieces>,
    /// Computed when a text comes in parts.
    pairs: OnceLock<Option<certain::Pairs>>,
}

/// Common names of padding tokens, for files that do not say which it is.
const PADDING: [&str; 3] = ["[PAD]", "<pad>", "<|pad|>"];

/// An id that stands for the text, to see what is put around it.
const MARK: u32 = u32::MAX;

impl FileTokenizer {
    /// The tokenizer that a `tokenizer.json` describes.
    pub(crate) fn new(origin: Origin, json: &[u8]) -> Result<Self, TextError> {
        let path = origin.path.clone();
        let wrong = |(offset, reason)| TextError::TokenizerFile { path: path.clone(), offset, reason };
        let (tokenizer, places) = load::read(json).map_err(wrong)?;
        let read = caught(|| Self::from_parts(origin, tokenizer.into_inner(), &places));
        let panicked = |why| Err((0, format!("its parts contradict each other: it cannot be used: {why}")));
        let it = read.unwrap_or_else(panicked).map_err(wrong)?;
        it.try_out().map(|()| it)
    }

    fn from_parts(origin: Origin, mut parts: Parts, places: &load::Places) -> Result<Self, load::Wrong> {
        let limits = origin.limits;
        let in_part = |part: &'static str| {
            let at = places.of(part);
            move |reason: String| (at, format!("{part}: {reason}"))
        };
        let habits = habits(&parts);
        parts.with_padding(None);
        // This cannot fail without truncation.
        let _ = parts.with_truncation(None);
        without_dropout(&mut parts);
        let frame = frame(&parts).map_err(in_part("post_processor"))?;
        let added = parts.get_added_vocabulary().get_added_tokens_decoder();
        let mut special: Vec<_> =
            added.iter().filter(|(_, token)| token.special).map(|(&id, token)| (token.content.clone(), id)).into_list();
        special.sort_unstable_by_key(|&(_, id)| id);
        let vocabulary = parts.get_model().get_vocab();
        let word_piece = match parts.get_model() {
            ModelWrapper::WordPiece(model) => {
                Some(word_piece::Pieces::new(model, vocabulary.keys().map(String::as_str)))
            }
            ModelWrapper::Unigram(model) => check::unigram(model).map(|()| None).map_err(in_part("model"))?,
            _ => None,
        };
        let word_piece = word_piece.transpose().map_err(in_part("model"))?;
        let ids = vocabulary.into_values();
        let ids = ids.chain(added.keys().chain(&frame.before).chain(&frame.after).copied());
        let largest = ids.max();
        if let Some(id) = largest.filter(|&id| id > check::LARGEST_ID) {
            return Err(in_part("model")(format!("id {id} is too large: ids end at {}", check::LARGEST_ID)));
        }
        let normal = normal::Normal::new(parts.get_normalizer(), limits).map_err(in_part("normalizer"))?;
        Ok(Self {
            places: places.clone(),
            special,
            vocab_size: largest.map_or(0, |id| id as usize + 1),
            frame,
            habits,
            trims: trims(&parts).map_err(in_part("post_processor"))?,
            stages: decode::stages(parts.get_decoder(), limits).map_err(in_part("decoder"))?,
            added: added::Added::new(parts.get_added_vocabulary(), &normal, limits).map_err(in_part("added_tokens"))?,
            cuts: cut::Cuts::new(parts.get_pre_tokenizer(), limits).map_err(in_part("pre_tokenizer"))?,
            normal,
            word_piece,
            pairs: OnceLock::new(),
            parts,
            origin,
        })
    }

    /// Encodes a text once, so that a file that cannot be used for any text is refused at once.
    fn try_out(&self) -> Result<(), TextError> {
        let mut ids = Vec::new();
        match self.prepare(&SpecialPolicy::PLAIN).encode("A few w\u{f6}rds, 12 \u{fb01}gures\n and \u{4e00}.", &mut ids)
        {
            Err(error @ TextError::TokenizerFile { .. }) => Err(error),
            _ => Ok(()),
        }
    }

    /// The error for a part of the file.
    fn blame(&self, part: &str, reason: &str) -> TextError {
        TextError::TokenizerFile {
            path: self.origin.path.clone(),
            offset: self.places.of(part),
            reason: format!("{part}: {reason}"),
        }
    }

    /// Runs a part of the file. Errors and panics of the library there are reported as errors of that part.
    pub(crate) fn in_part<T, E: ToString>(
        &self,
        part: &str,
        run: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, TextError> {
        match caught(run) {
            Ok(done) => done.map_err(|error| self.blame(part, &error.to_string())),
            Err(panic) => Err(self.blame(part, &format!("it cannot be used: {panic}"))),
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        self.origin.limits
    }

    pub(crate) fn name(&self) -> &str {
        &self.origin.name
    }

    pub(crate) fn engine(&self) -> Engine {
        Engine::Tokenizers
    }

    /// The part that only the library's crate knows.
    pub(crate) fn engine_reason(&self) -> Option<&str> {
        Some("not compiled yet")
    }

    pub(crate) fn special_tokens(&self) -> &[(String, u32)] {
        &self.special
    }

    pub(crate) fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    pub(crate) fn frame(&self) -> &Frame {
        &self.frame
    }

    pub(crate) fn habits(&self) -> Habits {
        self.habits
    }

    pub(crate) fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// A token as it is spelled in the vocabulary.
    pub(crate) fn token(&self, id: u32) -> Option<String> {
        let added = self.parts.get_added_vocabulary().simple_id_to_token(id);
        added.or_else(|| self.parts.get_model().id_to_token(id))
    }

    pub(crate) fn is_special(&self, id: u32) -> bool {
        self.special.binary_search_by_key(&id, |&(_, id)| id).is_ok()
    }

    /// The id of a token as it is spelled in the vocabulary.
    pub(crate) fn id_of(&self, token: &str) -> Option<u32> {
        self.parts.token_to_id(token)
    }

    /// Prepares a policy for many texts.
    pub(crate) fn prepare<'a>(&'a self, policy: &'a SpecialPolicy) -> Prepared<'a> {
        let is_allowed = |name: &str| match &policy.allowed {
            SpecialSet::All => true,
            SpecialSet::Only(allowed) => allowed.iter().any(|allowed| allowed == name),
        };
        let mut spared = HashSet::new();
        for (_, id) in self.special.iter().filter(|(name, _)| !is_allowed(name)) {
            spared.put(*id);
        }
        Prepared { file: self, searches: policy.searches(&self.special), spared }
    }
}

/// A policy prepared for many texts.
pub(crate) struct Prepared<'a> {
    file: &'a FileTokenizer,
    searches: Searches<'a>,
    /// Special tokens that are plain text.
    spared: HashSet<u32>,
}

impl Prepared<'_> {
    /// Appends the ids of `text` to `out`, without those around it. After an error `out` is unchanged.
    pub(crate) fn encode(&self, text: &str, out: &mut Vec<u32>) -> Result<(), TextError> {
        self.encode_part(text, false, out)
    }

    /// The same. If `goes_on`, the text continues one that was cut before it.
    pub(crate) fn encode_part(&self, text: &str, goes_on: bool, out: &mut Vec<u32>) -> Result<(), TextError> {
        fit_u32("the text", text.len())?;
        self.searches.check(text)?;
        let start = out.len();
        self.encode_checked(text, goes_on, out).inspect_err(|_| out.truncate(start))
    }

    /// Appends the ids of as much of `text` as has the same ids in every text that begins with it, and returns that
    /// number of bytes. The text after the cut was considered, too, so the ids before it need not be those of a text
    /// that ends there.
    pub(crate) fn encode_certain(&self, text: &str, goes_on: bool, out: &mut Vec<u32>) -> Result<usize, TextError> {
        fit_u32("the text", text.len())?;
        let decided = self.searches.check_certain(text)?;
        if self.file.cuts.is_empty() && !matches!(self.file.parts.get_model(), ModelWrapper::BPE(_)) {
            // Such a tokenizer has no edges at which a text could be cut.
            return Ok(0);
        }
        let budget = self.file.limits().budget(text.len());
        let certain = RefCell::new(certain::Certain::new(text));
        let mut pieces = self.pieces(text, Look { budget: &budget, goes_on, certain: Some(&certain) })?;
        let mut certain = certain.into_inner();
        certain.finish();
        let cut = self.cut(text, &mut pieces, &certain);
        let is_sound = |cut: &Cut| cut.at <= decided && !self.searches.divides(text, cut.at);
        let Some(cut) = cut.filter(is_sound) else { return Ok(0) };
        // `split` does not visit or count added tokens; they stay.
        let part = |number, piece: NormalizedString| match number {
            number if number < cut.pieces => Some(piece),
            number if number == cut.pieces && cut.bytes > 0 => piece.slice(Range::Normalized(..cut.bytes)),
            _ => None,
        };
        self.file.in_part("pre_tokenizer", || pieces.split(|number, piece| Ok(part(number, piece))))?;
        self.ids(pieces, cut.pieces + usize::from(cut.bytes > 0), out).map(|()| cut.at)
    }

    /// The last place where the text may be cut.
    fn cut(&self, text: &str, pieces: &mut PreTokenizedString, certain: &certain::Certain) -> Option<Cut> {
        if let Some(edge) = certain.edge(text, pieces) {
            return Some(edge);
        }
        let ModelWrapper::BPE(model) = self.file.parts.get_model() else { return None };
        let pairs = self.file.pairs.get_or_init(|| certain::Pairs::of(model));
        certain.within(text, pieces, pairs.as_ref()?)
    }

    /// The pieces for the model, and the added tokens.
    fn pieces(&self, text: &str, look: Look<'_>) -> Result<PreTokenizedString, TextError> {
        let file = self.file;
        let spared = |id| self.spared.contains(&id);
        let mut pieces = file.in_part("normalizer", || file.added.extract(text, &file.normal, &spared, look))?;
        file.in_part("pre_tokenizer", || file.cuts.run(&mut pieces, look))?;
        Ok(pieces)
    }

    fn encode_checked(&self, text: &str, goes_on: bool, out: &mut Vec<u32>) -> Result<(), TextError> {
        let file = self.file;
        let budget = file.limits().budget(text.len());
        let pieces = self.pieces(text, Look { budget: &budget, goes_on, certain: None })?;
        self.ids(pieces, usize::MAX, out)
    }

    /// The ids of the first pieces.
    fn ids(&self, mut pieces: PreTokenizedString, count: usize, out: &mut Vec<u32>) -> Result<(), TextError> {
        self.tokenize(&mut pieces)?;
        for (_, _, tokens) in pieces.get_splits(OffsetReferential::Normalized, OffsetType::None).into_iter().take(count)
        {
            out.put_all(tokens.iter().flatten().map(|token| token.id));
        }
        Ok(())
    }

    /// Runs the model on all pieces.
    fn tokenize(&self, pieces: &mut PreTokenizedString) -> Result<(), TextError> {
        let file = self.file;
        let model = file.parts.get_model();
        let done = file.in_part("model", || match (model, &file.word_piece) {
            (ModelWrapper::WordPiece(model), Some(known)) => {
                Ok::<_, String>(pieces.tokenize(|word| known.tokenize(model, word.get())))
            }
            _ => Ok(model.tokenize_in_pretokenized(pieces, None)),
        })?;
        // A missing token for a character is the text's problem, not the file's.
        done.map_err(|error| TextError::Unencodable { reason: error.to_string() })
    }

    /// The tokens of a text and their places, before the post-processor has looked at them.
    fn find(&self, text: &str) -> Result<Found, TextError> {
        fit_u32("the text", text.len())?;
        self.searches.check(text)?;
        let file = self.file;
        let budget = file.limits().budget(text.len());
        let mut pieces = self.pieces(text, Look { budget: &budget, goes_on: false, certain: None })?;
        self.tokenize(&mut pieces)?;
        let encoding = file.in_part("model", || pieces.into_encoding(None, 0, OffsetType::Byte))?;
        let places = encoding.get_offsets().iter().map(|&(start, end)| (start as u32, end as u32));
        let token = |(token, &id): (&String, _)| match token.is_empty() {
            // WordPiece gives no texts: see `word_piece`.
            true => file.token(id).map_or((0, 0), |token| offsets::spaces(&token)),
            false => offsets::spaces(token),
        };
        let tokens = encoding.get_tokens().iter().zip(encoding.get_ids());
        let spaces = if file.trims.is_empty() { Vec::new() } else { tokens.map(token).into_list() };
        Ok(Found { ids: encoding.get_ids().to_list(), places: places.into_list(), spaces })
    }

    /// The tokens of a text with their places, and with those around it if it is `framed`.
    pub(crate) fn locate(&self, text: &str, framed: bool) -> Result<Located, TextError> {
        let file = self.file;
        let Frame { before, after } = if framed { &file.frame } else { &Frame { before: Vec::new(), after: Vec::new() } };
        Ok(Finish { trims: &file.trims, before, after }.run(text, self.find(text)?))
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

/// What the file's post-processor takes off the places of tokens.
fn trims(parts: &Parts) -> Result<Trims, String> {
    let written = parts.get_post_processor().map(serde_json::to_value).transpose().map_err(|error| error.to_string())?;
    Ok(written.as_ref().map(Trims::of).unwrap_or_default())
}

fn habits(parts: &Parts) -> Habits {
    let padding = parts.get_padding();
    let added = parts.get_added_vocabulary().get_vocab();
    let by_name = || PADDING.iter().find_map(|&name| added.get(name).copied());
    let left = matches!(padding.map(|padding| &padding.direction), Some(PaddingDirection::Left));
    let cut_left = matches!(parts.get_truncation().map(|it| it.direction), Some(TruncationDirection::Left));
    let side = |left| if left { Side::Left } else { Side::Right };
    Habits {
        padding_id: padding.map(|padding| padding.pad_id).or_else(by_name),
        padding_side: side(left),
        truncation_side: side(cut_left),
    }
}

/// What the file puts around a text, found by running its post-processor once.
fn frame(parts: &Parts) -> Result<Frame, String> {
    let marked = Encoding::from_tokens(Vec::from([Token::new(MARK, String::new(), (0, 0))]), 0);
    // A template that mentions a second text relies on having one, and panics.
    let framed = caught(|| parts.post_process(marked, None, true));
    let framed = framed.map_err(|_| "it does not work for one text alone")?.map_err(|error| error.to_string())?;
    let ids = framed.get_ids();
    match ids.iter().filter(|&&id| id == MARK).count() {
        1 => {}
        count => return Err(format!("it takes the text {count} times, once is supported")),
    }
    let at = ids.iter().position(|&id| id == MARK).unwrap_or(0);
    Ok(Frame { before: ids[..at].to_list(), after: ids[at + 1..].to_list() })
}
