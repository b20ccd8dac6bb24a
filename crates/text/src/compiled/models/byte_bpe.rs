//! BPE over bytes. The file spells its tokens with a letter for each byte; here the tokens are bytes, so that texts
//! need not be spelled so.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU8, Ordering};

use tokenbed_memory::{Gather, List, with_room};

use super::super::tokens::Others;
use super::super::{Memo, NotNative, Tokens};
use super::char_bpe::{check_dropout, flag, text};
use super::ranks::{GONE, Ranks, SHORT};
use super::{Encode, Merges, Settings, letters, spelling};

/// A byte level BPE model.
pub(crate) struct ByteBpe {
    /// Tokens by their bytes.
    tokens: Tokens,
    /// Tokens with characters that stand for no byte, as they are spelled. No text has them.
    others: Others,
    ranks: Ranks,
    /// The token of each byte, or [`GONE`] if it has none.
    bytes: [u32; 256],
    /// The same for the last byte of a piece, if that has tokens of its own.
    last: Option<Box<[u32; 256]>>,
    unknown: Option<u32>,
    fuse_unknown: bool,
    ignore_merges: bool,
    /// For each token: whether it is the encoding of its own bytes ([`UNSEEN`], [`WHOLE`] or [`PARTS`]).
    whole: Vec<AtomicU8>,
}

const UNSEEN: u8 = 0;
const WHOLE: u8 = 1;
const PARTS: u8 = 2;

impl ByteBpe {
    /// Whether these settings are those of a model whose pieces are bytes.
    pub(crate) fn fits(settings: &Settings) -> bool {
        settings.get("continuing_subword_prefix").is_none_or(|prefix| prefix.is_null() || prefix == "")
    }

    pub(crate) fn compile(settings: &Settings, tokens: Tokens, merges: &Merges) -> Result<Self, NotNative> {
        let ranks = Ranks::new(merges, &tokens, 0)?;
        let (bytes_of, others) = by_bytes(&tokens)?;
        drop(tokens);
        check_dropout(settings)?;
        let mut it = Self {
            tokens: bytes_of,
            others,
            ranks,
            bytes: [GONE; 256],
            last: None,
            unknown: None,
            fuse_unknown: flag(settings, "fuse_unk")?,
            ignore_merges: flag(settings, "ignore_merges")?,
            whole: Vec::new(),
        };
        for byte in 0..=u8::MAX {
            it.bytes[usize::from(byte)] = it.tokens.get(&[byte]).unwrap_or(GONE);
        }
        if let Some(suffix) = text(settings, "end_of_word_suffix")?.filter(|suffix| !suffix.is_empty()) {
            let mut last = [GONE; 256];
            let mut ending = Vec::new();
            for byte in 0..=u8::MAX {
                ending.clear();
                ending.put(byte);
                // A suffix that cannot be spelled in bytes makes the last token of every piece unknown.
                if !letters::to_bytes(suffix, &mut ending) {
                    return Err(NotNative::new("model: end_of_word_suffix"));
                }
                last[usize::from(byte)] = it.tokens.get(&ending).unwrap_or(GONE);
            }
            it.last = Some(Box::new(last));
        }
        let lacks = |bytes: &[u32; 256]| bytes.contains(&GONE);
        let unknown = text(settings, "unk_token")?;
        let falls_back = flag(settings, "byte_fallback")?;
        if lacks(&it.bytes) || it.last.as_deref().is_some_and(lacks) {
            if falls_back {
                return Err(NotNative::new("model: byte_fallback below ByteLevel"));
            }
            if let Some(unknown) = unknown {
                it.unknown = Some(it.id_of(unknown).ok_or_else(|| NotNative::new("model: unk_token"))?);
            }
        }
        if it.last.is_none() {
            it.whole = (0..it.tokens.end()).map(|_| AtomicU8::new(UNSEEN)).into_list();
        }
        Ok(it)
    }

