//! A piece is a token, or unknown.

use std::borrow::Cow;

use super::char_bpe::text;
use super::{Encode, Settings, spelled};
use crate::compiled::{Memo, NotNative, Tokens};
use tokenbed_memory::List;

/// The model.
pub(crate) struct WordLevel {
    tokens: Tokens,
    unknown: Option<u32>,
}

impl WordLevel {
    /// Compiles the model.
    pub(crate) fn compile(settings: &Settings, tokens: Tokens) -> Result<Self, NotNative> {
        let unknown = text(settings, "unk_token")?.ok_or_else(|| NotNative::new("model: no unk_token"))?;
        Ok(Self { unknown: tokens.get(unknown.as_bytes()), tokens })
    }

    /// Bytes of memory.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        self.tokens.memory()
    }

    fn id(&self, piece: &str) -> Result<u32, String> {
        let missing = || "WordLevel error: Missing [UNK] token from the vocabulary".into();
        self.tokens.get(piece.as_bytes()).or(self.unknown).ok_or_else(missing)
    }
}

impl Encode for WordLevel {
    fn encode(&self, piece: &str, _memo: &mut Memo, out: &mut Vec<u32>) -> Result<(), String> {
        out.put(self.id(piece)?);
        Ok(())
    }

    fn encode_places(&self, piece: &str, out: &mut Vec<u32>, places: &mut Vec<(u32, u32)>) -> Result<(), String> {
        out.put(self.id(piece)?);
        places.put((0, piece.len() as u32));
        Ok(())
    }

    fn token(&self, id: u32) -> Option<Cow<'_, str>> {
        spelled(&self.tokens, id)
    }

    fn id_of(&self, token: &str) -> Option<u32> {
        self.tokens.get(token.as_bytes())
    }

    fn sizes(&self) -> (usize, usize) {
        (self.tokens.len(), self.tokens.end())
    }
}
