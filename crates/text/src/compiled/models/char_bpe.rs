//! Byte pair encoding over characters: a character that is no token becomes bytes, or the unknown token.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU8, Ordering};

use super::alphabet::{Alphabet, NO_TOKEN};
use super::ranks::{GONE, Ranks, SHORT};
use super::seams::{Seams, Unknown};
use super::{Encode, Merges, Settings, marked, spelled};
use crate::compiled::{Memo, NotNative, Tokens};
use serde_json::Value;
use tokenbed_memory::{Gather, List, Slice, filled};

/// The model.
pub(crate) struct CharBpe {
    tokens: Tokens,
    ranks: Ranks,
    alphabet: Alphabet,
    /// Where pieces may be cut; `None` if tokens depend on their place in a piece.
    seams: Option<Seams>,
    /// The token of each byte, if unknown characters become bytes.
    bytes: Option<Vec<Option<u32>>>,
    unknown: UnknownToken,
    /// Stands before each character but the first of a piece.
    prefix: String,
    /// Stands after the last character of a piece.
    suffix: String,
    /// Whether a piece that is a token becomes this token, whatever merges would make of it.
    whole: bool,
    /// For each token: whether merges make it of its own characters ([`UNSEEN`], [`WHOLE`] or [`PARTS`]).
    states: Vec<AtomicU8>,
}

const UNSEEN: u8 = 0;
const WHOLE: u8 = 1;
const PARTS: u8 = 2;

/// What a character becomes that is no token and has no bytes.
struct UnknownToken {
    /// The token's name, and its id if there is one. Without a name the character is left out.
    name: Option<(String, Option<u32>)>,
    /// Whether a run of such characters is one token.
    fuse: bool,
}

impl CharBpe {
    /// Compiles the model. The merges are ids of both halves, in the order of their ranks.
    pub(crate) fn compile(settings: &Settings, tokens: Tokens, merges: &Merges) -> Result<Self, NotNative> {
        check_dropout(settings)?;
        let prefix = text(settings, "continuing_subword_prefix")?.unwrap_or_default();
        let suffix = text(settings, "end_of_word_suffix")?.unwrap_or_default();
        let name = text(settings, "unk_token")?;
        let unknown = UnknownToken {
            name: name.map(|name| (name.to_owned(), tokens.get(name.as_bytes()))),
            fuse: flag(settings, "fuse_unk")?,
        };
        let bytes = flag(settings, "byte_fallback")?
            .then(|| (0..=u8::MAX).map(|byte| tokens.get(byte_token(byte).as_slice())).into_list());
        let ranks = Ranks::new(merges, &tokens, prefix.len())?;
        let alphabet = Alphabet::new(&tokens);
        let seams = if prefix.is_empty() && suffix.is_empty() {
            let behavior = behavior(bytes.as_deref(), &unknown, &tokens, merges);
            Some(Seams::new(&tokens, &alphabet, merges, behavior))
        } else {
            None
        };
        Ok(Self {
            seams,
            ranks,
            alphabet,
            bytes,
            unknown,
            prefix: prefix.to_owned(),
            suffix: suffix.to_owned(),
            whole: flag(settings, "ignore_merges")?,
            states: (0..tokens.end()).map(|_| AtomicU8::new(UNSEEN)).into_list(),
            tokens,
        })
    }

