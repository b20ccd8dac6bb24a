//! What is learned from: ids in sentences.

use tokenbed_core::{Error, Result};
use tokenbed_memory::{List, with_room, zeroed};

/// The longest sentence: longer ones are cut, as gensim does.
pub const LONGEST: usize = 10_000;

/// Ids, and where sentences end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Corpus {
    ids: Vec<u32>,
    ends: Vec<usize>,
    /// How often each id comes; its length is how many ids there may be.
    counts: Vec<u64>,
}

impl Corpus {
    /// Of ids below `vocabulary`, with the places where sentences end, ascending; those that come less than `min_count` times
    /// are left out.
    ///
    /// # Errors
    /// [`Error::TokenIndex`] for an id that is none; [`Error::Usage`] where nothing is there, or nothing is left.
    pub fn new(ids: Vec<u32>, ends: &[usize], vocabulary: usize, min_count: u64) -> Result<Self> {
        let mut counts = zeroed::<u64>(vocabulary);
        for (flat, &id) in ids.iter().enumerate() {
            let Some(count) = counts.get_mut(id as usize) else {
                let count = ids.iter().filter(|&&id| id as usize >= vocabulary).count();
                return Err(Error::TokenIndex { flat, value: id.into(), rows: vocabulary, count });
            };
            *count += 1;
        }
        if ids.is_empty() {
            return Err(Error::Usage("the corpus is empty: there is nothing to learn from".into()));
        }
        let most = counts.iter().copied().max().unwrap_or(0);
        if most < min_count {
            return Err(Error::Usage(format!(
                "minCount {min_count} leaves nothing of the corpus: the most frequent token comes {}; give more text, or a smaller \
                 minCount",
                times(most)
            )));
        }
        counts.iter_mut().filter(|count| **count < min_count).for_each(|count| *count = 0);
        let mut corpus = Self { ids: with_room(ids.len()), ends: Vec::new(), counts };
        let mut from = 0;
        for end in ends.iter().copied().chain([ids.len()]) {
            let end = end.clamp(from, ids.len());
            corpus.push(&ids[from..end]);
            from = end;
        }
        Ok(corpus)
    }

    fn push(&mut self, sentence: &[u32]) {
        let begin = self.ids.len();
        self.ids.put_all(sentence.iter().copied().filter(|&id| self.counts[id as usize] > 0));
        let end = self.ids.len();
        self.ends.put_all((begin..end).step_by(LONGEST).map(|from| end.min(from + LONGEST)));
    }

    /// The ids, sentence after sentence.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// How many sentences.
    pub fn sentences(&self) -> usize {
        self.ends.len()
    }

    /// Where the i-th sentence begins and ends.
    pub fn sentence(&self, i: usize) -> std::ops::Range<usize> {
        let begin = if i == 0 { 0 } else { self.ends[i - 1] };
        begin..self.ends[i]
    }

    /// How often each id comes; 0 for those left out.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// A number that another corpus hardly has: FNV-1a of what it is.
    pub fn fingerprint(&self) -> u64 {
        let words = self.ids.iter().map(|&id| u64::from(id)).chain(self.ends.iter().map(|&end| end as u64));
        fingerprint(words.chain([self.counts.len() as u64]))
    }
}

/// A number of times, in words.
pub(crate) fn times(count: u64) -> String {
    if count == 1 { "once".into() } else { format!("{count} times") }
}

/// FNV-1a, a word at a time, mixed.
pub(crate) fn fingerprint(words: impl Iterator<Item = u64>) -> u64 {
    words.fold(0xcbf2_9ce4_8422_2325, |hash, word| (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_ids_are_left_out_and_sentences_cut() {
        let corpus = Corpus::new(vec![0, 1, 0, 2, 2, 0, 1], &[3, 5], 4, 2).unwrap();
        assert_eq!(corpus.ids(), [0, 1, 0, 2, 2, 0, 1]);
        assert_eq!((0..corpus.sentences()).map(|i| corpus.sentence(i)).collect::<Vec<_>>(), [0..3, 3..5, 5..7]);
        let corpus = Corpus::new(vec![0, 1, 0, 2, 2, 0, 1], &[3, 5], 4, 3).unwrap();
        assert_eq!((corpus.ids(), corpus.counts()), (&[0, 0, 0][..], &[3, 0, 0, 0][..]));
        assert_eq!(corpus.sentences(), 2, "a sentence of which nothing is left is none");
        let long = Corpus::new(vec![0; LONGEST * 2 + 1], &[], 1, 1).unwrap();
        assert_eq!(long.sentence(2), 2 * LONGEST..2 * LONGEST + 1);
    }

    #[test]
    fn what_cannot_be_learned_from_is_an_error() {
        let message = |result: Result<Corpus>| result.unwrap_err().to_string();
        assert!(message(Corpus::new(vec![], &[], 4, 1)).contains("empty"));
        assert!(message(Corpus::new(vec![1, 1, 2], &[], 4, 5)).contains("comes 2 times"));
        assert!(matches!(
            Corpus::new(vec![1, 9, 9], &[], 4, 1),
            Err(Error::TokenIndex { flat: 1, value: 9, rows: 4, count: 2 })
        ));
    }
}
