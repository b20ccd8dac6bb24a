//! Tokenizers from a Hugging Face `tokenizer.json`.
//!
//! A file whose parts are all known is compiled into this crate's own engines (`compiled`, built by `native`). Any
//! other file runs on the `tokenizers` crate as a whole (`library`): it gives the parts (normalizer, pre-tokenizer,
//! model, added tokens), which are put together here, so that each call has its own special tokens, nothing is cut or
//! padded without being asked for, and no thread is started.

mod added;
pub(crate) mod base64;
mod certain;
pub(crate) mod check;
mod cut;
mod decode;
mod json;
mod library;
pub(crate) mod limits;
mod load;
mod long;
mod native;
mod normal;
pub(crate) mod oniguruma;
mod outlook;
pub(crate) mod pattern;
mod patterns;
mod settings;
pub(crate) mod word_piece;

pub(crate) use decode::{Room, Stage, StageState};
pub use limits::Limits;

use std::borrow::Cow;
use std::collections::HashSet;

use crate::compiled::{Compiled, Fault};
use crate::error::{TextError, fit_u32};
use crate::offsets::{Finish, Located, Trims};
use crate::padding::Side;
use crate::panics::caught;
use crate::special::{Searches, SpecialPolicy, SpecialSet};
use crate::tokenizer::Engine;
use library::Library;
use tokenbed_memory::Set;

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

/// What two texts become together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairFrame {
    /// The ids, and among them one for each text, which stands for the ids of that text.
    pub ids: Vec<u32>,
    /// The type of each id; that of a text's id is the type of all ids of that text.
    pub types: Vec<u32>,
    /// Where the first text stands among the ids.
    pub first: usize,
    /// Where the second text stands.
    pub second: usize,
}

impl PairFrame {
    /// One text after the other, and nothing around them.
    pub(crate) fn plain() -> Self {
        Self { ids: Vec::from([0, 0]), types: Vec::from([0, 1]), first: 0, second: 1 }
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
    /// The number of ids to which the library would cut a text by itself, if the file says so.
    pub truncation_length: Option<usize>,
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
    /// The special tokens, in the order of their ids.
    special: Vec<(String, u32)>,
    vocab_size: usize,
    /// The token for what the model does not know.
    unknown: Option<u32>,
    frame: Frame,
    /// What two texts become without and with the tokens around them, or why that is not known.
    pairs: [Result<PairFrame, String>; 2],
    habits: Habits,
    stages: Vec<Stage>,
    trims: Trims,
    runs: Runs,
}

/// What encodes texts.
enum Runs {
    /// The engines of this crate.
    Native(Box<Compiled>),
    /// The library's crate, and the part that only it knows.
    Library(Box<Library>, String),
}

impl FileTokenizer {
    /// The tokenizer that a `tokenizer.json` describes.
    pub(crate) fn new(origin: Origin, json: &[u8]) -> Result<Self, TextError> {
        // What is wrong with a file, the library's crate says.
        match native::compile(&origin, json) {
            Ok(it) => Ok(it),
            Err(not_native) => Self::by_library(origin, json, not_native.part),
        }
    }