    /// Bytes of memory.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        let seams = self.seams.as_ref().map_or(0, Seams::memory);
        self.tokens.memory() + self.ranks.memory() + self.alphabet.memory() + seams + self.states.capacity()
    }

    /// Whether no token crosses the place between two characters, wherever they stand.
    pub(crate) fn keep_apart(&self, before: char, after: char) -> bool {
        // A whole piece that is a token is not merged, so that there is no saying where it may be cut.
        !self.whole && self.seams.as_ref().is_some_and(|seams| seams.keep_apart(&self.alphabet, before, after))
    }

    /// Appends the ids of a part that is not remembered. Most parts are tokens.
    fn part(&self, part: &str, out: &mut Vec<u32>) -> Result<(), String> {
        let token = self.tokens.get(part.as_bytes());
        let state = token.and_then(|id| self.states.get(id as usize));
        match (token, state.map(|state| state.load(Ordering::Relaxed))) {
            (Some(id), Some(WHOLE)) => out.put(id),
            (Some(id), Some(UNSEEN)) => {
                let first = out.len();
                self.merge(part, out)?;
                let is_whole = out.get(first..) == Some(&[id]);
                state.inspect(|state| state.store(if is_whole { WHOLE } else { PARTS }, Ordering::Relaxed));
            }
            _ => self.merge(part, out)?,
        }
        Ok(())
    }

    /// Appends the ids of a part.
    fn merge(&self, part: &str, out: &mut Vec<u32>) -> Result<(), String> {
        let start = out.len();
        self.symbols(part, |id, _| out.put(id))?;
        let ids = &mut out[start..];
        if ids.len() <= SHORT {
            let count = self.ranks.merge_short(ids);
            out.truncate(start + count);
            return Ok(());
        }
        self.ranks.merge_long(ids);
        let mut kept = start;
        for at in start..out.len() {
            out[kept] = out[at];
            kept += usize::from(out[at] != GONE);
        }
        out.truncate(kept);
        Ok(())
    }

    /// Calls `put` with the id and the number of bytes of each symbol of a piece.
    #[inline]
    fn symbols(&self, piece: &str, mut put: impl FnMut(u32, u32)) -> Result<(), String> {
        // An unknown token, and its number of bytes, that waits for the next known character.
        let mut waiting: Option<(u32, u32)> = None;
        let plain = self.prefix.is_empty() && self.suffix.is_empty();
        let mut spelling = Vec::new();
        for (at, c) in piece.char_indices() {
            let length = c.len_utf8();
            let id = if plain {
                self.alphabet.get(c)
            } else {
                self.spell(piece, at, length, &mut spelling);
                self.tokens.get(&spelling).unwrap_or(NO_TOKEN)
            };
            if id != NO_TOKEN {
                if let Some((id, length)) = waiting.take() {
                    put(id, length);
                }
                put(id, length as u32);
                continue;
            }
            if plain {
                spelling.clear();
                spelling.put_slice(&piece.as_bytes()[at..at + length]);
            }
            if let Some(bytes) = &self.bytes
                && spelling.iter().all(|&byte| bytes[usize::from(byte)].is_some())
            {
                spelling.iter().filter_map(|&byte| bytes[usize::from(byte)]).for_each(|id| put(id, 1));
                continue;
            }
            let Some((name, id)) = &self.unknown.name else { continue };
            let id = id.ok_or_else(|| format!("Unk token `{name}` not found in the vocabulary"))?;
            waiting = Some(match waiting {
                Some((id, before)) if self.unknown.fuse => (id, before + length as u32),
                Some((before, length_before)) => {
                    put(before, length_before);
                    (id, length as u32)
                }
                None => (id, length as u32),
            });
        }
        if let Some((id, length)) = waiting {
            put(id, length);
        }
        Ok(())
    }

    /// Spells the character at `at` as its token would be spelled.
    fn spell(&self, piece: &str, at: usize, length: usize, out: &mut Vec<u8>) {
        out.clear();
        if at > 0 {
            out.put_slice(self.prefix.as_bytes());
        }
        out.put_slice(&piece.as_bytes()[at..at + length]);
        if at + length == piece.len() {
            out.put_slice(self.suffix.as_bytes());
        }
    }

    /// The id of a whole piece, if this is all that counts.
    #[inline]
    fn whole(&self, piece: &str) -> Option<u32> {
        if self.whole { self.tokens.get(piece.as_bytes()) } else { None }
    }
}

impl Encode for CharBpe {
    fn encode(&self, piece: &str, memo: &mut Memo, out: &mut Vec<u32>) -> Result<(), String> {
        if let Some(id) = self.whole(piece) {
            out.put(id);
            return Ok(());
        }
        let Some(seams) = &self.seams else {
            return memo.get_or(piece.as_bytes(), out, |out| self.merge(piece, out));
        };
        let mut start = 0;
        while start < piece.len() {
            let end = seams.next::<false>(&self.alphabet, piece, start);
            memo.get_or_in(piece.as_bytes(), start..end, out, |out| self.part(&piece[start..end], out))?;
            start = end;
        }
        Ok(())
    }

