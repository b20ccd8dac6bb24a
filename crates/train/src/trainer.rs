//! Runs a model between two reports.

use crate::corpus::{Evaluation, HeldOut};
use crate::model::{Array, Model, Progress};
use std::time::{Duration, Instant};
use tokenbed_core::{Error, Result};
use tokenbed_memory::{Gather, caught};

/// What happened since the last report.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// The progress so far.
    pub progress: Progress,
    /// The mean loss since the last report; NaN if there was no batch.
    pub loss: f64,
    /// Tokens since the last report.
    pub tokens: u64,
}

/// Why the tables can no longer be used: what was not finite, and after how many steps.
#[derive(Clone, Copy, Debug)]
enum Failed {
    /// A step failed halfway, because memory ran out.
    Step(u64),
    Loss(u64),
    Table(u64, &'static str),
}

/// A model in training.
pub struct Trainer {
    model: Box<dyn Model>,
    /// Set once a loss or a number in a table is not finite, or once a step failed: the tables can then no longer be
    /// used.
    failed: Option<Failed>,
}

impl std::fmt::Debug for Trainer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trainer").field("progress", &self.model.progress()).finish_non_exhaustive()
    }
}

impl Trainer {
    /// A trainer for a model, at whatever place the model is.
    pub fn new(model: Box<dyn Model>) -> Self {
        Self { model, failed: None }
    }

    /// Trains until the time is up, `steps` steps are done, or `go_on` returns false; at least one step, if any is
    /// left. How a run is divided into calls does not change what is learned.
    ///
    /// # Errors
    /// [`Error::Usage`], with the number of the step, if its loss is not finite; [`Error::Memory`] if a step found no
    /// memory; and the errors of the model.
    pub fn run(&mut self, time: Duration, steps: u64, go_on: &dyn Fn() -> bool) -> Result<Report> {
        let start = Instant::now();
        let (mut loss, mut losses, mut tokens) = (0.0, 0, 0);
        for _ in 0..steps {
            self.usable()?;
            if self.model.progress().is_done() {
                break;
            }
            let number = self.model.progress().step;
            let step = caught(|| self.model.step()).unwrap_or_else(|found| Err(found.into())).inspect_err(|_| {
                self.failed = Some(Failed::Step(number + 1));
            })?;
            if !step.loss.is_finite() {
                self.failed = Some(Failed::Loss(self.model.progress().step));
                self.usable()?;
            }
            (loss, losses, tokens) = (loss + step.loss, losses + step.losses, tokens + step.tokens);
            if start.elapsed() >= time || !go_on() {
                break;
            }
        }
        Ok(Report { progress: self.model.progress(), loss: loss / losses as f64, tokens })
    }

    /// How good the tables are over what is held out, as long as `go_on` says so.
    ///
    /// # Errors
    /// Those of the model; [`Error::Usage`] after a loss that is not finite.
    pub fn evaluate(&mut self, held: &HeldOut, go_on: &dyn Fn() -> bool) -> Result<Evaluation> {
        self.usable()?;
        self.model.evaluate(held, go_on)
    }

    /// Begins rows of a table with these values, end to end, before the first step.
    ///
    /// # Errors
    /// Those of the model.
    pub fn begin(&mut self, table: &str, rows: &[u32], values: &[f32]) -> Result<()> {
        self.model.begin(table, rows, values)
    }

    /// How much of each change the rows of the input table take.
    ///
    /// # Errors
    /// Those of the model.
    pub fn lock(&mut self, factors: &[f32]) -> Result<()> {
        self.model.lock(factors)
    }

    fn usable(&self) -> Result<()> {
        let what = match self.failed {
            None => return Ok(()),
            Some(Failed::Step(step)) => {
                return Err(Error::Usage(format!(
                    "step {step} was interrupted, so the tables are inconsistent: start over, or resume from the last checkpoint"
                )));
            }
            Some(Failed::Loss(step)) => format!("the loss of step {step} is not a finite number"),
            Some(Failed::Table(step, name)) => {
                format!("the {name} table has numbers that are not finite after step {step}")
            }
        };
        Err(Error::Usage(format!(
            "{what}: the tables are useless. Start over, or resume from the last checkpoint, with a smaller learning rate"
        )))
    }

    /// Checks that the tables, and everything else that a checkpoint holds, are finite. The loss of a batch only shows
    /// what the batches before it did, but not what its own step did.
    fn finite(&mut self, arrays: Vec<Array>) -> Result<Vec<Array>> {
        let bad = |array: &&Array| !array.values.iter().all(|x| x.is_finite());
        if let Some(array) = arrays.iter().find(bad) {
            self.failed = Some(Failed::Table(self.model.progress().step, array.name));
        }
        self.usable()?;
        Ok(arrays)
    }

    /// The progress so far.
    pub fn progress(&self) -> Progress {
        self.model.progress()
    }

    /// The learned tables.
    ///
    /// # Errors
    /// [`Error::Usage`] after a loss that is not finite, and for tables with such numbers.
    pub fn tables(&mut self) -> Result<Vec<Array>> {
        self.usable()?;
        let tables = self.model.tables();
        self.finite(tables)
    }

    /// The tables and moments, for a checkpoint.
    ///
    /// # Errors
    /// As for [`Trainer::tables`]; the last checkpoint stays.
    pub fn arrays(&mut self) -> Result<Vec<Array>> {
        self.usable()?;
        let arrays = self.model.tables().into_iter().chain(self.model.moments()).into_list();
        self.finite(arrays)
    }

    /// The model, for a checkpoint.
    ///
    /// # Errors
    /// [`Error::Usage`] after a loss that is not finite.
    pub(crate) fn model(&mut self) -> Result<&mut dyn Model> {
        self.usable()?;
        Ok(&mut *self.model)
    }
}