    /// The same by the library's crate. `reason` is the part that only it knows.
    pub(crate) fn by_library(origin: Origin, json: &[u8], reason: String) -> Result<Self, TextError> {
        let path = origin.path.clone();
        let wrong = |(offset, reason)| TextError::TokenizerFile { path: path.clone(), offset, reason };
        let (tokenizer, places) = load::read(json).map_err(wrong)?;
        let read = caught(|| library::tokenizer(origin, tokenizer.into_inner(), &places, reason));
        let panicked = |why| Err((0, format!("its parts contradict each other: it cannot be used: {why}")));
        let it = read.unwrap_or_else(panicked).map_err(wrong)?;
        it.try_out().map(|()| it)
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

    /// The error for what a compiled file did.
    fn error_of(&self, fault: Fault) -> TextError {
        match fault {
            Fault::Part(part, reason) => self.blame(part, &reason),
            // A missing token for a character is the text's problem, not the file's.
            Fault::Text(reason) => TextError::Unencodable { reason },
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
        match self.runs {
            Runs::Native(_) => Engine::Native,
            Runs::Library(..) => Engine::Tokenizers,
        }
    }

    /// The part that only the library's crate knows.
    pub(crate) fn engine_reason(&self) -> Option<&str> {
        match &self.runs {
            Runs::Native(_) => None,
            Runs::Library(_, reason) => Some(reason),
        }
    }

    pub(crate) fn special_tokens(&self) -> &[(String, u32)] {
        &self.special
    }

    pub(crate) fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    pub(crate) fn unknown(&self) -> Option<u32> {
        self.unknown
    }

    pub(crate) fn frame(&self) -> &Frame {
        &self.frame
    }

    /// What two texts become.
    pub(crate) fn pair(&self, framed: bool) -> Result<PairFrame, TextError> {
        self.pairs[usize::from(framed)].clone().map_err(|reason| self.blame("post_processor", &reason))
    }

    pub(crate) fn habits(&self) -> Habits {
        self.habits
    }

    pub(crate) fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// A token as it is spelled in the vocabulary.
    pub(crate) fn token(&self, id: u32) -> Option<String> {
        match &self.runs {
            Runs::Native(compiled) => compiled.token(id).map(Cow::into_owned),
            Runs::Library(library, _) => library.token(id),
        }
    }

    pub(crate) fn is_special(&self, id: u32) -> bool {
        self.special.binary_search_by_key(&id, |&(_, id)| id).is_ok()
    }

    /// The id of a token as it is spelled in the vocabulary.
    pub(crate) fn id_of(&self, token: &str) -> Option<u32> {
        match &self.runs {
            Runs::Native(compiled) => compiled.id_of(token),
            Runs::Library(library, _) => library.id_of(token),
        }
    }

    /// Prepares a policy for many texts.
    pub(crate) fn prepare<'a>(&'a self, policy: &'a SpecialPolicy) -> Prepared<'a> {
        let spared = match &policy.allowed {
            SpecialSet::All => Spared::None,
            SpecialSet::Only(allowed) if allowed.is_empty() => Spared::All,
            SpecialSet::Only(allowed) => {
                let mut spared = HashSet::new();
                for (name, id) in &self.special {
                    if !allowed.iter().any(|allowed| allowed == name) {
                        spared.put(*id);
                    }
                }
                Spared::These(spared)
            }
        };
        Prepared { file: self, searches: policy.refusals(&self.special), spared }
    }
}

/// A policy prepared for many texts.
pub(crate) struct Prepared<'a> {
    file: &'a FileTokenizer,
    searches: Searches<'a>,
    spared: Spared,
}

/// Special tokens that are plain text.
enum Spared {
    None,
    All,
    These(HashSet<u32>),
}

impl Prepared<'_> {
    /// Whether a special token is plain text.
    fn spares(&self, id: u32) -> bool {
        match &self.spared {
            Spared::None => false,
            Spared::All => true,
            Spared::These(ids) => ids.contains(&id),
        }
    }

    /// Number of bytes of text that are worth a thread of their own.
    pub(crate) fn worth_a_thread(&self) -> usize {
        match self.file.runs {
            Runs::Native(_) => 32 << 10,
            Runs::Library(..) => 4 << 10,
        }
    }

    /// Appends the ids of `text` to `out`, without those around it. After an error `out` is unchanged.
    pub(crate) fn encode(&self, text: &str, out: &mut Vec<u32>) -> Result<(), TextError> {
        self.encode_part(text, false, out)
    }

    /// The same. If `goes_on`, the text continues one that was cut before it.
    pub(crate) fn encode_part(&self, text: &str, goes_on: bool, out: &mut Vec<u32>) -> Result<(), TextError> {
        fit_u32("the text", text.len())?;
        self.searches.check(text)?;
        let start = out.len();
        let spared = |id| self.spares(id);
        let done = match &self.file.runs {
            Runs::Native(compiled) => {
                compiled.encode(text, &spared, goes_on, out).map_err(|fault| self.file.error_of(fault))
            }
            Runs::Library(library, _) => library.encode(self.file, text, &spared, goes_on, out),
        };
        done.inspect_err(|_| out.truncate(start))
    }

    /// Appends the ids of as much of `text` as has the same ids in every text that begins with it, and returns that
    /// number of bytes. The text after the cut was considered, too, so the ids before it need not be those of a text
    /// that ends there.
    pub(crate) fn encode_certain(&self, text: &str, goes_on: bool, out: &mut Vec<u32>) -> Result<usize, TextError> {
        fit_u32("the text", text.len())?;
        let decided = self.searches.check_certain(text)?;
        let spared = |id| self.spares(id);
        let is_sound = |at: usize| at <= decided && !self.searches.divides(text, at);
        match &self.file.runs {
            Runs::Native(compiled) => {
                let start = out.len();
                let done = compiled.encode_certain(text, &spared, goes_on, &is_sound, out);
                done.map_err(|fault| self.file.error_of(fault)).inspect_err(|_| out.truncate(start))
            }
            Runs::Library(library, _) => library.encode_certain(self.file, text, &spared, goes_on, &is_sound, out),
        }
    }

    /// The tokens of a text with their places, and with those around it if it is `framed`.
    pub(crate) fn locate(&self, text: &str, framed: bool) -> Result<Located, TextError> {
        fit_u32("the text", text.len())?;
        self.searches.check(text)?;
        let file = self.file;
        let spared = |id| self.spares(id);
        let found = match &file.runs {
            Runs::Native(compiled) => {
                let found = compiled.encode_places(text, &spared, !file.trims.is_empty());
                found.map_err(|fault| file.error_of(fault))?
            }
            Runs::Library(library, _) => library.find(file, text, &spared)?,
        };
        let nothing = Frame::default();
        let Frame { before, after } = if framed { &file.frame } else { &nothing };
        Ok(Finish { trims: &file.trims, before, after }.run(text, found))
    }
}
