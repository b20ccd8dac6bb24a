//! The models: a piece of text becomes ids.

mod alphabet;
pub(crate) mod byte_bpe;
mod char_bpe;
pub(crate) mod letters;
mod prefixes;
pub(crate) mod ranks;
mod seams;
#[cfg(test)]
mod tests;
mod unigram;
mod word_level;
mod word_piece;

pub(crate) use char_bpe::CharBpe;
pub(crate) use unigram::Unigram;
pub(crate) use word_level::WordLevel;
pub(crate) use word_piece::WordPiece;

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{MARK, Memo, Tokens};
use tokenbed_memory::Text;

/// The settings of a model: its object in the file without `vocab` and `merges`.
pub(crate) type Settings = Map<String, Value>;

/// What every model does.
pub(crate) trait Encode {
    /// Whether whole pieces are remembered, so that a piece in the memory need not be shown to the model.
    fn remembers(&self) -> bool {
        false
    }

    /// Appends the ids of a piece. `memo` is this model's memory on this thread.
    ///
    /// # Errors
    /// The reason that the library gives if it has no token for the piece. `out` may then have some of its ids.
    fn encode(&self, piece: &str, memo: &mut Memo, out: &mut Vec<u32>) -> Result<(), String>;

    /// Appends the ids of a piece in which each space stands for the mark.
    ///
    /// # Errors
    /// As `encode`.
    fn encode_unmarked(&self, piece: &str, memo: &mut Memo, out: &mut Vec<u32>) -> Result<(), String> {
        self.encode(&marked(piece), memo, out)
    }

    /// As `encode`, with start and end of each token in the piece, in bytes, as the library's offsets are before they
    /// are converted to the original text.
    fn encode_places(&self, piece: &str, out: &mut Vec<u32>, places: &mut Vec<(u32, u32)>) -> Result<(), String>;

    /// A token as it is spelled in the file.
    fn token(&self, id: u32) -> Option<Cow<'_, str>>;

    /// The id of a token as it is spelled in the file.
    fn id_of(&self, token: &str) -> Option<u32>;

    /// Number of tokens (the library's `get_vocab_size`), and the largest id plus one.
    fn sizes(&self) -> (usize, usize);
}

/// The model of a file.
pub(crate) enum Model {
    ByteBpe(Box<byte_bpe::ByteBpe>),
    CharBpe(CharBpe),
    WordPiece(WordPiece),
    WordLevel(WordLevel),
    Unigram(Unigram),
}

impl Model {
    /// The model, whatever its kind.
    pub(crate) fn encoder(&self) -> &dyn Encode {
        match self {
            Self::ByteBpe(model) => model.as_ref(),
            Self::CharBpe(model) => model,
            Self::WordPiece(model) => model,
            Self::WordLevel(model) => model,
            Self::Unigram(model) => model,
        }
    }

    /// Bytes of memory.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        match self {
            Self::ByteBpe(model) => model.memory(),
            Self::CharBpe(model) => model.memory(),
            Self::WordPiece(model) => model.memory(),
            Self::WordLevel(model) => model.memory(),
            Self::Unigram(model) => model.memory(),
        }
    }

    /// The id for what is unknown, if its tokens are spelled as the text that they stand for. Those of other models are
    /// spelled as in the file.
    pub(crate) fn spelled_as_the_text(&self) -> Option<u32> {
        match self {
            Self::Unigram(model) => model.unknown(),
            _ => None,
        }
    }
}

/// A list of merges in the order of the file: the ids of both halves.
pub(crate) type Merges = Vec<(u32, u32)>;

/// A text with the mark in the place of each space.
fn marked(text: &str) -> String {
    let mut marked = String::new();
    text.chars().for_each(|c| marked.put_char(if c == ' ' { MARK } else { c }));
    marked
}

/// Helpers for models whose tokens are spelled as they are.
pub(crate) fn spelled(tokens: &Tokens, id: u32) -> Option<Cow<'_, str>> {
    spelling(tokens.token(id)?)
}

/// The text of a token. All tokens are text, because a file is.
pub(crate) fn spelling(token: &[u8]) -> Option<Cow<'_, str>> {
    std::str::from_utf8(token).ok().map(Cow::Borrowed)
}
