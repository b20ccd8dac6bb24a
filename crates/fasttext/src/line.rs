//! A line of text as fastText reads it in a supervised model: the rows of its words, their sub-words and n-grams.

use super::subwords::hash;
use super::{END_OF_LINE, LABEL, Open};
use tokenbed_memory::List;

/// Memory that is used again for each word and line.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub word: Vec<u8>,
    hashes: Vec<u32>,
}

/// The words of a text: what stands between white space in ASCII and zeros.
pub(super) fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| divides(byte) || byte == 0).filter(|word| !word.is_empty())
}

/// White space, as C++ has it.
pub(super) fn divides(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | 0x0b | 0x0c)
}

impl Open<'_> {
    /// Calls `each` with the rows of a text and of the end of its line.
    pub(super) fn line(self, text: &[u8], scratch: &mut Scratch, mut each: impl FnMut(usize)) {
        let Scratch { word, hashes } = scratch;
        hashes.clear();
        let subwords = self.subwords();
        for token in words(text).chain([END_OF_LINE]) {
            let found = self.dictionary.find(self.bytes, token);
            let is_word = found.map_or_else(|| !token.starts_with(LABEL), |number| number < self.header.words);
            if is_word {
                if let Some(own) = found {
                    each(own);
                }
                if token != END_OF_LINE {
                    subwords.each(token, word, &mut each);
                }
                hashes.put(hash(token));
            }
            if token == END_OF_LINE {
                break;
            }
        }
        subwords.of_words(hashes, each);
    }
}
