//! The words of a text that arrives in parts. Words are separated by spaces, and numbered by frequency.

use crate::corpus::{Corpus, times};
use fancy_regex::{Regex, RegexBuilder};
use std::collections::HashMap;
use tokenbed_core::{Error, Result};
use tokenbed_memory::{Gather, List, Map, Text, filled, owned, with_room};

/// How words are taken from a text. By default they are what stands between white space.
#[derive(Debug, Default)]
pub struct WordReading {
    lowercase: bool,
    /// What in a run of characters without white space is a word.
    pattern: Option<Box<Regex>>,
}

/// A pattern may take this many steps in a word.
const STEPS: usize = 100_000;

impl WordReading {
    /// With `lowercase`, words become lower case first. With a pattern, each of its matches in a run of characters
    /// without white space is a word, and the rest is dropped.
    ///
    /// # Errors
    /// [`Error::Usage`] for a pattern that is none.
    pub fn new(lowercase: bool, pattern: Option<&str>) -> Result<Self> {
        let pattern = pattern
            .map(|pattern| RegexBuilder::new(pattern).backtrack_limit(STEPS).build().map(Box::new))
            .transpose()
            .map_err(|error| Error::Usage(format!("tokenPattern is not a regular expression: {error}")))?;
        Ok(Self { lowercase, pattern })
    }

    fn is_plain(&self) -> bool {
        !self.lowercase && self.pattern.is_none()
    }

    /// The words in a run of characters without white space.
    fn each(&self, run: &str, mut word: impl FnMut(&str)) -> Result<()> {
        let lower;
        let mut run = run;
        if self.lowercase {
            tokenbed_memory::had(run.len().saturating_mul(3));
            lower = run.to_lowercase();
            run = &lower;
        }
        let Some(pattern) = &self.pattern else {
            word(run);
            return Ok(());
        };
        for found in pattern.find_iter(run) {
            let found = found.map_err(|error| {
                let start = &run[..run.char_indices().nth(40).map_or(run.len(), |(at, _)| at)];
                Error::Usage(format!("tokenPattern cannot be matched with {start:?}: {error}"))
            })?;
            if !found.as_str().is_empty() {
                word(found.as_str());
            }
        }
        Ok(())
    }
}

/// Counts words while a text arrives. Each line is a sentence.
#[derive(Debug, Default)]
pub struct WordCounter {
    reading: WordReading,
    numbers: HashMap<Box<str>, u32>,
    words: Vec<Box<str>>,
    counts: Vec<u64>,
    ids: Vec<u32>,
    ends: Vec<usize>,
    /// The number of words that were there before the text: the first ones.
    known: usize,
    /// The beginning of a word that may continue in the next part.
    rest: String,
    /// Why the words cannot be read; it is reported at the end.
    failure: Option<Error>,
}

/// A vocabulary, the most frequent word first, and the text as its ids.
#[derive(Debug)]
pub struct Counted {
    /// The words.
    pub words: Vec<String>,
    /// The text.
    pub corpus: Corpus,
}

/// Sentences, end to end.
#[derive(Debug)]
pub(crate) struct Sentences {
    ids: Vec<u32>,
    /// Where each sentence ends.
    ends: Vec<usize>,
}

impl Sentences {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u32]> {
        let begins = [0].into_iter().chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(begin, &end)| &self.ids[begin..end])
    }
}

impl WordCounter {
    /// A counter that reads words in this way.
    pub fn new(reading: WordReading) -> Self {
        Self { reading, ..Self::default() }
    }

    /// Takes a word that has a number before the text begins: the first has 0. Such words stay in this order, however
    /// often they occur.
    ///
    /// # Errors
    /// [`Error::Usage`] for a word that is known already.
    pub fn know(&mut self, word: &str) -> Result<()> {
        if self.numbers.contains_key(word) {
            return Err(Error::Usage(format!("the word {word:?} comes twice among the words to go on from")));
        }
        self.word(word);
        self.ids.clear();
        self.counts[self.known] = 0;
        self.known += 1;
        Ok(())
    }

    /// Takes the next part of the text.
    pub fn push(&mut self, part: &str) {
        let mut part = part;
        if !self.rest.is_empty() {
            let end = part.find(char::is_whitespace).unwrap_or(part.len());
            self.rest.put_str(&part[..end]);
            if end == part.len() {
                return;
            }
            let run = std::mem::take(&mut self.rest);
            self.run(&run);
            part = &part[end..];
        }
        let last =
            part.rfind(char::is_whitespace).map_or(0, |at| at + part[at..].chars().next().map_or(1, char::len_utf8));
        let (whole, rest) = part.split_at(last);
        for (i, line) in whole.split('\n').enumerate() {
            if i > 0 {
                self.end_line();
            }
            line.split_whitespace().for_each(|run| self.run(run));
        }
        self.rest.put_str(rest);
    }