    fn encode_unmarked(&self, piece: &str, memo: &mut Memo, out: &mut Vec<u32>) -> Result<(), String> {
        let Some(seams) = self.seams.as_ref().filter(|_| !self.whole) else {
            return self.encode(&marked(piece), memo, out);
        };
        let mut start = 0;
        while start < piece.len() {
            let end = seams.next::<true>(&self.alphabet, piece, start);
            memo.get_or_in(piece.as_bytes(), start..end, out, |out| match &piece[start..end] {
                part if part.contains(' ') => self.part(&marked(part), out),
                part => self.part(part, out),
            })?;
            start = end;
        }
        Ok(())
    }

    fn encode_places(&self, piece: &str, out: &mut Vec<u32>, places: &mut Vec<(u32, u32)>) -> Result<(), String> {
        if let Some(id) = self.whole(piece) {
            out.put(id);
            places.put((0, piece.len() as u32));
            return Ok(());
        }
        let (mut ids, mut lengths) = (Vec::new(), Vec::new());
        let (mut start, mut at) = (0, 0);
        while start < piece.len() {
            let end =
                self.seams.as_ref().map_or(piece.len(), |seams| seams.next::<false>(&self.alphabet, piece, start));
            ids.clear();
            lengths.clear();
            self.symbols(&piece[start..end], |id, length| {
                ids.put(id);
                lengths.put(length);
            })?;
            self.ranks.merge_long(&mut ids);
            for (&id, &length) in ids.iter().zip(&lengths) {
                match places.last_mut() {
                    Some(last) if id == GONE => last.1 += length,
                    _ => {
                        out.put(id);
                        places.put((at, at + length));
                    }
                }
                at += length;
            }
            start = end;
        }
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

/// How unknown characters behave at a seam.
fn behavior(bytes: Option<&[Option<u32>]>, unknown: &UnknownToken, tokens: &Tokens, merges: &[(u32, u32)]) -> Unknown {
    let all_bytes = bytes.is_some_and(|bytes| bytes.iter().all(Option::is_some));
    let mut stands_for_unknown = filled(false, tokens.end());
    let ids = bytes.into_iter().flatten().flatten().copied();
    for id in ids.chain(unknown.name.as_ref().and_then(|(_, id)| *id)) {
        stands_for_unknown[id as usize] = true;
    }
    let merge = merges.iter().any(|&(l, r)| stands_for_unknown[l as usize] || stands_for_unknown[r as usize]);
    // Characters that are left out make neighbours of those around them.
    let left_out = !all_bytes && unknown.name.is_none();
    Unknown { joins_known: merge || left_out, joins_unknown: merge || !all_bytes }
}

/// The token of a byte.
fn byte_token(byte: u8) -> Vec<u8> {
    format!("<0x{byte:02X}>").as_bytes().to_list()
}

/// Dropout is for training; what is no dropout at all is an error of the file.
pub(crate) fn check_dropout(settings: &Settings) -> Result<(), NotNative> {
    match settings.get("dropout") {
        None | Some(Value::Null) => Ok(()),
        Some(value) if value.as_f64().is_some_and(|value| (0.0..=1.0).contains(&value)) => Ok(()),
        Some(_) => Err(NotNative::new("model: dropout")),
    }
}

/// A setting that is true or false; false if it is missing.
pub(crate) fn flag(settings: &Settings, name: &str) -> Result<bool, NotNative> {
    match settings.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(value)) => Ok(*value),
        Some(_) => Err(NotNative::new(format!("model: {name}"))),
    }
}

/// A setting that is text, if it is there.
pub(crate) fn text<'a>(settings: &'a Settings, name: &str) -> Result<Option<&'a str>, NotNative> {
    match settings.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(value)) => Ok(Some(value)),
        Some(_) => Err(NotNative::new(format!("model: {name}"))),
    }
}
