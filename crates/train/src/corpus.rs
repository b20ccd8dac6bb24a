//! The text that is learned from, as ids in sentences.

use crate::examples::Examples;
use tokenbed_core::{Error, Result};
use tokenbed_io::tokens::Tokens;
use tokenbed_memory::{List, Slice, with_room, zeroed};

/// The longest sentence; longer ones are cut, as gensim does.
pub const LONGEST: usize = 10_000;

/// Ids, and the ends of the sentences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Corpus {
    ids: Vec<u32>,
    ends: Vec<usize>,
    /// How often each id occurs; its length is the size of the vocabulary.
    counts: Vec<u64>,
    /// How often each id occurs here and occurred before, where that differs.
    totals: Option<Vec<u64>>,
}

impl Corpus {
    /// A corpus of ids below `vocabulary`. `ends` holds the ends of the sentences, ascending. Ids that occur less than
    /// `min_count` times are left out.
    ///
    /// # Errors
    /// [`Error::TokenIndex`] for an id out of range; [`Error::Usage`] if there are no ids, or none is left.
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
                "minCount {min_count} leaves no token of the corpus: the most frequent one occurs {}; give more text \
                 or a smaller minCount",
                times(most)
            )));
        }
        counts.iter_mut().filter(|count| **count < min_count).for_each(|count| *count = 0);
        let mut corpus = Self { ids: with_room(ids.len()), ends: Vec::new(), counts, totals: None };
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

    /// The ids, sentence by sentence.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// The number of sentences.
    pub fn sentences(&self) -> usize {
        self.ends.len()
    }

    /// The range of the i-th sentence.
    pub fn sentence(&self, i: usize) -> std::ops::Range<usize> {
        let begin = if i == 0 { 0 } else { self.ends[i - 1] };
        begin..self.ends[i]
    }

    /// How often each id occurs; 0 for those left out.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The same corpus, whose first ids occurred so often in earlier ones.
    ///
    /// # Errors
    /// [`Error::Shape`] for more numbers than there are ids.
    pub fn with_earlier(mut self, earlier: &[f64]) -> Result<Self> {
        if earlier.len() > self.counts.len() {
            let (given, ids) = (earlier.len(), self.counts.len());
            return Err(Error::Shape(format!("there are {given} earlier counts, but only {ids} ids")));
        }
        let mut totals = self.counts.to_list();
        totals.iter_mut().zip(earlier).for_each(|(total, &count)| *total = total.saturating_add(count as u64));
        self.totals = Some(totals);
        Ok(self)
    }

    /// How often each id occurs, here and in earlier corpora.
    pub fn totals(&self) -> &[u64] {
        self.totals.as_ref().unwrap_or(&self.counts)
    }

    /// A fingerprint of the corpus: FNV-1a over its content, which another corpus is unlikely to share.
    pub fn fingerprint(&self) -> u64 {
        let words = self.ids.iter().map(|&id| u64::from(id)).chain(self.ends.iter().map(|&end| end as u64));
        fingerprint(words.chain([self.counts.len() as u64]).chain(self.totals.iter().flatten().copied()))
    }
}

/// One long text, in memory or in a folder that is read during training.
#[derive(Clone, Debug)]
pub enum Text {
    /// The ids of a corpus, sentence by sentence.
    Held(Corpus),
    /// The ids of a folder, and how often each occurs.
    Folder(Tokens, Vec<u64>),
}

impl From<Corpus> for Text {
    fn from(corpus: Corpus) -> Self {
        Self::Held(corpus)
    }
}

/// The number of a folder's ids that are read at a time.
const PART: usize = 1 << 16;

impl Text {
    /// A text over a folder of ids below `vocabulary`, all of which are counted. They stay in the folder, so that
    /// memory does not grow with their number.
    ///
    /// # Errors
    /// [`Error::TokenIndex`] for an id out of range; [`Error::Usage`] if there are no ids.
    pub fn of_folder(tokens: Tokens, vocabulary: usize) -> Result<Self> {
        if tokens.count() == 0 {
            return Err(Error::Usage("the corpus is empty: there is nothing to learn from".into()));
        }
        let mut counts = zeroed::<u64>(vocabulary);
        let (mut bad, mut first) = (0, None);
        each(&tokens, |at, id| match counts.get_mut(id as usize) {
            Some(count) => *count += 1,
            None => {
                bad += 1;
                first = first.or(Some((at, id)));
            }
        })?;
        match first {
            Some((flat, id)) => Err(Error::TokenIndex { flat, value: id.into(), rows: vocabulary, count: bad }),
            None => Ok(Self::Folder(tokens, counts)),
        }
    }

