//! Encodes and decodes text with an encoding (tiktoken: `Encoding`).

use crate::batch::{self, ALWAYS, GoOn};
use crate::bpe::{Bpe, Recent};
use crate::encoding::Encoding;
use crate::error::{TextError, fit_u32};
use crate::file::Habits;
use crate::padding::Side;
use crate::parts::{PART, Parts};
use crate::special::Searches;
use tokenbed_memory::{Gather, List, with_room};

/// An encoding with its vocabulary. It is immutable, so any number of threads may use it.
pub(crate) struct Tiktoken {
    encoding: Encoding,
    bpe: Bpe,
}

/// Added to the id of a special token until the text is done, so that it is told from those that a gap moves.
const SPECIAL: u32 = 1 << 31;

/// Number of ids that [`Tiktoken::count`] holds before it drops them.
const COUNTED_AT_ONCE: usize = 1 << 16;

impl Tiktoken {
    /// A tokenizer for `encoding`; `ranks` is its vocabulary file, decompressed (`vocab/<vocabulary>.br`).
    pub(crate) fn new(encoding: Encoding, ranks: &[u8]) -> Result<Self, TextError> {
        let bpe = Bpe::new(ranks, encoding.more)?;
        if let Some(expected) = encoding.tokens.filter(|&expected| expected != bpe.len()) {
            return Err(TextError::WrongVocabulary { encoding: encoding.name, expected, found: bpe.len() });
        }
        for (i, (token, id)) in encoding.special.iter().enumerate() {
            // A token that is only reserved may have the id of a named one.
            let is_reserved = *token == format!("<|reserved_{id}|>");
            let taken = |(other, other_id): &(String, u32)| other == token || other_id == id && !is_reserved;
            let taken = encoding.special[..i].iter().any(taken);
            let is_used = (*id as usize) < bpe.len() + usize::from(encoding.gap.is_some()) && encoding.gap != Some(*id);
            let reason = match () {
                () if token.is_empty() => "its text is empty",
                () if is_used => "the vocabulary uses its id",
                () if *id >= SPECIAL => "the id is too large",
                () if taken => "another one has the same text or id",
                () => continue,
            };
            return Err(TextError::SpecialToken { token: token.clone(), id: *id, reason });
        }
        Ok(Self { encoding, bpe })
    }

    /// Name of the encoding.
    pub(crate) fn name(&self) -> &str {
        &self.encoding.name
    }

    /// The special tokens and their ids.
    pub(crate) fn special_tokens(&self) -> &[(String, u32)] {
        &self.encoding.special
    }

    /// Texts are filled up with the token that ends them; there is no padding token.
    pub(crate) fn habits(&self) -> Habits {
        let end = self.encoding.special.iter().find(|(name, _)| name == "<|endoftext|>");
        Habits {
            padding_id: end.map(|&(_, id)| id),
            padding_side: Side::Right,
            truncation_side: Side::Right,
            truncation_length: None,
        }
    }

    /// The largest id plus one, which is the number of rows that a table needs (tiktoken: `n_vocab`).
    pub(crate) fn vocab_size(&self) -> usize {
        let special = self.encoding.special.iter().map(|&(_, id)| id as usize + 1);
        special.fold(self.bpe.len() + usize::from(self.encoding.gap.is_some()), usize::max)
    }

    /// The id of the token at a place of the vocabulary.
    fn id_at(&self, place: u32) -> u32 {
        match self.encoding.gap {
            Some(gap) if place >= gap => place + 1,
            _ => place,
        }
    }

    /// The place in the vocabulary of the token with an id.
    fn place_of(&self, id: u32) -> Option<u32> {
        match self.encoding.gap {
            Some(gap) if id == gap => None,
            Some(gap) if id > gap => Some(id - 1),
            _ => Some(id),
        }
    }

    /// What stands for a special token until [`Self::settle`].
    fn mark(&self, token: &str) -> Option<u32> {
        let id = self.encoding.special.iter().find(|(name, _)| name == token).map(|&(_, id)| id)?;
        Some(if self.encoding.gap.is_some() { id + SPECIAL } else { id })
    }

    /// Turns places into ids, once nothing more is copied from those that were written.
    fn settle(&self, ids: &mut [u32]) {
        if self.encoding.gap.is_some() {
            ids.iter_mut().for_each(|id| *id = if *id >= SPECIAL { *id - SPECIAL } else { self.id_at(*id) });
        }
    }

