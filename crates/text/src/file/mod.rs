//! A tokenizer from a file: a Hugging Face `tokenizer.json`, by the `tokenizers` crate.
//!
//! The library gives the parts (normalizer, pre-tokenizer, model, added tokens); they are put together here, so that
//! each call has its own special tokens, nothing is cut or padded that was not asked for, and no thread is started.

mod decode;
mod load;

pub(crate) use decode::{Stage, StageState};

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use tokenizers::{
    AddedToken, AddedVocabulary, DecoderWrapper, Encoding, Model, ModelWrapper, NormalizerWrapper, OffsetReferential,
    OffsetType, PaddingDirection, PostProcessorWrapper, PreTokenizer, PreTokenizerWrapper, Token, TokenizerImpl,
    TruncationDirection,
};

use crate::error::{TextError, fit_u32};
use crate::padding::Side;
use crate::special::{Searches, SpecialPolicy, SpecialSet};

type Parts = TokenizerImpl<ModelWrapper, NormalizerWrapper, PreTokenizerWrapper, PostProcessorWrapper, DecoderWrapper>;

/// Ids that the file puts around each text, such as `[CLS]` and `[SEP]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    /// Those before the text.
    pub before: Vec<u32>,
    /// Those after it.
    pub after: Vec<u32>,
}

impl Frame {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.before.len() + self.after.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a file, or an encoding, has to say about rectangular batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Habits {
    /// The token that fills rows up, if there is one.
    pub padding_id: Option<u32>,
    /// Where it fills them up.
    pub padding_side: Side,
    /// Where texts that are too long are cut.
    pub truncation_side: Side,
}

/// A tokenizer as its file describes it. It does not change: any number of threads may use one.
pub(crate) struct FileTokenizer {
    name: String,
    parts: Parts,
    /// In the order of their ids.
    special: Vec<(String, u32)>,
    vocab_size: usize,
    frame: Frame,
    habits: Habits,
    stages: Vec<Stage>,
    /// The added tokens without the special ones; made when first needed.
    plain: OnceLock<AddedVocabulary>,
}

/// What padding tokens are called where a file does not say which it is.
const PADDING: [&str; 3] = ["[PAD]", "<pad>", "<|pad|>"];

/// In the place of a text, to see what is put around it.
const MARK: u32 = u32::MAX;

impl FileTokenizer {
    /// The tokenizer that a `tokenizer.json` describes.
    pub(crate) fn new(name: &str, json: &[u8]) -> Result<Self, TextError> {
        let mut parts = load::read(json)?.into_inner();
        let habits = habits(&parts);
        parts.with_padding(None);
        // Infallible without truncation.
        let _ = parts.with_truncation(None);
        without_dropout(&mut parts);
        let frame = frame(&parts).map_err(|reason| load::wrong(0, format!("post_processor: {reason}")))?;
        let added = parts.get_added_vocabulary().get_added_tokens_decoder();
        let mut special: Vec<_> =
            added.iter().filter(|(_, token)| token.special).map(|(&id, token)| (token.content.clone(), id)).collect();
        special.sort_unstable_by_key(|&(_, id)| id);
        let ids = parts.get_model().get_vocab().into_values();
        let ids = ids.chain(added.keys().chain(&frame.before).chain(&frame.after).copied());
        let vocab_size = ids.max().map_or(0, |id| id as usize + 1);
        let stages = decode::stages(parts.get_decoder());
        Ok(Self { name: name.to_owned(), parts, special, vocab_size, frame, habits, stages, plain: OnceLock::new() })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
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

    /// A token as it stands in the vocabulary.
    pub(crate) fn token(&self, id: u32) -> Option<String> {
        let added = self.parts.get_added_vocabulary().simple_id_to_token(id);
        added.or_else(|| self.parts.get_model().id_to_token(id))
    }

    pub(crate) fn is_special(&self, id: u32) -> bool {
        self.special.binary_search_by_key(&id, |&(_, id)| id).is_ok()
    }

    /// The id of a token as it stands in the vocabulary.
    pub(crate) fn id_of(&self, token: &str) -> Option<u32> {
        self.parts.token_to_id(token)
    }

    /// Makes a policy ready for many texts.
    pub(crate) fn prepare<'a>(&'a self, policy: &'a SpecialPolicy) -> Prepared<'a> {
        let is_allowed = |name: &str| match &policy.allowed {
            SpecialSet::All => true,
            SpecialSet::Only(allowed) => allowed.iter().any(|allowed| allowed == name),
        };
        let allowed = self.special.iter().filter(|(name, _)| is_allowed(name)).count();
        let all = self.parts.get_added_vocabulary();
        let added = if allowed == self.special.len() {
            Added::Shared(all)
        } else if allowed == 0 {
            Added::Shared(self.plain.get_or_init(|| {
                let mut plain = all.clone();
                plain.set_encode_special_tokens(true);
                plain
            }))
        } else {
            Added::Own(Box::new(self.with_special(is_allowed)))
        };
        Prepared { file: self, searches: policy.searches(&self.special), added }
    }

    /// The added tokens, of the special ones only these. The library knows all or none: those that stay are told it as
    /// ordinary ones.
    fn with_special(&self, stays: impl Fn(&str) -> bool) -> AddedVocabulary {
        let added = self.parts.get_added_vocabulary().get_added_tokens_decoder();
        let mut tokens: Vec<_> = added.iter().collect();
        // In the order of their ids each gets the id that it has.
        tokens.sort_unstable_by_key(|&(&id, _)| id);
        let tokens = tokens.into_iter().map(|(_, token)| {
            let special = token.special && !stays(&token.content);
            AddedToken { special, ..token.clone() }
        });
        let mut chosen = AddedVocabulary::new();
        // What was added once can be added again.
        let _ = chosen.add_tokens(tokens, self.parts.get_model(), self.parts.get_normalizer());
        chosen.set_encode_special_tokens(true);
        chosen
    }
}

enum Added<'a> {
    Shared(&'a AddedVocabulary),
    Own(Box<AddedVocabulary>),
}

/// A policy made ready for many texts.
pub(crate) struct Prepared<'a> {
    file: &'a FileTokenizer,
    searches: Searches<'a>,
    added: Added<'a>,
}

impl Prepared<'_> {
    /// Appends the ids of `text` to `out`, without those around it. After an error `out` is as it was.
    pub(crate) fn encode(&self, text: &str, out: &mut Vec<u32>) -> Result<(), TextError> {
        fit_u32("the text", text.len())?;
        self.searches.check(text)?;
        let start = out.len();
        self.encode_checked(text, out).map_err(|error| {
            out.truncate(start);
            TextError::Unencodable { reason: error.to_string() }
        })
    }

