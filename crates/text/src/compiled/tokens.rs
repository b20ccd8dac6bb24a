//! The tokens of a model in compact form: their bytes end to end, and a hash table of their ids.

use std::ops::Range;

use super::NotNative;
use super::memo::head;
use tokenbed_memory::{Gather, List, Slice, filled, with_room};

/// The tokens of a model and their ids. No two tokens have the same bytes or the same id.
///
/// Besides the bytes of the tokens it takes seven to nine bytes for each.
#[derive(Debug)]
pub(crate) struct Tokens {
    /// The tokens end to end, in the order of their ids.
    bytes: Vec<u8>,
    /// Where each token is in `bytes`, by id. An id that no token has is of no bytes.
    starts: Starts,
    /// The token of no bytes.
    empty: Option<u32>,
    table: Table,
    /// Number of tokens.
    count: usize,
    /// Number of bytes of the longest token.
    longest: usize,
}

/// The start of each token, and the end of the last one.
#[derive(Debug)]
pub(crate) enum Starts {
    /// Rows of [`CLOSE`] tokens with less than 256 bytes.
    Close(Rows<u8>),
    /// Rows of [`NEAR`] tokens with less than 64 KB.
    Near(Rows<u16>),
    Far(Vec<u32>),
}

/// Most vocabularies have such rows.
const CLOSE: usize = 16;
/// All vocabularies do, unless they are made to have long tokens.
const NEAR: usize = 64;

/// Starts that count from the first one of their row.
#[derive(Debug)]
pub(crate) struct Rows<T> {
    firsts: Vec<u32>,
    starts: Vec<T>,
}

impl<T: TryFrom<u32> + Copy> Rows<T> {
    /// `None` if a row has too many bytes.
    fn new(all: &[u32], row: usize) -> Option<Self> {
        let within = || all.chunks(row).flat_map(|row| row.iter().map(|start| T::try_from(start - row[0])));
        if within().any(|start| start.is_err()) {
            return None;
        }
        let mut starts = with_room(all.len());
        starts.put_all(within().flatten());
        Some(Self { firsts: all.iter().step_by(row).copied().into_list(), starts })
    }

    #[inline]
    fn get(&self, at: usize, row: usize) -> Option<usize>
    where
        T: Into<usize>,
    {
        Some(*self.firsts.get(at / row)? as usize + (*self.starts.get(at)?).into())
    }

    /// Bytes of memory.
    #[cfg(test)]
    fn memory(&self) -> usize {
        4 * self.firsts.capacity() + size_of::<T>() * self.starts.capacity()
    }
}

impl Starts {
    fn new(mut all: Vec<u32>) -> Self {
        let close = Rows::new(&all, CLOSE).map(Self::Close);
        close.or_else(|| Rows::new(&all, NEAR).map(Self::Near)).unwrap_or_else(|| {
            all.trim_to(0);
            Self::Far(all)
        })
    }

    /// Number of tokens.
    pub(crate) fn tokens(&self) -> usize {
        let starts = match self {
            Self::Close(rows) => rows.starts.len(),
            Self::Near(rows) => rows.starts.len(),
            Self::Far(starts) => starts.len(),
        };
        starts.saturating_sub(1)
    }

    /// Where a token is.
    #[inline]
    pub(crate) fn range(&self, id: u32) -> Option<Range<usize>> {
        Some(self.get(id as usize)?..self.get(id as usize + 1)?)
    }

    #[inline]
    fn get(&self, at: usize) -> Option<usize> {
        match self {
            Self::Close(rows) => rows.get(at, CLOSE),
            Self::Near(rows) => rows.get(at, NEAR),
            Self::Far(starts) => starts.get(at).map(|&start| start as usize),
        }
    }

    /// Bytes of memory.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        match self {
            Self::Close(rows) => rows.memory(),
            Self::Near(rows) => rows.memory(),
            Self::Far(starts) => 4 * starts.capacity(),
        }
    }
}

/// Ids may have this many holes for each token. The library's crate takes files with more.
const HOLES: usize = 4;

/// A token as a reader gives it: its start and its end among the bytes of all, and its id.
pub(crate) type Place = (u32, u32, u32);

impl Tokens {
    /// Builds the tables. `bytes` are the tokens end to end.
    pub(crate) fn new(bytes: Vec<u8>, tokens: &[Place]) -> Result<Self, NotNative> {
        let end = tokens.iter().map(|token| token.2 as usize + 1).max().unwrap_or(0);
        if end > tokens.len() * (HOLES + 1) + 1024 {
            return Err(NotNative::new("model: ids far apart"));
        }
        let in_order = tokens.windows(2).all(|pair| pair[0].1 == pair[1].0 && pair[0].2 < pair[1].2);
        if in_order && tokens.first().is_none_or(|token| token.0 == 0) {
            return Self::of_ordered(bytes, tokens, end);
        }
        let mut sorted = tokens.to_list();
        sorted.sort_unstable_by_key(|token| token.2);
        if sorted.windows(2).any(|pair| pair[0].2 == pair[1].2) {
            return Err(NotNative::new("model: two tokens with one id"));
        }
        let mut ordered: Vec<u8> = with_room(bytes.len());
        for token in &mut sorted {
            let start = ordered.len() as u32;
            ordered.put_slice(&bytes[token.0 as usize..token.1 as usize]);
            (token.0, token.1) = (start, ordered.len() as u32);
        }
        drop(bytes);
        Self::of_ordered(ordered, &sorted, end)
    }

