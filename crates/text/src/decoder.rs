//! Decodes ids to text as they come.

use crate::error::TextError;
use crate::file::{FileTokenizer, Room, StageState};
use crate::tokenizer::{Kind, Tokenizer};
use crate::utf8;
use tokenbed_memory::{Gather, List, Slice, joined, lossy_owned, with_room};

/// Decodes ids that come one after the other, such as a model's. A character is never divided: its bytes wait until
/// it is whole. All that [`write`](Self::write) and [`end`](Self::end) return, joined, is what `decode` makes of all
/// ids.
pub struct TokenDecoder {
    tokenizer: Tokenizer,
    skip_special: bool,
    /// For an encoding: the bytes of an incomplete character.
    bytes: Vec<u8>,
    /// For a file: the state of each stage.
    states: Vec<StageState>,
}

impl TokenDecoder {
    pub(crate) fn new(tokenizer: &Tokenizer, skip_special: bool) -> Self {
        let states = match tokenizer.kind() {
            Kind::Encoding(_) => Vec::new(),
            Kind::File(it) => it.stages().iter().map(|_| StageState::default()).into_list(),
        };
        Self { tokenizer: tokenizer.clone(), skip_special, bytes: Vec::new(), states }
    }

    /// Takes more ids, and returns the text that they complete. After an error none of them is taken.
    pub fn write(&mut self, ids: &[u32]) -> Result<String, TextError> {
        match self.tokenizer.kind() {
            Kind::Encoding(it) => {
                let more = it.decode_bytes(ids, self.skip_special)?;
                // The waiting bytes change only when nothing can fail any more.
                let mut bytes = self.bytes.to_list();
                bytes.put_slice(&more);
                let text = utf8::take_complete(&mut bytes);
                self.bytes = bytes;
                Ok(text)
            }
            Kind::File(it) => {
                let mut tokens = with_room(ids.len());
                let mut bytes = 0;
                for (position, &id) in ids.iter().enumerate() {
                    let token = it.token(id).ok_or_else(|| self.tokenizer.unknown(position, id))?;
                    if !(self.skip_special && it.is_special(id)) {
                        bytes += token.len();
                        tokens.put(token);
                    }
                }
                let waited = self.states.iter().map(StageState::waits).sum::<usize>();
                let room = Room::new(it.limits(), bytes + waited);
                let mut states = self.states.to_list();
                let text = it.in_part("decoder", || pass(it, &mut states, tokens, &room, false))?;
                self.states = states;
                Ok(text)
            }
        }
    }

    /// Returns the rest, once no more ids follow; an incomplete character becomes U+FFFD. Then decoding may begin
    /// anew.
    pub fn end(&mut self) -> Result<String, TextError> {
        match self.tokenizer.kind() {
            Kind::Encoding(_) => Ok(lossy_owned(std::mem::take(&mut self.bytes))),
            Kind::File(it) => {
                let waited = self.states.iter().map(StageState::waits).sum();
                let room = Room::new(it.limits(), waited);
                let mut states = self.states.to_list();
                let text = it.in_part("decoder", || pass(it, &mut states, Vec::new(), &room, true))?;
                self.states = states;
                Ok(text)
            }
        }
    }
}

/// Passes tokens through the stages; each takes what the one before it gives.
fn pass(
    file: &FileTokenizer,
    states: &mut [StageState],
    mut tokens: Vec<String>,
    room: &Room,
    at_end: bool,
) -> Result<String, String> {
    for (stage, state) in file.stages().iter().zip(states) {
        room.begin_stage();
        let mut out = with_room(tokens.len());
        for token in tokens {
            stage.push(state, token, &mut out, room)?;
        }
        if at_end {
            stage.end(state, &mut out, room)?;
        }
        tokens = out;
    }
    Ok(joined(&tokens))
}