    /// Ends a text; what comes next is another text.
    pub fn end(&mut self) {
        let run = std::mem::take(&mut self.rest);
        if !run.is_empty() {
            self.run(&run);
        }
        self.end_line();
    }

    /// Takes a sentence whose words are given one by one, even with white space in them. Returns whether there were
    /// any.
    pub fn sentence<'a>(&mut self, words: impl Iterator<Item = &'a str>) -> bool {
        self.end();
        let before = self.ids.len();
        words.for_each(|word| self.word(word));
        self.end_line();
        self.ids.len() > before
    }

    fn end_line(&mut self) {
        if self.ends.last().copied().unwrap_or(0) < self.ids.len() {
            self.ends.put(self.ids.len());
        }
    }

    /// Takes characters that have no white space among them.
    fn run(&mut self, run: &str) {
        if self.reading.is_plain() {
            return self.word(run);
        }
        let reading = std::mem::take(&mut self.reading);
        if let Err(error) = reading.each(run, |word| self.word(word)) {
            self.failure.get_or_insert(error);
        }
        self.reading = reading;
    }

    fn word(&mut self, word: &str) {
        let number = match self.numbers.get(word) {
            Some(&number) => number,
            None => {
                let number = self.words.len() as u32;
                self.words.put(owned(word).into_boxed_str());
                self.counts.put(0);
                self.numbers.put(owned(word).into_boxed_str(), number);
                number
            }
        };
        self.counts[number as usize] += 1;
        self.ids.put(number);
    }

    /// New numbers by how often a word occurs, then by first occurrence. Words that occur less often than `min_count`
    /// get none. Where words were known before, they keep their numbers, and the others follow by first occurrence.
    fn sorted(&self, min_count: u64) -> (Vec<u32>, Vec<u32>) {
        let numbers = 0..self.words.len() as u32;
        let stays = |&n: &u32| (n as usize) < self.known || self.counts[n as usize] >= min_count;
        let mut order: Vec<u32> = numbers.filter(stays).into_list();
        if self.known == 0 {
            order.sort_by_key(|&n| std::cmp::Reverse(self.counts[n as usize]));
        }
        let mut new = filled(u32::MAX, self.words.len());
        (0..).zip(&order).for_each(|(to, &from)| new[from as usize] = to);
        (order, new)
    }

    fn nothing_left(&self, min_count: u64) -> Error {
        if self.ids.is_empty() {
            return Error::Usage("the corpus is empty: there is nothing to learn from".into());
        }
        let most = self.counts.iter().copied().max().unwrap_or(0);
        Error::Usage(format!(
            "minCount {min_count} leaves no word of the corpus: the most frequent one occurs {}; give more text or a smaller minCount",
            times(most)
        ))
    }

    /// The vocabulary of words that occur at least `min_count` times, and the sentences without the others. All
    /// sentences are kept, even if some become empty.
    pub(crate) fn numbered(mut self, min_count: u64) -> Result<(Vec<String>, Sentences)> {
        self.end();
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let (order, new) = self.sorted(min_count);
        if order.is_empty() {
            return Err(self.nothing_left(min_count));
        }
        let mut sentences = Sentences { ids: with_room(self.ids.len()), ends: with_room(self.ends.len()) };
        let mut from = 0;
        for &end in &self.ends {
            sentences.ids.put_all(self.ids[from..end].iter().map(|&n| new[n as usize]).filter(|&id| id != u32::MAX));
            sentences.ends.put(sentences.ids.len());
            from = end;
        }
        Ok((order.iter().map(|&n| owned(&self.words[n as usize])).into_list(), sentences))
    }

    /// The vocabulary of words that occur at least `min_count` times, and the text without the others.
    ///
    /// # Errors
    /// [`Error::Usage`] if there were no words, or none is left.
    pub fn finish(self, min_count: u64) -> Result<Counted> {
        let (words, Sentences { ids, ends }) = self.numbered(min_count)?;
        Ok(Counted { corpus: Corpus::new(ids, &ends, words.len(), 1)?, words })
    }

    /// The text without the words that were not known before.
    ///
    /// # Errors
    /// [`Error::Usage`] if no word is left.
    pub fn finish_known(self) -> Result<Corpus> {
        let (words, Sentences { ids, ends }) = self.numbered(u64::MAX)?;
        if ids.is_empty() {
            return Err(Error::Usage(NONE_KNOWN.into()));
        }
        Corpus::new(ids, &ends, words.len(), 1)
    }
}