    fn of_ordered(mut bytes: Vec<u8>, tokens: &[Place], end: usize) -> Result<Self, NotNative> {
        bytes.trim_to(0);
        let mut starts: Vec<u32> = with_room(end + 1);
        let (mut empty, mut longest) = (None, 0);
        for &(start, after, id) in tokens {
            starts.fill_to(id as usize + 1, start);
            longest = longest.max((after - start) as usize);
            if start == after {
                empty = Some(id);
            }
        }
        starts.fill_to(end + 1, bytes.len() as u32);
        let starts = Starts::new(starts);
        let mut it = Self { bytes, starts, empty, table: Table::new(tokens.len(), end), count: tokens.len(), longest };
        let mut table = std::mem::take(&mut it.table);
        for &(.., id) in tokens {
            let token = it.token(id).unwrap_or_default();
            let is_new = table.insert(hash(token), id, |other| it.token(other) == Some(token))?;
            if !is_new {
                return Err(NotNative::new("model: one token twice"));
            }
        }
        it.table = table;
        Ok(it)
    }

    /// The bytes of all tokens, and where each is, for a model that finds tokens in its own way.
    ///
    /// # Errors
    /// Some id has no token.
    pub(crate) fn into_parts(self) -> Result<(Vec<u8>, Starts), NotNative> {
        if self.count != self.end() {
            return Err(NotNative::new("model: ids without tokens"));
        }
        Ok((self.bytes, self.starts))
    }

    /// Number of tokens.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// The largest id plus one.
    pub(crate) fn end(&self) -> usize {
        self.starts.tokens()
    }

    /// The id of the token with these bytes.
    #[inline]
    pub(crate) fn get(&self, token: &[u8]) -> Option<u32> {
        if token.len() > self.longest {
            return None;
        }
        self.table.find(hash(token), |id| self.token(id) == Some(token))
    }

    /// The bytes of a token.
    #[inline]
    pub(crate) fn token(&self, id: u32) -> Option<&[u8]> {
        let token = self.bytes.get(self.starts.range(id)?)?;
        (!token.is_empty() || self.empty == Some(id)).then_some(token)
    }

    /// All ids and tokens, in the order of the ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &[u8])> {
        (0..self.end() as u32).filter_map(|id| Some((id, self.token(id)?)))
    }

    /// Bytes of memory.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        self.bytes.capacity() + self.starts.memory() + self.table.memory()
    }
}

/// A hash table of ids, which are compared by whoever asks.
///
/// A slot is one number of 32 bits: the id, and in the bits that no id needs a part of the hash.
#[derive(Debug, Default)]
pub(crate) struct Table {
    slots: Vec<u32>,
    /// Number of bits of an id. No id has all of them.
    bits: u32,
}

const EMPTY: u32 = u32::MAX;
/// No slot is farther than this from where its hash belongs: the library's crate takes tokens made for such a table.
const FARTHEST: usize = 4096;

impl Table {
    /// A table with room for `count` ids below `end`.
    pub(crate) fn new(count: usize, end: usize) -> Self {
        Self { slots: filled(EMPTY, count + count / 3 + 4), bits: (usize::BITS - end.leading_zeros()).min(31) }
    }

    /// Where the search for a hash begins.
    #[inline]
    fn home(&self, hash: u64) -> usize {
        (((hash >> 32) * self.slots.len() as u64) >> 32) as usize
    }

    /// The part of a hash that is kept, in its place.
    #[inline]
    fn tag(&self, hash: u64) -> u32 {
        (hash as u32) << self.bits
    }

    /// Inserts an id, and returns true, unless `is_same` is true for an id that is there.
    pub(crate) fn insert(&mut self, hash: u64, id: u32, is_same: impl Fn(u32) -> bool) -> Result<bool, NotNative> {
        let tag = self.tag(hash);
        let mut at = self.home(hash);
        for _ in 0..FARTHEST {
            let Some(slot) = self.slots.get_mut(at) else {
                at = 0;
                continue;
            };
            if *slot == EMPTY {
                *slot = tag | id;
                return Ok(true);
            }
            if (*slot ^ tag) >> self.bits == 0 && is_same(*slot ^ tag) {
                return Ok(false);
            }
            at += 1;
        }
        Err(NotNative::new("model: tokens that are hard to find"))
    }

    /// The id with this hash for which `is_it` is true.
    #[inline]
    pub(crate) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let tag = self.tag(hash);
        let mut at = self.home(hash);
        loop {
            let Some(&slot) = self.slots.get(at) else {
                at = 0;
                continue;
            };
            if slot == EMPTY {
                return None;
            }
            if (slot ^ tag) >> self.bits == 0 && is_it(slot ^ tag) {
                return Some(slot ^ tag);
            }
            at += 1;
        }
    }

    /// Bytes of memory.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        4 * self.slots.capacity()
    }
}

