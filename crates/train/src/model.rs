//! What a trainer drives.

use tokenbed_core::Result;

/// More steps than any run has.
pub(crate) const MOST_STEPS: u64 = 1 << 53;

/// What a batch was.
#[derive(Clone, Copy, Debug, Default)]
pub struct Step {
    /// Tokens of the corpus that it took in.
    pub tokens: u64,
    /// The sum of its losses.
    pub loss: f64,
    /// How many they were.
    pub losses: u64,
}

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Batches so far.
    pub step: u64,
    /// Epochs that were completed.
    pub epoch: u64,
    /// Tokens so far, over all epochs.
    pub tokens: u64,
    /// Tokens there will have been at the end.
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

/// An array of a model's, dense and row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Its name.
    pub name: &'static str,
    /// Its shape.
    pub shape: [usize; 2],
    /// Its elements.
    pub values: Vec<f32>,
}

/// Tables that learn, with what they learn from and their place in it.
pub trait Model: Send {
    /// Learns from the next batch; nothing where all is done.
    ///
    /// # Errors
    /// Where memory is lacking.
    fn step(&mut self) -> Result<Step>;

    /// How far it is.
    fn progress(&self) -> Progress;

    /// The tables that were learned.
    fn tables(&mut self) -> Vec<Array>;

    /// What a checkpoint holds besides the tables: moments of an optimizer.
    fn moments(&mut self) -> Vec<Array> {
        Vec::new()
    }

    /// Its place in the corpus.
    fn counters(&self) -> Vec<u64>;

    /// Whether these counters are a place in the corpus.
    fn has_place(&self, counters: &[u64]) -> bool;

    /// Takes up tables, moments and place; `arrays` are those of `tables` and `moments`, in their order and shape.
    fn restore(&mut self, arrays: &[&[f32]], counters: &[u64]);

    /// A number that a model over another corpus hardly has.
    fn fingerprint(&self) -> u64;
}
