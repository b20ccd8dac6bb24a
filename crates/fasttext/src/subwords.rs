//! The rows of sub-words, and of n-grams of words.

use tokenbed_io::fasttext::{Dictionary, Header};
use tokenbed_memory::List;

/// Makes rows of what has a hash.
#[derive(Clone, Copy)]
pub(super) struct Subwords<'a> {
    pub header: &'a Header,
    pub dictionary: &'a Dictionary,
}

/// FNV-1a of 32 bits, but for its bytes: they are signed, and are widened with their sign.
pub(super) fn hash(text: &[u8]) -> u32 {
    text.iter().fold(START, |hash, &byte| step(hash, byte))
}

const START: u32 = 2_166_136_261;

#[inline]
fn step(hash: u32, byte: u8) -> u32 {
    (hash ^ i32::from(byte.cast_signed()).cast_unsigned()).wrapping_mul(16_777_619)
}

/// Whether a byte goes on with a character of UTF-8.
#[inline]
fn goes_on(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

impl Subwords<'_> {
    /// Whether words have sub-words.
    pub(super) fn are_used(self) -> bool {
        self.header.maxn > 0 && self.has_rows()
    }

    /// Whether there are rows for hashes.
    pub(super) fn has_rows(self) -> bool {
        self.header.bucket > 0 && self.header.pruned != Some(0)
    }

    /// The row of a bucket, unless pruning left none.
    #[inline]
    pub(super) fn row(self, bucket: u32) -> Option<usize> {
        let kept = match self.header.pruned {
            None => bucket,
            Some(_) => self.dictionary.kept(bucket)?,
        };
        Some(self.header.words + kept as usize)
    }

    /// Calls `each` with the row of every sub-word of a word, in fastText's order: those of minn to maxn characters of
    /// `<word>`, except for a `<` or `>` alone. `room` is for the word.
    #[inline]
    pub(super) fn each(self, text: &[u8], room: &mut Vec<u8>, mut each: impl FnMut(usize)) {
        if !self.are_used() {
            return;
        }
        let (minn, maxn) = (self.header.minn, self.header.maxn);
        room.clear();
        room.put(b'<');
        room.put_slice(text);
        room.put(b'>');
        let word = room.as_slice();
        for start in 0..word.len() {
            if goes_on(word[start]) {
                continue;
            }
            let (mut at, mut hash) = (start, START);
            for count in 1..=maxn {
                if at == word.len() {
                    break;
                }
                hash = step(hash, word[at]);
                at += 1;
                while at < word.len() && goes_on(word[at]) {
                    hash = step(hash, word[at]);
                    at += 1;
                }
                let is_edge = count == 1 && (start == 0 || at == word.len());
                if count >= minn
                    && !is_edge
                    && let Some(row) = self.row(hash % self.header.bucket)
                {
                    each(row);
                }
            }
        }
    }

    /// Calls `each` with the row of every n-gram of words, whose hashes are given, from two words on.
    pub(super) fn of_words(self, hashes: &[u32], mut each: impl FnMut(usize)) {
        if !self.has_rows() {
            return;
        }
        // Hashes are signed where they are combined.
        let signed = |hash: u32| i64::from(hash.cast_signed()).cast_unsigned();
        for (first, &start) in hashes.iter().enumerate() {
            let mut hash = signed(start);
            for &next in hashes.iter().skip(first + 1).take(self.header.word_ngrams.saturating_sub(1)) {
                hash = hash.wrapping_mul(116_049_371).wrapping_add(signed(next));
                if let Some(row) = self.row((hash % u64::from(self.header.bucket)) as u32) {
                    each(row);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What fastText itself has for these.
    #[test]
    fn bytes_count_with_their_sign() {
        assert_eq!(hash(b""), 2_166_136_261);
        assert_eq!(hash(b"a"), 0xe40c_292c);
        // With unsigned bytes this would be 0x9d04a6ad or another number.
        assert_ne!(hash("é".as_bytes()), "é".bytes().fold(START, |h, b| (h ^ u32::from(b)).wrapping_mul(16_777_619)));
    }
}
