//! The next centers of the text, with the words around them.

use super::PairOptions;
use crate::corpus::Corpus;
use crate::draws::Draws;
use crate::unigram::Unigram;
use tokenbed_memory::{Gather, List};

/// A word whose neighbours are used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Center {
    /// Its index among the words of the batch.
    pub(super) at: u32,
    /// The range of indices in which its neighbours lie.
    pub(super) from: u32,
    pub(super) to: u32,
    /// Its place in the text, which determines its draws.
    pub(super) epoch: u64,
    pub(super) place: u64,
}

/// Centers, and the words around them.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) words: Vec<u32>,
    pub(super) centers: Vec<Center>,
}

/// How often the row that changes most often may change in a batch, at a learning rate of 1. Its changes do not see
/// each other when they are added up, so too many of them overshoot. A quarter as many gave vectors of the same quality
/// on a text of two million words.
const MOST_CHANGES: f64 = 2.4;
/// The maximal number of centers in a batch for each word of the vocabulary, with more weight on frequent words. In a
/// small vocabulary all changes have the same direction.
const CENTERS_A_WORD: f64 = 0.5;
/// The maximal number of centers in a batch: larger batches gain nothing.
const MOST_CENTERS: f64 = 512.0;

/// The number of centers in a batch, which depends only on the corpus and the options.
pub(super) fn longest(corpus: &Corpus, unigram: &Unigram, options: &PairOptions) -> usize {
    let kept: Vec<f64> =
        (0..).zip(corpus.counts()).map(|(id, &n)| n as f64 * keeps(corpus, options.sample, id)).into_list();
    let all: f64 = kept.iter().sum();
    let neighbours = if options.shrink_windows { options.window as f64 + 1.0 } else { 2.0 * options.window as f64 };
    let sums = if options.method.is_cbow() { 1.0 } else { neighbours };
    let changes = kept.iter().enumerate().map(|(id, kept)| {
        let share = kept / all;
        let as_output = share + options.negative as f64 * f64::from(unigram.probability(id as u32));
        (sums * as_output).max(neighbours * share)
    });
    let hottest = changes.fold(1e-9, f64::max) * options.alpha.max(1e-9);
    let words = 1.0 / kept.iter().map(|kept| (kept / all).powi(2)).sum::<f64>();
    (MOST_CHANGES / hottest).min(words * CENTERS_A_WORD).clamp(1.0, MOST_CENTERS) as usize
}

/// The probability of keeping a word, by gensim's formula.
fn keeps(corpus: &Corpus, sample: f64, id: u32) -> f64 {
    let count = corpus.counts()[id as usize] as f64;
    let threshold = sample * corpus.ids().len() as f64;
    if sample <= 0.0 || count == 0.0 { 1.0 } else { ((count / threshold).sqrt() + 1.0) * threshold / count }.min(1.0)
}

/// Reads the text sentence by sentence, without the words that are left out this time.
#[derive(Debug)]
pub(super) struct Reader {
    /// For each word, the threshold among 2^32 draws below which it is kept.
    keep: Vec<u32>,
    epoch: u64,
    sentence: usize,
    /// The words of the sentence that are kept, with their places in the text.
    line: Vec<(u32, u64)>,
    /// The index of the next word among them.
    next: usize,
}

impl Reader {
    pub(super) fn new(corpus: &Corpus, options: &PairOptions) -> Self {
        let keep = |id| (keeps(corpus, options.sample, id) * f64::from(u32::MAX)) as u32;
        let keep = (0..corpus.counts().len() as u32).map(keep).into_list();
        let mut reader = Self { keep, epoch: 0, sentence: 0, line: Vec::new(), next: 0 };
        reader.read(corpus, options);
        reader
    }

    /// The number of words of the text already read, over all epochs.
    pub(super) fn done(&self, text: usize) -> u64 {
        let here = self.line.get(self.next).map_or(0, |&(_, place)| place);
        self.epoch * text as u64 + here
    }

    /// The number of sentences already read, over all epochs, including the fraction of this one.
    pub(super) fn sentences(&self, corpus: &Corpus) -> f64 {
        let range = corpus.sentence(self.sentence);
        let part = self
            .line
            .get(self.next)
            .map_or(0.0, |&(_, place)| (place - range.start as u64) as f64 / range.len() as f64);
        (self.epoch * corpus.sentences() as u64 + self.sentence as u64) as f64 + part
    }

    /// Its place, for a checkpoint.
    pub(super) fn place(&self) -> [u64; 3] {
        [self.epoch, self.sentence as u64, self.next as u64]
    }

    pub(super) fn go_to(&mut self, corpus: &Corpus, options: &PairOptions, place: &[u64]) {
        let [epoch, sentence, next] = place else { return };
        (self.epoch, self.sentence) = (*epoch, (*sentence as usize).min(corpus.sentences() - 1));
        self.read(corpus, options);
        self.next = (*next as usize).min(self.line.len());
    }

    /// Reads the sentence, or the next one in which a word is kept.
    fn read(&mut self, corpus: &Corpus, options: &PairOptions) {
        self.line.clear();
        self.next = 0;
        while self.epoch < options.run.epochs {
            let range = corpus.sentence(self.sentence);
            for (&word, place) in corpus.ids()[range.clone()].iter().zip(range.start as u64..) {
                let drawn = (Draws::at(options.run.seed, self.epoch, place).bits() >> 32) as u32;
                if drawn <= self.keep[word as usize] {
                    self.line.put((word, place));
                }
            }
            if !self.line.is_empty() {
                return;
            }
            self.skip(corpus);
        }
    }

    /// Moves on to the next sentence.
    fn skip(&mut self, corpus: &Corpus) {
        self.sentence += 1;
        if self.sentence == corpus.sentences() {
            (self.sentence, self.epoch) = (0, self.epoch + 1);
        }
    }

    /// Fills the batch with the next centers, `most` of them if that many are left.
    pub(super) fn fill(&mut self, corpus: &Corpus, options: &PairOptions, most: usize, batch: &mut Batch) {
        batch.words.clear();
        batch.centers.clear();
        while batch.centers.len() < most && self.next < self.line.len() {
            let to = self.line.len().min(self.next + most - batch.centers.len());
            let around = self.next.saturating_sub(options.window)..self.line.len().min(to + options.window);
            let base = batch.words.len();
            batch.words.put_all(self.line[around.clone()].iter().map(|&(word, _)| word));
            let (from, end) = (base as u32, batch.words.len() as u32);
            batch.centers.put_all((self.next..to).map(|i| {
                let at = (base + i - around.start) as u32;
                Center { at, from, to: end, epoch: self.epoch, place: self.line[i].1 }
            }));
            self.next = to;
            if self.next == self.line.len() {
                self.skip(corpus);
                self.read(corpus, options);
            }
        }
    }
}
