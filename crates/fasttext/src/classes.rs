//! The most probable classes of texts.

use super::line::Scratch;
use super::losses::{Scored, probability};
use super::tree::Tree;
use super::{FastText, Open};
use std::sync::{Mutex, PoisonError};
use tokenbed_core::{Error, Result};
use tokenbed_io::fasttext::{Kind, Loss};
use tokenbed_memory::{List, filled};
use tokenbed_threads::parallel_shares;

/// Texts that a thread takes at a time.
const SHARE: usize = 8;

/// The classes of several texts, end to end.
#[derive(Debug, Default, PartialEq)]
pub struct Classes {
    /// How many classes each text has.
    pub counts: Vec<u32>,
    /// The classes, the most probable of a text first; of equally probable ones the lower number comes first.
    pub labels: Vec<u32>,
    /// Their probabilities.
    pub probabilities: Vec<f32>,
}

impl FastText {
    /// The `top` most probable classes of each text, on at most `threads` threads: those that fastText's predict gives
    /// with a threshold of 0. A line break counts as a space.
    ///
    /// # Errors
    /// [`Error::Usage`] for a model without classes; [`Error::Format`] if the dictionary does not match the header, or
    /// a number of the model is NaN.
    pub fn classify<T: AsRef<str> + Sync>(&self, texts: &[T], top: usize, threads: usize) -> Result<Classes> {
        let open = self.ready()?;
        if open.header.kind != Kind::Supervised {
            return Err(Error::Usage("the model was not trained to classify: it has vectors alone".into()));
        }
        let tree = self.tree(open)?;
        let parts = Mutex::new(Vec::new());
        parallel_shares(texts.len().div_ceil(SHARE), threads, |share| {
            let mut found = Classes::default();
            let (mut scratch, mut scores) = (Scratch::default(), Vec::new());
            let mut hidden = filled(0.0, open.header.dim);
            let from = share * SHARE;
            let ends = texts[from..texts.len().min(from + SHARE)].iter().try_for_each(|text| {
                let rows = open.hidden(text.as_ref().as_bytes(), &mut scratch, &mut hidden);
                scores.clear();
                // A line that the model knows nothing of has no class.
                if rows > 0 {
                    open.score(tree, &hidden, &mut scores)?;
                }
                found.take(&mut scores, top);
                Some(())
            });
            let mut parts = parts.lock().unwrap_or_else(PoisonError::into_inner);
            parts.put((share, ends.map(|()| found)));
        });
        let mut parts = parts.into_inner().unwrap_or_else(PoisonError::into_inner);
        parts.sort_unstable_by_key(|&(share, _)| share);
        let mut all = Classes::default();
        for (_, part) in parts {
            let nan =
                || self.file.malformed(open.file.output().start(), "numbers of the model give NaN for a class".into());
            let Classes { counts, labels, probabilities } = part.ok_or_else(nan)?;
            all.counts.put_slice(&counts);
            all.labels.put_slice(&labels);
            all.probabilities.put_slice(&probabilities);
        }
        Ok(all)
    }

    /// The tree, if the model computes classes by one.
    fn tree(&self, open: Open<'_>) -> Result<Option<&Tree>> {
        if open.header.loss != Loss::Hierarchical {
            return Ok(None);
        }
        if let Some(tree) = self.tree.get() {
            return Ok(Some(tree));
        }
        let tree = Tree::build(open, open.header.labels, open.header.words).map_err(|label| {
            let message = format!("the count of class {label} cannot be: damaged");
            self.file.malformed(open.dictionary.place(open.header.words + label), message)
        })?;
        Ok(Some(self.tree.get_or_init(|| tree)))
    }
}

impl Classes {
    /// Takes the best scores of a text.
    fn take(&mut self, scores: &mut [Scored], top: usize) {
        let order = |a: &Scored, b: &Scored| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        let count = top.min(scores.len());
        if count > 0 && count < scores.len() {
            scores.select_nth_unstable_by(count - 1, order);
        }
        let best = &mut scores[..count];
        best.sort_unstable_by(order);
        self.counts.put(count as u32);
        self.labels.put_all(best.iter().map(|&(_, label)| label));
        let probabilities = best.iter().map(|&scored| probability(scored));
        self.probabilities.put_all(probabilities);
    }
}