    /// Bytes of memory.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        self.tokens.memory() + self.others.memory() + self.ranks.memory() + self.whole.capacity()
    }

    /// The token that the whole piece is.
    #[inline]
    fn whole_token(&self, piece: &[u8]) -> Option<u32> {
        let id = self.tokens.get(piece)?;
        if self.ignore_merges {
            return Some(id);
        }
        let state = self.whole.get(id as usize)?;
        match state.load(Ordering::Relaxed) {
            WHOLE => Some(id),
            PARTS => None,
            _ => {
                let mut ids = Vec::new();
                self.merge(piece, &mut ids);
                let is_whole = ids == [id];
                state.store(if is_whole { WHOLE } else { PARTS }, Ordering::Relaxed);
                is_whole.then_some(id)
            }
        }
    }

    /// Appends the tokens that the merges make of a piece.
    fn merge(&self, piece: &[u8], out: &mut Vec<u32>) {
        let lacks_bytes = self.begin(piece).any(|id| id == GONE);
        if piece.len() > SHORT || lacks_bytes {
            let (mut ids, _) = self.first(piece);
            self.ranks.merge_long(&mut ids);
            out.put_all(ids.into_iter().filter(|&id| id != GONE));
            return;
        }
        let mut ids = [0; SHORT];
        ids.iter_mut().zip(self.begin(piece)).for_each(|(place, id)| *place = id);
        let count = self.ranks.merge_short(&mut ids[..piece.len()]);
        out.put_slice(&ids[..count]);
    }

    /// The token of each byte of a piece, or [`GONE`].
    fn begin(&self, piece: &[u8]) -> impl Iterator<Item = u32> {
        let end = piece.len().wrapping_sub(1);
        piece.iter().enumerate().map(move |(at, &byte)| match &self.last {
            Some(last) if at == end => last[usize::from(byte)],
            _ => self.bytes[usize::from(byte)],
        })
    }

    /// The tokens before any merge, and the number of bytes of each. Bytes without a token are unknown, or are left
    /// out if nothing stands for unknown ones.
    fn first(&self, piece: &[u8]) -> (Vec<u32>, Vec<u32>) {
        let (mut ids, mut sizes): (Vec<u32>, Vec<u32>) = (with_room(piece.len()), with_room(piece.len()));
        let mut after_unknown = false;
        for id in self.begin(piece) {
            match (id, self.unknown) {
                (GONE, None) => {}
                (GONE, Some(_)) if after_unknown && self.fuse_unknown => {
                    sizes.last_mut().into_iter().for_each(|size| *size += 1);
                }
                (GONE, Some(unknown)) => {
                    ids.put(unknown);
                    sizes.put(1);
                    after_unknown = true;
                }
                (id, _) => {
                    ids.put(id);
                    sizes.put(1);
                    after_unknown = false;
                }
            }
        }
        (ids, sizes)
    }

    /// Changes places among the bytes that have tokens to what the library gives for the whole piece. It spells bytes
    /// as letters of one or two bytes, and those that are left out do not count in a place, but are there when the
    /// place is looked for in the text.
    fn without_lost(&self, piece: &[u8], places: &mut [(u32, u32)]) {
        let (mut owners, mut ends): (Vec<u32>, Vec<usize>) = (Vec::new(), Vec::new());
        ends.put(0);
        let mut end = 0;
        for ((at, &byte), id) in (0..).zip(piece).zip(self.begin(piece)) {
            let width = letters::of(byte).len_utf8();
            owners.put_all(std::iter::repeat_n(at, width));
            if id != GONE {
                end += width;
                ends.put(end);
            }
        }
        for place in places {
            let (start, end) = (ends[place.0 as usize], ends[place.1 as usize]);
            *place = (owners[start], owners[end - 1] + 1);
        }
    }
}

impl Encode for ByteBpe {
    fn remembers(&self) -> bool {
        true
    }

    #[inline]
    fn encode(&self, piece: &str, memo: &mut Memo, out: &mut Vec<u32>) -> Result<(), String> {
        let piece = piece.as_bytes();
        memo.get_or(piece, out, |out| {
            match self.whole_token(piece) {
                Some(id) => out.put(id),
                None => self.merge(piece, out),
            }
            Ok(())
        })
    }

    fn encode_places(&self, piece: &str, out: &mut Vec<u32>, places: &mut Vec<(u32, u32)>) -> Result<(), String> {
        let piece = piece.as_bytes();
        if self.ignore_merges
            && let Some(id) = self.tokens.get(piece)
        {
            out.put(id);
            places.put((0, piece.len() as u32));
            return Ok(());
        }
        let (mut ids, sizes) = self.first(piece);
        self.ranks.merge_long(&mut ids);
        let first = places.len();
        let (mut at, mut left) = (0, None);
        for (id, size) in ids.into_iter().zip(sizes) {
            if id != GONE {
                if let Some(start) = left.replace(at) {
                    places.put((start, at));
                }
                out.put(id);
            }
            at += size;
        }
        places.put_all(left.map(|start| (start, at)));
        if (at as usize) < piece.len() {
            self.without_lost(piece, &mut places[first..]);
        }
        Ok(())
    }

    fn token(&self, id: u32) -> Option<Cow<'_, str>> {
        let other = || self.others.token(id).and_then(spelling);
        self.tokens.token(id).map(|bytes| Cow::Owned(letters::of_bytes(bytes))).or_else(other)
    }

    fn id_of(&self, token: &str) -> Option<u32> {
        let mut bytes = Vec::new();
        if letters::to_bytes(token, &mut bytes) { self.tokens.get(&bytes) } else { self.others.get(token.as_bytes()) }
    }

    fn sizes(&self) -> (usize, usize) {
        (self.tokens.len() + self.others.len(), self.tokens.end().max(self.others.end()))
    }
}

/// Tokens by their bytes, and those that stand for no bytes.
fn by_bytes(tokens: &Tokens) -> Result<(Tokens, Others), NotNative> {
    let (mut bytes, mut places) = (Vec::new(), with_room(tokens.len()));
    let (mut others, mut other_places) = (Vec::new(), Vec::new());
    for (id, token) in tokens.iter() {
        let start = bytes.len() as u32;
        let text = std::str::from_utf8(token).map_err(|_| NotNative::new("model: a token that is no text"))?;
        if letters::to_bytes(text, &mut bytes) {
            places.put((start, bytes.len() as u32, id));
        } else {
            let start = others.len() as u32;
            others.put_slice(token);
            other_places.put((start, others.len() as u32, id));
        }
    }
    Ok((Tokens::new(bytes, &places)?, Others::new(others, other_places)))
}
