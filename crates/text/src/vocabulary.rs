//! The vocabulary file: the bytes of each token, and the two tokens that merge into it.
//!
//! The data are OpenAI's (MIT licence, from the tiktoken project); `scripts/vocab.mjs` packs them. The decompressed
//! file is
//!
//! ```text
//! "TBVOCAB1"                     8 bytes
//! count                          u32, little endian: number of tokens, without special ones
//! the byte of token 0 .. 255     256 bytes, each value once
//! left, right                    for each token from 256 on: two LEB128 numbers, both smaller than its own id
//! ```
//!
//! A token's id is its rank. Merges contain all that bytes would, pack better, and need no search when they are read:
//! a token's bytes are those of its left half followed by those of its right half.
//!
//! One merge a token is enough, because of how tiktoken merges: any two neighbours whose joined bytes are a token,
//! smallest rank first, leftmost first. Until the two halves of a token are joined, no merge has crossed the token's
//! ends, so the merges inside came in the order in which the token alone would be encoded. So the two halves joined
//! last are always the same two. When the tables are built, it is checked that each token is the encoding of its own
//! bytes, as it must be.

use crate::error::TextError;
use tokenbed_memory::{List, with_room};

const MAGIC: &[u8; 8] = b"TBVOCAB1";

/// Largest number of tokens. Ids are packed three to a machine word (see `bpe::pairs`), which leaves 21 bits for
/// each.
pub(crate) const MAX_TOKENS: usize = 1 << 21;

/// Length of the longest token that is accepted, in bytes. OpenAI's longest has 128; without a limit a small hostile
/// file could describe tokens of 2^1000 bytes.
const MAX_TOKEN_BYTES: usize = 4096;

/// The same limit for all tokens together; o200k_base has 1.4 MB.
const MAX_TOTAL_BYTES: usize = 1 << 28;

/// A vocabulary that was read from a file and checked.
pub(crate) struct Vocabulary {
    /// The bytes of all tokens, end to end.
    bytes: Vec<u8>,
    /// Token `i` is `bytes[starts[i] .. starts[i + 1]]`.
    starts: Vec<u32>,
    /// The two halves of token `256 + i`.
    merges: Vec<(u32, u32)>,
}

impl Vocabulary {
    /// Reads a decompressed vocabulary file, and adds `more` tokens, each of which is made of two before it. Any bytes
    /// give a vocabulary or an error.
    pub(crate) fn parse(file: &[u8], more: &[(u32, u32)]) -> Result<Self, TextError> {
        let mut reader = Reader { file, at: 0 };
        if reader.take(8)? != MAGIC {
            return Err(reader.error_at(0, "it does not begin with TBVOCAB1"));
        }
        let count = reader.u32()? as usize;
        if !(256..=MAX_TOKENS).contains(&count) {
            return Err(reader.error_at(8, "the number of tokens is out of range"));
        }
        // Each token past the first 256 takes at least two bytes, so a false count cannot make us reserve much
        // memory.
        if (count - 256) * 2 > file.len() {
            return Err(reader.error_at(8, "it has fewer bytes than its number of tokens needs"));
        }

        let singles = reader.take(256)?;
        let mut seen = [false; 256];
        for (i, &byte) in singles.iter().enumerate() {
            if std::mem::replace(&mut seen[usize::from(byte)], true) {
                return Err(reader.error_at(12 + i, "a byte occurs twice among the first 256 tokens"));
            }
        }

        let mut vocabulary =
            Self { bytes: with_room(count * 7), starts: with_room(count + 1), merges: with_room(count - 256) };
        vocabulary.bytes.put_slice(singles);
        vocabulary.starts.put_all(0..=256);
        for id in 256..count {
            let offset = reader.at;
            let (left, right) = (reader.varint()?, reader.varint()?);
            if left as usize >= id || right as usize >= id {
                return Err(reader.error_at(offset, "a token is made from later tokens"));
            }
            let (a, b) = (vocabulary.range(left), vocabulary.range(right));
            let bytes = &mut vocabulary.bytes;
            if a.len() + b.len() > MAX_TOKEN_BYTES || bytes.len() + a.len() + b.len() > MAX_TOTAL_BYTES {
                return Err(reader.error_at(offset, "its tokens are too long"));
            }
            bytes.put_within(a);
            bytes.put_within(b);
            vocabulary.starts.put(bytes.len() as u32);
            vocabulary.merges.put((left, right));
        }
        if reader.at != file.len() {
            return Err(reader.error_at(reader.at, "bytes follow the last token"));
        }
        for &(left, right) in more {
            if left.max(right) as usize >= vocabulary.len() || vocabulary.len() == MAX_TOKENS {
                return Err(reader.error_at(8, "it has too few tokens for those that the encoding adds"));
            }
            for half in [left, right] {
                let range = vocabulary.range(half);
                vocabulary.bytes.put_within(range);
            }
            vocabulary.starts.put(vocabulary.bytes.len() as u32);
            vocabulary.merges.put((left, right));
        }
        Ok(vocabulary)
    }

    /// Number of tokens.
    pub(crate) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// The bytes of a token; `None` if there is no such id.
    pub(crate) fn token(&self, id: u32) -> Option<&[u8]> {
        ((id as usize) < self.len()).then(|| &self.bytes[self.range(id)])
    }

    /// `(id, left, right)` of every token that is a merge.
    pub(crate) fn merges(&self) -> impl Iterator<Item = (u32, u32, u32)> {
        self.merges.iter().zip(256..).map(|(&(left, right), id)| (id, left, right))
    }

    /// The two tokens that merge into this one; `None` if it is a single byte.
    pub(crate) fn halves(&self, id: u32) -> Option<(u32, u32)> {
        self.merges.get((id as usize).checked_sub(256)?).copied()
    }

    /// Offset in the file of the halves of token `id`.
    pub(crate) fn offset(&self, id: u32) -> usize {
        let before = self.merges.iter().take((id as usize).saturating_sub(256));
        let length = |number: u32| 1 + usize::from(number > 0x7f) + usize::from(number > 0x3fff);
        MAGIC.len() + 4 + 256 + before.map(|&(left, right)| length(left) + length(right)).sum::<usize>()
    }

    /// Length of the longest token in bytes.
    pub(crate) fn longest(&self) -> usize {
        self.starts.windows(2).map(|ends| (ends[1] - ends[0]) as usize).max().unwrap_or(0)
    }

    fn range(&self, id: u32) -> std::ops::Range<usize> {
        self.starts[id as usize] as usize..self.starts[id as usize + 1] as usize
    }
}

struct Reader<'a> {
    file: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn error_at(&self, offset: usize, reason: &'static str) -> TextError {
        TextError::Vocabulary { offset, reason }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], TextError> {
        let bytes = self.file.get(self.at..).and_then(|rest| rest.get(..length));
        let bytes = bytes.ok_or_else(|| self.error_at(self.file.len(), "it ends too soon"))?;
        self.at += length;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, TextError> {
        Ok(self.take(4)?.iter().rev().fold(0, |value, &byte| value << 8 | u32::from(byte)))
    }

    fn varint(&mut self) -> Result<u32, TextError> {
        let start = self.at;
        let mut value = 0;
        // Three groups of seven bits hold every id that MAX_TOKENS allows.
        for shift in [0, 7, 14] {
            let byte = self.take(1)?[0];
            value |= u32::from(byte & 127) << shift;
            if byte < 128 {
                return Ok(value);
            }
        }
        Err(self.error_at(start, "a number is too large"))
    }
}
