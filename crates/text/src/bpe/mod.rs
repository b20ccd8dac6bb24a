//! Byte pair encoding: pieces of text to ids, ids to bytes. `split` decides where the pieces end.
//!
//! A piece takes the shortest way that knows it: it is a token (`words`), or it was merged a moment ago (`recent`),
//! or it is merged (`merge`), a long one block by block (`join`). All of it uses one table of merges (`pairs`), which
//! is read from the vocabulary without any search, so that loading takes milliseconds.

mod join;
mod merge;
mod pairs;
mod recent;
mod seam;
mod words;

pub(crate) use recent::Recent;

use crate::error::TextError;
use crate::vocabulary::Vocabulary;
use tokenbed_memory::List;

/// A vocabulary with the two tables that encoding needs.
pub(crate) struct Bpe {
    vocabulary: Vocabulary,
    words: words::Words,
    pairs: pairs::Pairs,
    /// The token of each byte.
    bytes: [u32; 256],
}

impl Bpe {
    /// Builds the tables from a decompressed vocabulary file and the tokens that an encoding adds to it.
    pub(crate) fn new(file: &[u8], more: &[(u32, u32)]) -> Result<Self, TextError> {
        let vocabulary = Vocabulary::parse(file, more)?;
        let pairs = pairs::Pairs::new(vocabulary.len() - 256, vocabulary.merges());
        // All encoding relies on this: see `vocabulary` and `join`.
        if let Some(id) = seam::first_unreachable(&vocabulary, &pairs) {
            let reason = "a token is not the encoding of its own bytes";
            return Err(TextError::Vocabulary { offset: vocabulary.offset(id), reason });
        }
        let words = words::Words::new(&vocabulary);
        let mut bytes = [0; 256];
        for id in 0..256 {
            if let Some(&[byte]) = vocabulary.token(id) {
                bytes[usize::from(byte)] = id;
            }
        }
        Ok(Self { vocabulary, words, pairs, bytes })
    }

    /// Number of tokens; ids run from 0 to len - 1.
    pub(crate) fn len(&self) -> usize {
        self.vocabulary.len()
    }

    /// The bytes of a token.
    pub(crate) fn token(&self, id: u32) -> Option<&[u8]> {
        self.vocabulary.token(id)
    }

    /// The token that has exactly these bytes.
    pub(crate) fn id_of(&self, token: &[u8]) -> Option<u32> {
        if token.is_empty() { None } else { self.words.get(&self.vocabulary, token, 0, token.len()) }
    }

    /// Appends the ids of the piece `text[start..end]`, which must not be empty. The whole text is passed, so that
    /// short pieces can be read a machine word at a time; `recent` must be of this text.
    ///
    /// It is always inlined, as is the look-up: a call for every piece would cost a tenth of the time.
    #[inline(always)]
    pub(crate) fn encode(&self, text: &[u8], start: usize, end: usize, recent: &mut Recent, out: &mut Vec<u32>) {
        // As in tiktoken, a piece that is a token becomes that token, whatever merges would make of it.
        if let Some(id) = self.words.get(&self.vocabulary, text, start, end) {
            out.put(id);
            return;
        }
        recent.get_or(text, start, end, out, |out| self.merge(&text[start..end], out));
    }

    /// This is not inlined, so that the loop over the pieces, most of which are tokens, stays small.
    #[inline(never)]
    fn merge(&self, piece: &[u8], out: &mut Vec<u32>) {
        if piece.len() > merge::SHORT {
            join::encode_long(self, piece, out);
            return;
        }
        let mut ids = [0; merge::SHORT];
        for (id, &byte) in ids.iter_mut().zip(piece) {
            *id = self.bytes[usize::from(byte)];
        }
        merge::merge(&self.pairs, &mut ids[..piece.len()], out);
    }
}
