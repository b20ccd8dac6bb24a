//! A search for several texts. A table of the two bytes with which they begin passes over most of a text; an automaton
//! looks at what remains.

use aho_corasick::{AhoCorasick, Anchored, Input, MatchKind, StartKind};

use crate::compiled::NotNative;
use tokenbed_memory::{Gather, filled};

/// A search for the leftmost of several texts, and the longest of those that begin at the same place.
pub(super) struct Search {
    all: AhoCorasick,
    /// Number of bytes of the longest text.
    longest: usize,
    /// Bits of the pairs of bytes with which texts begin. A text of one byte sets those of all bytes that may follow.
    fronts: Vec<u64>,
    /// The bytes with which texts begin. In practice there are one or two, which are found at the speed of memory.
    firsts: Vec<u8>,
    /// Whether some text has only one byte.
    single: bool,
}

/// Texts up to this length are tried where one may begin; longer ones are searched for by an automaton that reads
/// each byte once.
const SHORT: usize = 128;

impl Search {
    pub(super) fn new(texts: &[String]) -> Result<Self, NotNative> {
        let kind = MatchKind::LeftmostLongest;
        let all = AhoCorasick::builder().match_kind(kind).start_kind(StartKind::Both).build(texts);
        let mut it = Self {
            all: all.map_err(|_| NotNative::new("added_tokens: too many"))?,
            longest: texts.iter().map(String::len).max().unwrap_or(0),
            fronts: filled(0, (1 << 16) / 64),
            firsts: texts.iter().filter_map(|text| text.bytes().next()).into_list(),
            single: false,
        };
        it.firsts.sort_unstable();
        it.firsts.dedup();
        for text in texts {
            match *text.as_bytes() {
                [first, second, ..] => it.set(first, second),
                [first] => {
                    it.single = true;
                    (0..=u8::MAX).for_each(|second| it.set(first, second));
                }
                [] => {}
            }
        }
        Ok(it)
    }

    /// Number of bytes of the longest text.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// Bytes of memory.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.all.memory_usage() + 8 * self.fronts.capacity() + self.firsts.capacity()
    }

    fn set(&mut self, first: u8, second: u8) {
        let bit = usize::from(first) << 8 | usize::from(second);
        self.fronts[bit >> 6] |= 1 << (bit & 63);
    }

    /// Calls `found` with number, start and end of each text that is found.
    #[inline]
    pub(super) fn each(&self, text: &str, mut found: impl FnMut(usize, usize, usize)) {
        if self.longest > SHORT {
            for it in self.all.find_iter(text) {
                found(it.pattern().as_usize(), it.start(), it.end());
            }
            return;
        }
        let mut at = 0;
        while let Some(start) = self.front(text.as_bytes(), at) {
            at = start + 1;
            // Only the start matters here: how far a match may reach is the automaton's affair.
            let input = Input::new(text).range(start..).anchored(Anchored::Yes);
            if let Ok(Some(it)) = self.all.try_find(input) {
                found(it.pattern().as_usize(), it.start(), it.end());
                at = it.end();
            }
        }
    }

    /// The next place from `at` on where a text may begin.
    #[inline]
    fn front(&self, text: &[u8], mut at: usize) -> Option<usize> {
        loop {
            let rest = text.get(at..)?;
            let found = match *self.firsts.as_slice() {
                [a] => memchr::memchr(a, rest)?,
                [a, b] => memchr::memchr2(a, b, rest)?,
                [a, b, c] => memchr::memchr3(a, b, c, rest)?,
                _ => rest
                    .windows(2)
                    .position(|pair| self.is_front(pair[0], pair[1]))
                    .unwrap_or(rest.len().checked_sub(1)?),
            };
            at += found;
            match text.get(at..)? {
                &[first, second, ..] if self.is_front(first, second) => return Some(at),
                // The last byte alone.
                [_] => return self.single.then_some(at),
                _ => at += 1,
            }
        }
    }

    #[inline]
    fn is_front(&self, first: u8, second: u8) -> bool {
        let bit = usize::from(first) << 8 | usize::from(second);
        self.fronts[bit >> 6] >> (bit & 63) & 1 != 0
    }
}
