//! The interface of a model to the trainer.

use crate::corpus::{Evaluation, HeldOut};
use tokenbed_core::{Error, Result};

/// More steps than any run takes.
pub(crate) const MOST_STEPS: u64 = 1 << 53;

/// The result of a batch.
#[derive(Clone, Copy, Debug, Default)]
pub struct Step {
    /// The number of tokens of the corpus that it used.
    pub tokens: u64,
    /// The sum of its losses.
    pub loss: f64,
    /// The number of losses in the sum.
    pub losses: u64,
}

/// The progress of a model.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Batches done so far.
    pub step: u64,
    /// Epochs completed.
    pub epoch: u64,
    /// Tokens used so far, over all epochs.
    pub tokens: u64,
    /// The number of tokens used at the end.
    pub total: u64,
    /// The learning rate of the next batch.
    pub lr: f64,
}

impl Progress {
    /// Whether nothing is left to do.
    pub fn is_done(&self) -> bool {
        self.tokens >= self.total
    }
}

/// A dense, row-major array of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Its name.
    pub name: &'static str,
    /// Its shape.
    pub shape: [usize; 2],
    /// Its elements.
    pub values: Vec<f32>,
}

/// Tables that learn, with their corpus and their place in it.
pub trait Model: Send {
    /// Learns from the next batch; does nothing if all batches are done.
    ///
    /// # Errors
    /// [`tokenbed_core::Error::Memory`] if memory runs out.
    fn step(&mut self) -> Result<Step>;

    /// The progress so far.
    fn progress(&self) -> Progress;

    /// How good the tables are over what is held out, as long as `go_on` says so. Nothing changes.
    ///
    /// # Errors
    /// [`Error::Usage`] for a held-out corpus of another kind, or one that is too short.
    fn evaluate(&mut self, held: &HeldOut, go_on: &dyn Fn() -> bool) -> Result<Evaluation>;

    /// Begins rows of a table (`input` or `output`) with these values, end to end.
    ///
    /// # Errors
    /// [`Error::Usage`] for a model whose rows cannot be given; [`Error::Shape`] for sizes that do not fit.
    fn begin(&mut self, table: &str, rows: &[u32], values: &[f32]) -> Result<()> {
        let (_, _, _) = (table, rows, values);
        Err(Error::Usage("only the tables of skip-gram and cbow can be given".into()))
    }

    /// How much of each change the rows of the input table take, from 0 for none to 1.
    ///
    /// # Errors
    /// As for [`Model::begin`].
    fn lock(&mut self, factors: &[f32]) -> Result<()> {
        let _ = factors;
        Err(Error::Usage("only the tables of skip-gram and cbow can be locked".into()))
    }

    /// The learned tables.
    fn tables(&mut self) -> Vec<Array>;

    /// What a checkpoint holds besides the tables: the moments of an optimizer.
    fn moments(&mut self) -> Vec<Array> {
        Vec::new()
    }

    /// Its place in the corpus.
    fn counters(&self) -> Vec<u64>;

    /// Whether these counters are a valid place in the corpus.
    fn has_place(&self, counters: &[u64]) -> bool;

    /// Restores tables, moments and place. `arrays` are those of `tables` and `moments`, in the same order and shapes.
    fn restore(&mut self, arrays: &[&[f32]], counters: &[u64]);

    /// A fingerprint that a model over another corpus is unlikely to share.
    fn fingerprint(&self) -> u64;
}
