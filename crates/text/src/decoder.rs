//! Ids to text as they come, piece by piece.

use crate::error::TextError;
use crate::file::StageState;
use crate::tokenizer::{Kind, Tokenizer};
use crate::utf8;

/// Text of ids that come one after the other, such as a model's. No character is ever divided: bytes wait until it is
/// whole. All that [`write`](Self::write) and [`end`](Self::end) give, end to end, is what `decode` makes of all ids.
pub struct TokenDecoder {
    tokenizer: Tokenizer,
    skip_special: bool,
    /// Of an encoding: the beginning of a character.
    bytes: Vec<u8>,
    /// Of a file: one for each stage.
    states: Vec<StageState>,
}

impl TokenDecoder {
    pub(crate) fn new(tokenizer: &Tokenizer, skip_special: bool) -> Self {
        let states = match tokenizer.kind() {
            Kind::Encoding(_) => Vec::new(),
            Kind::File(it) => it.stages().iter().map(|_| StageState::default()).collect(),
        };
        Self { tokenizer: tokenizer.clone(), skip_special, bytes: Vec::new(), states }
    }

    /// Takes more ids, and gives the text that they complete. After an error none of them is taken.
    pub fn write(&mut self, ids: &[u32]) -> Result<String, TextError> {
        match self.tokenizer.kind() {
            Kind::Encoding(it) => {
                let more = it.decode_bytes(ids, self.skip_special)?;
                self.bytes.extend_from_slice(&more);
                Ok(utf8::take_complete(&mut self.bytes))
            }
            Kind::File(it) => {
                let mut tokens = Vec::with_capacity(ids.len());
                for (position, &id) in ids.iter().enumerate() {
                    let token = it.token(id).ok_or_else(|| self.tokenizer.unknown(position, id))?;
                    if !(self.skip_special && it.is_special(id)) {
                        tokens.push(token);
                    }
                }
                for (stage, state) in it.stages().iter().zip(&mut self.states) {
                    let mut out = Vec::with_capacity(tokens.len());
                    for token in tokens {
                        stage.push(state, token, &mut out)?;
                    }
                    tokens = out;
                }
                Ok(tokens.concat())
            }
        }
    }

    /// No ids follow: gives the rest, a character that is not whole as U+FFFD. What is written next begins anew.
    pub fn end(&mut self) -> Result<String, TextError> {
        match self.tokenizer.kind() {
            Kind::Encoding(_) => {
                let bytes = std::mem::take(&mut self.bytes);
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            }
            Kind::File(it) => {
                let mut tokens = Vec::new();
                for (stage, state) in it.stages().iter().zip(&mut self.states) {
                    let mut out = Vec::new();
                    for token in tokens {
                        stage.push(state, token, &mut out)?;
                    }
                    stage.end(state, &mut out)?;
                    tokens = out;
                }
                Ok(tokens.concat())
            }
        }
    }
}