    /// The number of ids.
    pub fn len(&self) -> usize {
        match self {
            Self::Held(corpus) => corpus.ids().len(),
            Self::Folder(tokens, _) => tokens.count(),
        }
    }

    /// Whether there are no ids.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How often each id occurs.
    pub fn counts(&self) -> &[u64] {
        match self {
            Self::Held(corpus) => corpus.counts(),
            Self::Folder(_, counts) => counts,
        }
    }

    /// Copies ids, beginning at `start`, until `out` is full. A folder's ids were below the vocabulary when they were
    /// counted. If its file was changed since, ids that are now out of range read as 0, so that each names a row.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are not enough ids.
    pub(crate) fn copy(&self, start: usize, out: &mut [u32]) -> Result<()> {
        match self {
            Self::Held(corpus) => {
                let ids = start.checked_add(out.len()).and_then(|end| corpus.ids().get(start..end));
                out.copy_from_slice(ids.ok_or_else(|| Error::Shape("the ids are out of range for the corpus".into()))?);
            }
            Self::Folder(tokens, counts) => {
                tokens.copy(start, out)?;
                out.iter_mut().filter(|id| **id as usize >= counts.len()).for_each(|id| *id = 0);
            }
        }
        Ok(())
    }

    /// A fingerprint that another text, or another vocabulary, is unlikely to share. It does not depend on where the
    /// ids are stored.
    ///
    /// # Errors
    /// As for [`Text::copy`].
    pub(crate) fn fingerprint(&self) -> Result<u64> {
        let vocabulary = self.counts().len() as u64;
        match self {
            Self::Held(corpus) => Ok(fingerprint(corpus.ids().iter().map(|&id| u64::from(id)).chain([vocabulary]))),
            Self::Folder(tokens, _) => {
                let mut hash = FIRST;
                each(tokens, |_, id| hash = mixed(hash, id.into()))?;
                Ok(mixed(hash, vocabulary))
            }
        }
    }
}

/// Calls `use_it` with the index and value of each id, reading a part at a time.
fn each(tokens: &Tokens, mut use_it: impl FnMut(usize, u32)) -> Result<()> {
    let mut part = zeroed::<u32>(PART.min(tokens.count()));
    for start in (0..tokens.count()).step_by(PART) {
        let part = &mut part[..PART.min(tokens.count() - start)];
        tokens.copy(start, part)?;
        (start..).zip(part.iter()).for_each(|(at, &id)| use_it(at, id));
    }
    Ok(())
}

/// "once", or "n times".
pub(crate) fn times(count: u64) -> String {
    if count == 1 { "once".into() } else { format!("{count} times") }
}

/// What is held out of a training, to see how good the tables are over it.
#[derive(Debug)]
pub enum HeldOut {
    /// A text without classes.
    Text(Corpus),
    /// Texts with their classes.
    Examples(Examples),
}

/// How good tables are over what is held out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evaluation {
    /// The sum of the losses.
    pub loss: f64,
    /// The number of losses.
    pub losses: u64,
    /// The number of texts whose most probable class is one of theirs.
    pub right: u64,
}

/// FNV-1a over words of 64 bits, with a final mix.
pub(crate) fn fingerprint(words: impl Iterator<Item = u64>) -> u64 {
    words.fold(FIRST, mixed)
}

const FIRST: u64 = 0xcbf2_9ce4_8422_2325;

fn mixed(hash: u64, word: u64) -> u64 {
    (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23)
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
    fn rejects_empty_corpora_and_bad_ids() {
        let message = |result: Result<Corpus>| result.unwrap_err().to_string();
        assert!(message(Corpus::new(vec![], &[], 4, 1)).contains("empty"));
        assert!(message(Corpus::new(vec![1, 1, 2], &[], 4, 5)).contains("occurs 2 times"));
        assert!(matches!(
            Corpus::new(vec![1, 9, 9], &[], 4, 1),
            Err(Error::TokenIndex { flat: 1, value: 9, rows: 4, count: 2 })
        ));
    }
}
