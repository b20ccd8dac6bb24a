//! WordPiece: a word becomes the longest token that it begins with, then the longest that continues it, and so on.
//!
//! The time is linear in a word's length: only lengths that tokens have are tried, and of those only the lengths of
//! tokens that begin with the same two bytes.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::char_bpe::text;
use super::{Encode, Settings, spelled};
use crate::compiled::tokens::{Table, hash};
use crate::compiled::{Memo, NotNative, Tokens};
use crate::file::word_piece::MOST_BYTES;
use tokenbed_memory::{Gather, List, filled};

/// The model.
pub(crate) struct WordPiece {
    tokens: Tokens,
    /// Lengths of the tokens that words begin with.
    first: Lengths,
    following: Following,
    unknown: Option<u32>,
    unknown_name: String,
    /// Words with more characters are unknown.
    most_characters: usize,
}

/// The tokens that continue a word, by their text without the mark in front.
struct Following {
    lengths: Lengths,
    /// Number of bytes of the mark.
    mark: usize,
    table: Table,
}

/// The lengths that tokens have, by the two bytes that they begin with.
struct Lengths {
    /// Bits of lengths; bit [`LONG`] stands for all from there on.
    bits: Vec<u32>,
    /// The lengths from [`LONG`] on, the longest first.
    long: Vec<usize>,
}

const LONG: usize = 31;

/// Number of places for the first two bytes of tokens, a power of two. Two that share a place cost time only.
const PLACES: usize = 4096;

impl WordPiece {
    /// Compiles the model.
    pub(crate) fn compile(settings: &Settings, tokens: Tokens) -> Result<Self, NotNative> {
        let missing = |name: &str| NotNative::new(format!("model: {name}"));
        let unknown = text(settings, "unk_token")?.ok_or_else(|| missing("unk_token"))?;
        let mark = text(settings, "continuing_subword_prefix")?.ok_or_else(|| missing("continuing_subword_prefix"))?;
        let most = settings.get("max_input_chars_per_word").and_then(serde_json::Value::as_u64);
        let most = most.ok_or_else(|| missing("max_input_chars_per_word"))?;
        let following = Following::new(&tokens, mark)?;
        let first = Lengths::new(tokens.iter().map(|(_, token)| token));
        if first.bytes().saturating_add(following.lengths.bytes()) > MOST_BYTES {
            return Err(NotNative::new("model: tokens of too many lengths"));
        }
        Ok(Self {
            first,
            following,
            unknown: tokens.get(unknown.as_bytes()),
            unknown_name: unknown.to_owned(),
            most_characters: usize::try_from(most).unwrap_or(usize::MAX),
            tokens,
        })
    }

    /// Bytes of memory.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        let lengths = 4 * (self.first.bits.capacity() + self.following.lengths.bits.capacity());
        self.tokens.memory() + self.following.table.memory() + lengths
    }

    /// Calls `put` with the id and the end of each token of a word. False if the word is unknown; then some may have
    /// been put.
    #[inline]
    fn pieces(&self, word: &str, mut put: impl FnMut(u32, usize)) -> bool {
        if word.len() > self.most_characters && word.chars().count() > self.most_characters {
            return false;
        }
        let bytes = word.as_bytes();
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let found = if at == 0 {
                self.first.longest(rest, |token| self.tokens.get(token))
            } else {
                self.following.lengths.longest(rest, |token| self.following.get(&self.tokens, token))
            };
            let Some((length, id)) = found else { return false };
            at += length;
            put(id, at);
        }
        true
    }

    fn unknown(&self) -> Result<u32, String> {
        self.unknown.ok_or_else(|| {
            let name = &self.unknown_name;
            format!("the vocabulary does not have the token {name:?} for what it does not know")
        })
    }
}

impl Encode for WordPiece {
    fn remembers(&self) -> bool {
        true
    }

    fn encode(&self, piece: &str, memo: &mut Memo, out: &mut Vec<u32>) -> Result<(), String> {
        memo.get_or(piece.as_bytes(), out, |out| {
            let start = out.len();
            if !self.pieces(piece, |id, _| out.put(id)) {
                out.truncate(start);
                out.put(self.unknown()?);
            }
            Ok(())
        })
    }

    fn encode_places(&self, piece: &str, out: &mut Vec<u32>, places: &mut Vec<(u32, u32)>) -> Result<(), String> {
        let (start, start_places) = (out.len(), places.len());
        let mut before = 0;
        let known = self.pieces(piece, |id, end| {
            out.put(id);
            places.put((before, end as u32));
            before = end as u32;
        });
        if !known {
            out.truncate(start);
            places.truncate(start_places);
            out.put(self.unknown()?);
            places.put((0, piece.len() as u32));
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

impl Following {
    fn new(tokens: &Tokens, mark: &str) -> Result<Self, NotNative> {
        let rest = |token| <[u8]>::strip_prefix(token, mark.as_bytes()).filter(|rest| !rest.is_empty());
        let all = || tokens.iter().filter_map(|(id, token)| Some((id, rest(token)?)));
        let mut table = Table::new(all().count(), tokens.end());
        for (id, rest) in all() {
            table.insert(hash(rest), id, |_| false)?;
        }
        Ok(Self { lengths: Lengths::new(all().map(|(_, rest)| rest)), mark: mark.len(), table })
    }

    /// The token that continues a word with these bytes.
    #[inline]
    fn get(&self, tokens: &Tokens, rest: &[u8]) -> Option<u32> {
        self.table.find(hash(rest), |id| tokens.token(id).and_then(|token| token.get(self.mark..)) == Some(rest))
    }
}

impl Lengths {
    fn new<'a>(tokens: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut bits = filled(0u32, PLACES);
        let mut long = BTreeSet::new();
        for token in tokens.filter(|token| !token.is_empty()) {
            if token.len() >= LONG {
                long.insert(token.len());
            }
            bits[place(token)] |= 1 << token.len().min(LONG);
        }
        Self { bits, long: long.into_iter().rev().into_list() }
    }

    /// Number of bytes that may be compared for one token.
    fn bytes(&self) -> usize {
        let all = self.bits.iter().fold(0, |all, bits| all | bits);
        (1..LONG).filter(|length| all >> length & 1 != 0).chain(self.long.iter().copied()).sum()
    }

    /// The longest token that `rest` begins with: its length and its id.
    #[inline]
    fn longest(&self, rest: &[u8], get: impl Fn(&[u8]) -> Option<u32>) -> Option<(usize, u32)> {
        let get = |length: usize| Some((length, get(rest.get(..length)?)?));
        // Tokens of one byte are at a place of their own.
        let mut bits = if rest.len() > 1 { self.bits[place(rest)] } else { 0 };
        if bits >> LONG != 0
            && let Some(found) = self.long.iter().find_map(|&length| get(length))
        {
            return Some(found);
        }
        bits &= u32::MAX >> (LONG - rest.len().min(LONG - 1));
        while bits != 0 {
            let length = LONG - bits.leading_zeros() as usize;
            if let Some(found) = get(length) {
                return Some(found);
            }
            bits ^= 1 << length;
        }
        get(1)
    }
}

/// The place of the first two bytes of a token or a text.
#[inline]
fn place(text: &[u8]) -> usize {
    let two =
        text.first_chunk::<2>().map_or(u16::from(text.first().copied().unwrap_or(0)), |two| u16::from_le_bytes(*two));
    usize::from(two.wrapping_mul(0x9e37) >> 4) % PLACES
}