/// Why a held-out text cannot be used.
pub(crate) const NONE_KNOWN: &str =
    "the held-out text has no word that is learned: give more text, or text of the same kind";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_words_keep_their_numbers_and_new_ones_follow() {
        let counter = || {
            let mut counter = WordCounter::default();
            ["b", "a", "z"].iter().for_each(|word| counter.know(word).unwrap());
            counter.push("c a d d b a\nd c e");
            counter
        };
        let Counted { words, corpus } = counter().finish(2).unwrap();
        assert_eq!(words, ["b", "a", "z", "c", "d"]);
        assert_eq!(corpus.ids(), [3, 1, 4, 4, 0, 1, 4, 3]);
        assert_eq!(corpus.counts(), [1, 2, 0, 2, 3]);
        assert_eq!(counter().finish_known().unwrap().ids(), [1, 0, 1]);
        let mut twice = WordCounter::default();
        twice.know("a").unwrap();
        assert!(twice.know("a").unwrap_err().to_string().contains("twice"));
        twice.push("b c");
        assert!(twice.finish_known().unwrap_err().to_string().contains("no word that is learned"));
    }

    fn counted(parts: &[&str], min_count: u64) -> Result<Counted> {
        let mut counter = WordCounter::default();
        parts.iter().for_each(|part| counter.push(part));
        counter.finish(min_count)
    }

    #[test]
    fn words_are_sorted_by_frequency_wherever_parts_end() {
        let text = "b a\u{a0}a\tc\n\n a  über b\u{2003}c\na";
        let whole = counted(&[text], 1).unwrap();
        assert_eq!(whole.words, ["a", "b", "c", "über"]);
        assert_eq!(whole.corpus.ids(), [1, 0, 0, 2, 0, 3, 1, 2, 0]);
        assert_eq!((whole.corpus.sentence(0), whole.corpus.sentences()), (0..4, 3));
        for (cut, _) in text.char_indices() {
            let parts = counted(&[&text[..cut], &text[cut..]], 1).unwrap();
            assert_eq!((&parts.words, &parts.corpus), (&whole.words, &whole.corpus), "cut at {cut}");
        }
        let frequent = counted(&[text], 2).unwrap();
        assert_eq!((frequent.words.len(), frequent.corpus.ids().len()), (3, 8));
    }

    #[test]
    fn words_can_be_lower_case_or_matches_of_a_pattern() {
        let read = |lowercase, pattern| {
            let mut counter = WordCounter::new(WordReading::new(lowercase, pattern).unwrap());
            ["Wha", "le, whale. Don't ÜBER-whale\n", "-- İ a"].iter().for_each(|part| counter.push(part));
            counter.finish(1).unwrap().words
        };
        assert_eq!(read(true, None), ["whale,", "whale.", "don't", "über-whale", "--", "i̇", "a"]);
        assert_eq!(read(false, Some(r"\w+")), ["whale", "Whale", "Don", "t", "ÜBER", "İ", "a"]);
        assert_eq!(read(true, Some(r"(?u)\b\w\w+\b")), ["whale", "don", "über", "i̇"]);
        assert_eq!(read(false, Some(r"[a-z']*(?=\W|$)")), ["whale", "hale", "on't", "a"]);
    }

    #[test]
    fn patterns_that_cannot_be_used_are_errors() {
        assert!(WordReading::new(false, Some("(")).unwrap_err().to_string().contains("not a regular expression"));
        let mut counter = WordCounter::new(WordReading::new(false, Some(r"(a+)+\1$")).unwrap());
        counter.push(&format!("b {}c b", "a".repeat(60)));
        assert!(counter.finish(1).unwrap_err().to_string().starts_with("tokenPattern cannot be matched"));
    }

    #[test]
    fn given_words_are_kept_unchanged() {
        let mut counter = WordCounter::default();
        counter.push("a New");
        assert!(counter.sentence(["New York", "a", "New York"].into_iter()));
        assert!(!counter.sentence([].into_iter()));
        assert!(counter.sentence(["a\nb"].into_iter()));
        let Counted { words, corpus } = counter.finish(1).unwrap();
        assert_eq!(words, ["a", "New York", "New", "a\nb"]);
        assert_eq!(corpus.ids(), [0, 2, 1, 0, 1, 3]);
        assert_eq!((0..corpus.sentences()).map(|i| corpus.sentence(i)).collect::<Vec<_>>(), [0..2, 2..5, 5..6]);
    }

    #[test]
    fn rejects_empty_texts() {
        assert!(counted(&["", " \n "], 1).unwrap_err().to_string().contains("empty"));
        assert!(counted(&["a b b"], 3).unwrap_err().to_string().contains("occurs 2 times"));
    }
}