/// A hash of a token's bytes.
#[inline]
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let mut hash = bytes.len() as u64;
    for word in bytes.chunks(8) {
        hash = (hash ^ head(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^= hash >> 32;
    }
    hash.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// A few tokens whose ids lie among others.
#[derive(Debug, Default)]
pub(crate) struct Others {
    bytes: Vec<u8>,
    /// Start, end and id of each, in the order of the ids.
    list: Vec<Place>,
    /// Places in the list, in the order of the bytes.
    sorted: Vec<u32>,
}

impl Others {
    /// `list` is in the order of the ids.
    pub(crate) fn new(bytes: Vec<u8>, list: Vec<Place>) -> Self {
        let mut it = Self { bytes, sorted: with_room(list.len()), list };
        it.sorted.put_all(0..it.list.len() as u32);
        let Self { bytes, list, sorted } = &mut it;
        sorted.sort_unstable_by_key(|&at| bytes_of(bytes, list[at as usize]));
        it
    }

    /// Number of tokens.
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// The largest id plus one.
    pub(crate) fn end(&self) -> usize {
        self.list.last().map_or(0, |token| token.2 as usize + 1)
    }

    /// The id of the token with these bytes.
    pub(crate) fn get(&self, token: &[u8]) -> Option<u32> {
        let place = |at: &u32| self.list[*at as usize];
        let found = self.sorted.binary_search_by(|at| bytes_of(&self.bytes, place(at)).cmp(token)).ok()?;
        Some(place(&self.sorted[found]).2)
    }

    /// The bytes of a token.
    pub(crate) fn token(&self, id: u32) -> Option<&[u8]> {
        let at = self.list.binary_search_by_key(&id, |token| token.2).ok()?;
        Some(bytes_of(&self.bytes, self.list[at]))
    }

    /// Bytes of memory.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        self.bytes.capacity() + size_of::<Place>() * self.list.capacity() + 4 * self.sorted.capacity()
    }
}

fn bytes_of(bytes: &[u8], (start, end, _): Place) -> &[u8] {
    bytes.get(start as usize..end as usize).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn places(list: &[(Vec<u8>, u32)]) -> (Vec<u8>, Vec<Place>) {
        let (mut bytes, mut places) = (Vec::new(), Vec::new());
        for (token, id) in list {
            let start = bytes.len() as u32;
            bytes.extend(token);
            places.push((start, bytes.len() as u32, *id));
        }
        (bytes, places)
    }

    proptest! {
        #[test]
        fn tokens_are_found(
            tokens in prop::collection::btree_set("[ab\0]{0,9}", 0..200),
            ids in prop::sample::subsequence((0..300u32).collect::<Vec<_>>(), 200),
            turned: bool,
        ) {
            let mut list: Vec<_> = tokens.into_iter().map(String::into_bytes).zip(ids).collect();
            let (bytes, sorted) = places(&list);
            let others = Others::new(bytes, sorted);
            if turned {
                list.reverse();
            }
            let (bytes, unsorted) = places(&list);
            let it = Tokens::new(bytes, &unsorted).unwrap();
            for (token, id) in &list {
                prop_assert_eq!((it.get(token), others.get(token)), (Some(*id), Some(*id)));
                prop_assert_eq!(it.token(*id), Some(token.as_slice()));
                prop_assert_eq!(others.token(*id), Some(token.as_slice()));
            }
            prop_assert_eq!((it.len(), others.len()), (list.len(), list.len()));
            prop_assert_eq!((0..400).filter(|&id| it.token(id).is_some()).count(), list.len());
            prop_assert_eq!((0..400).filter(|&id| others.token(id).is_some()).count(), list.len());
            prop_assert_eq!((it.get(b"c"), it.get(b"ababababab"), others.get(b"c")), (None, None, None));
        }
    }

    #[test]
    fn starts_are_kept_in_the_smallest_numbers() {
        // The ends of single rows, and the middle of one.
        for (lengths, kind) in
            [(vec![17; 40], 0), (vec![18; 40], 1), (vec![0; 1], 0), (vec![1000; 200], 1), (vec![9000; 20], 2)]
        {
            let mut all = vec![0];
            all.extend(lengths.iter().scan(0, |end, length| {
                *end += length;
                Some(*end)
            }));
            let starts = Starts::new(all.clone());
            let found = match starts {
                Starts::Close(_) => 0,
                Starts::Near(_) => 1,
                Starts::Far(_) => 2,
            };
            assert_eq!((found, starts.tokens()), (kind, lengths.len()));
            for (id, pair) in (0..).zip(all.windows(2)) {
                assert_eq!(starts.range(id), Some(pair[0] as usize..pair[1] as usize));
            }
            assert_eq!(starts.range(lengths.len() as u32), None);
        }
    }

    #[test]
    fn tokens_made_for_the_table_are_left_to_the_library() {
        // All have the same hash in a table of this size, as far as it counts.
        let mut table = Table::new(10_000, 10_000);
        let done = (0..10_000).try_for_each(|id| table.insert(7, id, |_| false).map(drop));
        assert!(done.is_err());
    }
}
