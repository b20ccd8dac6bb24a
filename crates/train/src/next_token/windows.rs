//! Windows of the text, in the order of an epoch.

use super::{Batch, NextTokenOptions};
use crate::corpus::Text;
use crate::draws::Draws;
use crate::objective::RunOptions;
use tokenbed_core::{Error, Result};
use tokenbed_memory::{List, zeroed};
use tokenbed_rng::{Generator, randperm};

/// Windows start at `0, stride, 2 * stride, ... < n - context`; targets begin one token later. Each epoch has its own
/// order.
#[derive(Debug)]
pub(super) struct Windows {
    context: usize,
    stride: usize,
    batch: usize,
    seed: u64,
    epochs: u64,
    order: Vec<u32>,
    epoch: u64,
    next: usize,
}

impl Windows {
    pub(super) fn new(text: usize, options: &NextTokenOptions) -> Result<Self> {
        let NextTokenOptions { run: RunOptions { epochs, seed, .. }, context_length: context, stride, .. } = *options;
        let count = text.saturating_sub(context).div_ceil(stride);
        if count == 0 {
            return Err(Error::Usage(format!(
                "a text of {text} tokens has no window of {context} tokens with another token after it: give a longer text or a shorter context"
            )));
        }
        let mut new =
            Self { context, stride, batch: options.batch_size, seed, epochs, order: zeroed(count), epoch: 0, next: 0 };
        new.shuffle()?;
        Ok(new)
    }

    fn shuffle(&mut self) -> Result<()> {
        let seed = Draws::at(self.seed, self.epoch, 0).bits();
        let order = randperm(&mut Generator::new(seed), self.order.len());
        self.order = order.map_err(|error| Error::Usage(error.to_string()))?;
        Ok(())
    }

    fn here(&self) -> &[u32] {
        &self.order[self.next..self.order.len().min(self.next + self.batch)]
    }

    /// Fills the positions of the next batch.
    pub(super) fn fill(&self, text: &Text, batch: &mut Batch) -> Result<()> {
        let mut ids = zeroed(self.context + 1);
        for &window in self.here() {
            text.copy(window as usize * self.stride, &mut ids)?;
            batch.ids.put_slice(&ids[..self.context]);
            batch.targets.put_slice(&ids[1..]);
            batch.places.put_all(0..self.context as u32);
        }
        Ok(())
    }

    /// Moves on to the batch after that.
    pub(super) fn advance(&mut self) -> Result<()> {
        self.next += self.here().len();
        if self.next == self.order.len() {
            (self.epoch, self.next) = (self.epoch + 1, 0);
            self.shuffle()?;
        }
        Ok(())
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The number of windows learned from so far.
    pub(super) fn done(&self) -> u64 {
        self.epoch * self.order.len() as u64 + self.next as u64
    }

    /// The number of windows at the end of the run.
    pub(super) fn total(&self) -> u64 {
        self.epochs * self.order.len() as u64
    }

    pub(super) fn place(&self) -> [u64; 2] {
        [self.epoch, self.next as u64]
    }

    pub(super) fn has_place(&self, place: &[u64]) -> bool {
        matches!(place, &[epoch, next] if epoch <= self.epochs && next < self.order.len() as u64)
    }

    pub(super) fn go_to(&mut self, place: &[u64]) {
        let [epoch, next] = place else { return };
        (self.epoch, self.next) = (*epoch, (*next as usize).min(self.order.len()));
        // This cannot fail: the same number of windows was shuffled before.
        let _ = self.shuffle();
    }
}
