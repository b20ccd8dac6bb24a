//! Drives a model between two reports.

use crate::model::{Array, Model, Progress};
use std::time::{Duration, Instant};
use tokenbed_core::{Error, Result};

/// What happened since the last report.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// How far it is.
    pub progress: Progress,
    /// The mean loss since the last report; NaN where there was no batch.
    pub loss: f64,
    /// Tokens since then.
    pub tokens: u64,
}

/// A model in training.
pub struct Trainer {
    model: Box<dyn Model>,
    /// Set once a loss was no number: the tables are of no use then.
    failed: Option<u64>,
}

impl std::fmt::Debug for Trainer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trainer").field("progress", &self.model.progress()).finish_non_exhaustive()
    }
}

impl Trainer {
    /// Over a model, wherever it stands.
    pub fn new(model: Box<dyn Model>) -> Self {
        Self { model, failed: None }
    }

    /// Trains until the time is up, so many steps are done, or `go_on` says no; one step at least, where one is left. How
    /// it is divided changes nothing of what is learned.
    ///
    /// # Errors
    /// [`Error::Usage`] that names the step whose loss is no number; and what the model says.
    pub fn run(&mut self, time: Duration, steps: u64, go_on: &dyn Fn() -> bool) -> Result<Report> {
        let start = Instant::now();
        let (mut loss, mut losses, mut tokens) = (0.0, 0, 0);
        for _ in 0..steps {
            self.usable()?;
            if self.model.progress().is_done() {
                break;
            }
            let step = self.model.step()?;
            if !step.loss.is_finite() {
                self.failed = Some(self.model.progress().step);
                self.usable()?;
            }
            (loss, losses, tokens) = (loss + step.loss, losses + step.losses, tokens + step.tokens);
            if start.elapsed() >= time || !go_on() {
                break;
            }
        }
        Ok(Report { progress: self.model.progress(), loss: loss / losses as f64, tokens })
    }

    fn usable(&self) -> Result<()> {
        match self.failed {
            Some(step) => Err(Error::Usage(format!(
                "the loss of step {step} is not a finite number: the tables are of no use any more. Start over, or from the \
                 last checkpoint, with a smaller learning rate"
            ))),
            None => Ok(()),
        }
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.model.progress()
    }

    /// The tables that were learned.
    ///
    /// # Errors
    /// [`Error::Usage`] after a loss that was no number.
    pub fn tables(&mut self) -> Result<Vec<Array>> {
        self.usable()?;
        Ok(self.model.tables())
    }

    /// The model, for a checkpoint.
    ///
    /// # Errors
    /// [`Error::Usage`] after a loss that was no number: the last checkpoint stays.
    pub(crate) fn model(&mut self) -> Result<&mut dyn Model> {
        self.usable()?;
        Ok(&mut *self.model)
    }
}
