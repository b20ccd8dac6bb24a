//! WordPiece in time that is linear in a word's length. The library tries every end of the word for every piece.

use std::collections::BTreeSet;

use tokenbed_memory::{Gather, List, Text};
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::{Model, Token};

/// The lengths of a vocabulary's tokens.
pub(super) struct Pieces {
    /// Lengths in bytes of the tokens that words begin with, the longest first.
    first: Vec<usize>,
    /// Lengths of the tokens that continue a word, without their mark.
    following: Vec<usize>,
}

/// Largest number of bytes that are compared for one piece. A vocabulary in use has some hundred.
pub(crate) const MOST_BYTES: usize = 16 << 10;

impl Pieces {
    pub(super) fn new<'a>(model: &WordPiece, tokens: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let mark = model.continuing_subword_prefix.as_str();
        let (mut first, mut following) = (BTreeSet::new(), BTreeSet::new());
        for token in tokens.filter(|token| !token.is_empty()) {
            first.insert(token.len());
            if let Some(len) = token.strip_prefix(mark).map(str::len).filter(|&len| len > 0) {
                following.insert(len);
            }
        }
        let lengths = |set: BTreeSet<usize>| set.into_iter().rev().into_list();
        let it = Self { first: lengths(first), following: lengths(following) };
        let bytes: usize = it.first.iter().chain(&it.following).sum();
        if bytes > MOST_BYTES {
            return Err(format!(
                "its tokens have too many lengths: {bytes} bytes to look at for one, at most {MOST_BYTES}"
            ));
        }
        Ok(it)
    }

    /// The pieces of a word, as `WordPiece::tokenize` finds them.
    pub(super) fn tokenize(&self, model: &WordPiece, word: &str) -> tokenizers::Result<Vec<Token>> {
        let unknown = || {
            let id = model.token_to_id(&model.unk_token);
            let id = id.ok_or_else(|| {
                format!("the vocabulary does not have the token {:?} for what it does not know", model.unk_token)
            })?;
            Ok(Vec::from([Token::new(id, String::new(), (0, word.len()))]))
        };
        if word.len() > model.max_input_chars_per_word && word.chars().count() > model.max_input_chars_per_word {
            return unknown();
        }
        let mark = model.continuing_subword_prefix.len();
        let mut marked = model.continuing_subword_prefix.clone();
        let mut tokens = Vec::new();
        let mut start = 0;
        while start < word.len() {
            let rest = &word[start..];
            let find = |lengths: &[usize], text: &str, mark: usize| {
                let ends = lengths.iter().filter(|&&len| text.is_char_boundary(mark + len));
                ends.into_iter().find_map(|&len| Some((len, model.token_to_id(text.get(..mark + len)?)?)))
            };
            let found = if start == 0 {
                find(&self.first, rest, 0)
            } else {
                let longest = self.following.first().copied().unwrap_or(0).min(rest.len());
                let end = (0..=longest).rev().find(|&end| rest.is_char_boundary(end)).unwrap_or(0);
                marked.truncate(mark);
                marked.put_str(&rest[..end]);
                find(&self.following, &marked, mark)
            };
            let Some((len, id)) = found else { return unknown() };
            tokens.put(Token::new(id, String::new(), (start, start + len)));
            start += len;
        }
        Ok(tokens)
    }
}
