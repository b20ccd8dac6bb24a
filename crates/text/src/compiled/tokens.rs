//! The tokens of a model in compact form: their bytes end to end, and a hash table of their ids.

use super::NotNative;
use super::memo::head;
use tokenbed_memory::filled;

/// The tokens of a model and their ids. No two tokens have the same bytes or the same id.
#[derive(Debug)]
pub(crate) struct Tokens {
    bytes: Vec<u8>,
    /// Start and end of each token in `bytes`, by id. An id that no token has is `ABSENT`.
    places: Vec<(u32, u32)>,
    /// A hash table of ids: the upper half of a slot is a part of the hash, the lower half the id.
    slots: Vec<u64>,
    shift: u32,
    /// Number of tokens.
    count: usize,
    /// Number of bytes of the longest token.
    longest: usize,
}

const ABSENT: (u32, u32) = (u32::MAX, u32::MAX);
const EMPTY: u64 = u64::MAX;

/// Ids may have this many holes for each token. The library's crate takes files with more.
const HOLES: usize = 4;

impl Tokens {
    /// Builds the tables. `bytes` are the tokens end to end; each of `tokens` is a start, an end and an id.
    pub(crate) fn new(bytes: Vec<u8>, tokens: &[(u32, u32, u32)]) -> Result<Self, NotNative> {
        let largest = tokens.iter().map(|token| token.2 as usize + 1).max().unwrap_or(0);
        if largest > tokens.len() * (HOLES + 1) + 1024 {
            return Err(NotNative::new("model: ids far apart"));
        }
        Self::sparse(bytes, tokens)
    }

    /// The same for a few tokens among many others.
    pub(crate) fn sparse(bytes: Vec<u8>, tokens: &[(u32, u32, u32)]) -> Result<Self, NotNative> {
        let largest = tokens.iter().map(|token| token.2 as usize + 1).max().unwrap_or(0);
        let size = (tokens.len().max(8) * 2).next_power_of_two();
        let mut it = Self {
            bytes,
            places: filled(ABSENT, largest),
            slots: filled(EMPTY, size),
            shift: 64 - size.trailing_zeros(),
            count: tokens.len(),
            longest: 0,
        };
        for &(start, end, id) in tokens {
            if it.places[id as usize] != ABSENT {
                return Err(NotNative::new("model: two tokens with one id"));
            }
            it.places[id as usize] = (start, end);
            it.longest = it.longest.max((end - start) as usize);
            let hash = hash(&it.bytes[start as usize..end as usize]);
            let mut at = (hash >> it.shift) as usize;
            while it.slots[at] != EMPTY {
                if it.slots[at] >> 32 == hash & 0xffff_ffff && it.is(it.slots[at], start, end) {
                    return Err(NotNative::new("model: one token twice"));
                }
                at = (at + 1) & (size - 1);
            }
            it.slots[at] = (hash & 0xffff_ffff) << 32 | u64::from(id);
        }
        Ok(it)
    }

    fn is(&self, slot: u64, start: u32, end: u32) -> bool {
        let (from, to) = self.places[(slot & 0xffff_ffff) as usize];
        self.bytes[from as usize..to as usize] == self.bytes[start as usize..end as usize]
    }

    /// The bytes of all tokens, and start and end of each by its id, for a model that finds tokens in its own way.
    pub(crate) fn into_parts(self) -> (Vec<u8>, Vec<(u32, u32)>) {
        (self.bytes, self.places)
    }

    /// Number of tokens.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// The largest id plus one.
    pub(crate) fn end(&self) -> usize {
        self.places.len()
    }

    /// The id of the token with these bytes.
    #[inline]
    pub(crate) fn get(&self, token: &[u8]) -> Option<u32> {
        if token.len() > self.longest {
            return None;
        }
        let hash = hash(token);
        let mask = self.slots.len() - 1;
        let mut at = (hash >> self.shift) as usize;
        loop {
            let slot = self.slots[at & mask];
            if slot == EMPTY {
                return None;
            }
            if slot >> 32 == hash & 0xffff_ffff {
                let id = slot as u32;
                if self.token(id) == Some(token) {
                    return Some(id);
                }
            }
            at += 1;
        }
    }

    /// The bytes of a token.
    #[inline]
    pub(crate) fn token(&self, id: u32) -> Option<&[u8]> {
        let &(start, end) = self.places.get(id as usize)?;
        self.bytes.get(start as usize..end as usize)
    }

    /// All ids and tokens, in the order of the ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &[u8])> {
        (0..self.places.len() as u32).filter_map(|id| Some((id, self.token(id)?)))
    }
}

/// A hash of a token's bytes.
#[inline]
fn hash(bytes: &[u8]) -> u64 {
    let mut hash = bytes.len() as u64;
    for word in bytes.chunks(8) {
        hash = (hash ^ head(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^= hash >> 32;
    }
    hash.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