    fn encode_checked(&self, text: &str, out: &mut Vec<u32>) -> tokenizers::Result<()> {
        let parts = &self.file.parts;
        let added = match &self.added {
            Added::Shared(added) => added,
            Added::Own(added) => added.as_ref(),
        };
        let mut pieces = added.extract_and_normalize(parts.get_normalizer(), text);
        if let Some(pre_tokenizer) = parts.get_pre_tokenizer() {
            pre_tokenizer.pre_tokenize(&mut pieces)?;
        }
        parts.get_model().tokenize_in_pretokenized(&mut pieces, None)?;
        for (_, _, tokens) in pieces.get_splits(OffsetReferential::Normalized, OffsetType::None) {
            out.extend(tokens.iter().flatten().map(|token| token.id));
        }
        Ok(())
    }
}

/// Dropout makes ids random, for training alone: the same text has the same ids here.
fn without_dropout(parts: &mut Parts) {
    if let ModelWrapper::BPE(bpe) = parts.get_model()
        && bpe.dropout.is_some()
    {
        let mut bpe = bpe.clone();
        bpe.dropout = None;
        parts.with_model(bpe);
    }
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

/// What the file puts around a text: its own post-processor is asked once.
fn frame(parts: &Parts) -> Result<Frame, String> {
    let marked = Encoding::from_tokens(vec![Token::new(MARK, String::new(), (0, 0))], 0);
    // A template that speaks of a second text takes one for granted.
    let framed = catch_unwind(AssertUnwindSafe(|| parts.post_process(marked, None, true)));
    let framed = framed.map_err(|_| "it does not work for one text alone")?.map_err(|error| error.to_string())?;
    let ids = framed.get_ids();
    match ids.iter().filter(|&&id| id == MARK).count() {
        1 => {}
        count => return Err(format!("it takes the text {count} times, once is supported")),
    }
    let at = ids.iter().position(|&id| id == MARK).unwrap_or(0);
    Ok(Frame { before: ids[..at].to_vec(), after: ids[at + 1..].to_vec() })
}