    /// Appends the ids of `text` to `out` (tiktoken: `encode`). After an error `out` is unchanged.
    pub(crate) fn encode(&self, text: &str, searches: &Searches<'_>, out: &mut Vec<u32>) -> Result<(), TextError> {
        let start = out.len();
        self.for_each_piece(text, searches, out, |_, _| ())?;
        self.settle(&mut out[start..]);
        Ok(())
    }

    /// The ids of `text`, and for each the number of the piece that it belongs to: a piece of the pattern, or a special
    /// token.
    pub(crate) fn encode_words(&self, text: &str, searches: &Searches<'_>) -> Result<(Vec<u32>, Vec<u32>), TextError> {
        let (mut ids, mut words, mut word) = (Vec::new(), Vec::new(), 0);
        self.for_each_piece(text, searches, &mut ids, |ids, _| {
            words.fill_to(ids.len(), word);
            word += 1;
        })?;
        self.settle(&mut ids);
        Ok((ids, words))
    }

    /// [`Self::encode`] for a long text, on up to `threads` threads.
    pub(crate) fn encode_long(
        &self,
        text: &str,
        searches: &Searches<'_>,
        how: (usize, GoOn<'_>),
        out: &mut Vec<u32>,
    ) -> Result<(), TextError> {
        fit_u32("the text", text.len())?;
        if text.len() < 2 * PART || searches.may_hold_spaces() {
            return self.encode(text, searches, out);
        }
        searches.check(text)?;
        self.encode_parts(&Parts::new(text, PART).into_list(), searches, how, out)
    }

    /// Number of ids of `text`, in memory that does not grow with it.
    pub(crate) fn count(&self, text: &str, searches: &Searches<'_>) -> Result<usize, TextError> {
        let mut count = 0;
        let mut ids = Vec::new();
        self.for_each_piece(text, searches, &mut ids, |ids, recent| {
            if ids.len() > COUNTED_AT_ONCE {
                count += ids.len();
                ids.clear();
                recent.forget();
            }
        })?;
        Ok(count + ids.len())
    }

    /// The bytes that the ids stand for (tiktoken: `decode_bytes`), with or without special tokens.
    pub(crate) fn decode_bytes(&self, ids: &[u32], skip_special: bool) -> Result<Vec<u8>, TextError> {
        let mut bytes = with_room(ids.len().saturating_mul(4));
        for (position, &id) in ids.iter().enumerate() {
            let token = self.find(id).ok_or_else(|| self.unknown(position, id))?;
            if !(skip_special && self.is_special(id)) {
                bytes.put_slice(token);
            }
        }
        Ok(bytes)
    }

    /// The bytes of one token (tiktoken: `decode_single_token_bytes`).
    pub(crate) fn token_bytes(&self, id: u32) -> Result<&[u8], TextError> {
        self.find(id).ok_or_else(|| self.unknown(0, id))
    }

    /// The id of the token with exactly these bytes, if there is one (tiktoken: `encode_single_token`).
    pub(crate) fn id_of(&self, token: &[u8]) -> Option<u32> {
        let special = || self.encoding.special.iter().find(|(name, _)| name.as_bytes() == token).map(|&(_, id)| id);
        self.bpe.id_of(token).map(|place| self.id_at(place)).or_else(special)
    }

    /// Whether an id is not one of the vocabulary's.
    fn is_special(&self, id: u32) -> bool {
        self.place_of(id).is_none_or(|place| place as usize >= self.bpe.len())
    }

    fn find(&self, id: u32) -> Option<&[u8]> {
        let special = || self.encoding.special.iter().find(|special| special.1 == id).map(|(name, _)| name.as_bytes());
        self.place_of(id).and_then(|place| self.bpe.token(place)).or_else(special)
    }

    fn unknown(&self, position: usize, value: u32) -> TextError {
        TextError::UnknownId { position, value, vocab_size: self.vocab_size() }
    }

    /// Appends the ids of as much of `text` as has the same ids in every text that begins with it, and returns that
    /// number of bytes.
    pub(crate) fn encode_certain(
        &self,
        text: &str,
        searches: &Searches<'_>,
        out: &mut Vec<u32>,
    ) -> Result<usize, TextError> {
        let first = out.len();
        let end = self.encode_certain_places(text, searches, out)?;
        self.settle(&mut out[first..]);
        Ok(end)
    }

    fn encode_certain_places(
        &self,
        text: &str,
        searches: &Searches<'_>,
        out: &mut Vec<u32>,
    ) -> Result<usize, TextError> {
        let checked = searches.check_certain(text)?;
        let mut recent = Recent::new(text.len());
        let mut start = 0;
        loop {
            let decided = searches.allowed.decided(text, start).min(checked);
            let special = searches.allowed.find(text, start).filter(|&(at, _)| at < decided);
            let Some((at, token)) = special else {
                // A special token may begin at `decided`, which would end the stretch there.
                let stretch = text.get(start..decided).unwrap_or_default();
                let end = self.encoding.pattern.split_certain(stretch, |start, end| {
                    self.bpe.encode(stretch.as_bytes(), start, end, &mut recent, out);
                });
                return Ok(start + end);
            };
            let stretch = &text[start..at];
            self.encoding.pattern.split(stretch, |start, end| {
                self.bpe.encode(stretch.as_bytes(), start, end, &mut recent, out);
            });
            start = at + token.len();
            if start > checked {
                // The undecided part about disallowed tokens begins within this token.
                return Ok(at);
            }
            out.put_all(self.mark(token));
        }
    }

    /// [`Self::encode_certain`] on up to `threads` threads, if the text is long.
    pub(crate) fn encode_certain_long(
        &self,
        text: &str,
        searches: &Searches<'_>,
        threads: usize,
        out: &mut Vec<u32>,
    ) -> Result<usize, TextError> {
        if threads < 2 || text.len() < 2 * PART || searches.may_hold_spaces() {
            return self.encode_certain(text, searches, out);
        }
        let decided = searches.check_certain(text)?;
        let (mut parts, mut end) = (Vec::new(), 0);
        for part in Parts::new(text, PART) {
            // The last part need not end at a place where every text may be cut.
            if end + part.len() >= decided {
                break;
            }
            end += part.len();
            parts.put(part);
        }
        self.encode_parts(&parts, searches, (threads, ALWAYS), out)?;
        Ok(end + self.encode_certain(&text[end..], searches, out)?)
    }

    /// Appends the ids of parts that have no disallowed tokens.
    fn encode_parts(
        &self,
        parts: &[&str],
        searches: &Searches<'_>,
        (threads, go_on): (usize, GoOn<'_>),
        out: &mut Vec<u32>,
    ) -> Result<(), TextError> {
        let encoded = batch::encode(parts, (threads, PART), go_on, |part, ids| {
            let start = ids.len();
            self.for_each_checked(part, searches, ids, |_, _| ());
            self.settle(&mut ids[start..]);
            Ok(())
        })?;
        encoded.rows().for_each(|ids| out.put_slice(ids));
        Ok(())
    }

    /// Appends the ids of `text` to `out`, and calls `done` after each piece.
    fn for_each_piece(
        &self,
        text: &str,
        searches: &Searches<'_>,
        out: &mut Vec<u32>,
        done: impl FnMut(&mut Vec<u32>, &mut Recent),
    ) -> Result<(), TextError> {
        fit_u32("the text", text.len())?;
        searches.check(text)?;
        self.for_each_checked(text, searches, out, done);
        Ok(())
    }

    /// The same for a text that has no disallowed tokens.
    fn for_each_checked(
        &self,
        text: &str,
        searches: &Searches<'_>,
        out: &mut Vec<u32>,
        mut done: impl FnMut(&mut Vec<u32>, &mut Recent),
    ) {
        let mut recent = Recent::new(text.len());
        let mut start = 0;
        loop {
            let special = searches.allowed.find(text, start);
            // Each stretch between special tokens is a text of its own: its end is an end of text for the pattern.
            let stretch = &text[start..special.map_or(text.len(), |(at, _)| at)];
            self.encoding.pattern.split(stretch, |start, end| {
                self.bpe.encode(stretch.as_bytes(), start, end, &mut recent, out);
                done(out, &mut recent);
            });
            let Some((at, token)) = special else { return };
            out.put_all(self.mark(token));
            done(out, &mut recent);
            start = at + token.len();
        }
    }
}
