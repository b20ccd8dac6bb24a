//! Exact Adam and AdamW on rows. A row for which a step has no gradient is left as it is. When it is next needed it
//! takes the steps that it missed, with the same bits as if it had taken each in its turn.
//!
//! ```text
//! step:      rows of the gradient take what they missed, then the step; it is recorded for all others
//! catch_up:  rows that a lookup is about to read take what they missed
//! flush:     all rows do
//! ```
//!
//! A step is recorded with all its numbers, because rates and betas may change between steps. The cost grows with the
//! number of rows that are touched and with how long they were not, which `kernels::ops::learn::optim::replay` makes
//! cheap.

use super::{Direction, Optimizer, Parameter, rows};
use crate::row_grad::{GradRows, Hot, ScratchRow, for_each_share, parts, shares};
use tokenbed_core::ids::{BadIds, IdSlice, resolve};
use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::ops::learn::optim::adam;
use tokenbed_kernels::ops::learn::optim::replay::Replay;
use tokenbed_kernels::ops::learn::optim::{Slots, Update};
use tokenbed_memory::{Gather, List, filled, with_room, zeroed};
use tokenbed_threads::parallel_rows;

/// The maximal number of steps that are recorded; every row then takes them.
const LONGEST: usize = 1 << 16;

/// The steps that rows of a table have missed.
#[derive(Debug)]
pub struct Lazy {
    dim: usize,
    /// For each row, how many of the recorded steps it has taken.
    taken: Vec<u32>,
    /// For each row, whether it ever had a gradient; if not, its moments are 0.
    stirred: Vec<bool>,
    steps: Vec<adam::Adam<f32>>,
}

impl Lazy {
    /// The state for a table whose rows are all up to date. `fresh` says that no row ever had a gradient.
    pub fn new(rows: usize, dim: usize, fresh: bool) -> Self {
        Self { dim, taken: zeroed(rows), stirred: filled(!fresh, rows), steps: Vec::new() }
    }

    /// Whether some rows may have missed a step.
    pub fn lags(&self) -> bool {
        !self.steps.is_empty()
    }

    fn check(&self, parameter: &Parameter<'_, f32>) -> Result<()> {
        let len = self.taken.len() * self.dim;
        if [parameter.param.len(), parameter.first.len(), parameter.second.len()] == [len; 3] {
            return Ok(());
        }
        Err(Error::Shape(format!("the table and its moments must have the size {} x {}", self.taken.len(), self.dim)))
    }

    /// Does step `at` (the first is 1) of Adam or AdamW on the rows of the gradient.
    ///
    /// # Errors
    /// [`Error::Usage`] for another optimizer, and [`Error::Shape`] for sizes that do not fit, before anything is
    /// written.
    pub fn step<G: GradRows + ?Sized>(
        &mut self,
        kernels: Kernels,
        (optimizer, at): (&Optimizer, u64),
        mut parameter: Parameter<'_, f32>,
        grad: &G,
    ) -> Result<()> {
        self.check(&parameter)?;
        let update = optimizer.update::<f32>(at)?;
        let Update::Adam(now) = update else {
            return Err(Error::Usage(format!("{optimizer:?} cannot bring rows up to date later")));
        };
        rows::check(&update, &parameter, grad, self.taken.len())?;
        if self.steps.len() >= LONGEST {
            let Parameter { param, first, second, third } = &mut parameter;
            self.flush(kernels, Parameter { param, first, second, third })?;
        }
        let (ids, dim, maximize) = (grad.ids(), self.dim, optimizer.manner().maximize);
        let missed: usize = ids.iter().map(|&id| self.steps.len() - self.taken[id as usize] as usize).sum();
        let shares = shares(grad, Hot::Split);
        let moments = parts(&shares, ids, dim, parameter.first).into_iter();
        let moments = moments.zip(parts(&shares, ids, dim, parameter.second));
        let with: Vec<_> = parts(&shares, ids, dim, parameter.param).into_iter().zip(moments).into_list();
        // A missed step costs about a tenth of what a full step reads and writes.
        let bytes = rows::bytes(&update, grad) + missed * dim;
        for_each_share(&shares, with, bytes, |share, (param, (first, second))| {
            let columns = share.columns.clone();
            let mut scratch = ScratchRow::new(columns.len());
            let mut direction = Direction::new(maximize, columns.len());
            for i in share.rows.clone() {
                let (at, id) = (share.at(ids, i, dim), ids[i] as usize);
                let (param, first, second) = (
                    &mut param[at..][..columns.len()],
                    &mut first[at..][..columns.len()],
                    &mut second[at..][..columns.len()],
                );
                self.replay(kernels, id, Parameter { param, first, second, third: &mut [] });
                let grad = direction.of(grad.row(i, columns.clone(), scratch.row()));
                kernels.update(&update, Slots { param, grad, first, second, third: &mut [] });
            }
        });
        self.steps.put(now);
        for &id in ids {
            self.taken[id as usize] = self.steps.len() as u32;
            self.stirred[id as usize] = true;
        }
        Ok(())
    }

    /// Replays what a row missed, on some of its columns.
    fn replay(&self, kernels: Kernels, id: usize, row: Parameter<'_, f32>) {
        let steps = &self.steps[self.taken[id] as usize..];
        if !steps.is_empty() {
            let Parameter { param, first, second, .. } = row;
            kernels.replay(Replay { param, first, second, steps, fresh: !self.stirred[id] });
        }
    }

    /// Brings the rows that `ids` names up to date.
    ///
    /// # Errors
    /// [`Error::TokenIndex`] for an id that `bad` does not mend, and [`Error::Shape`] for sizes that do not fit, before
    /// anything is written.
    pub fn catch_up(
        &mut self,
        kernels: Kernels,
        parameter: Parameter<'_, f32>,
        (ids, bad): (IdSlice<'_>, BadIds),
        scratch: &mut Vec<u32>,
    ) -> Result<()> {
        self.check(&parameter)?;
        if !self.lags() {
            return Ok(());
        }
        let ids = resolve(kernels, ids, self.taken.len(), bad, scratch)?;
        let behind = |&id: &u32| (self.taken[id as usize] as usize) < self.steps.len();
        let mut late: Vec<u32> = ids.ids().iter().copied().filter(behind).into_list();
        late.sort_unstable();
        late.dedup();
        self.take(kernels, parameter, &late);
        Ok(())
    }

    /// Brings every row up to date, and forgets the recorded steps.
    ///
    /// # Errors
    /// [`Error::Shape`] for sizes that do not fit, before anything is written.
    pub fn flush(&mut self, kernels: Kernels, parameter: Parameter<'_, f32>) -> Result<()> {
        self.check(&parameter)?;
        let behind = |&id: &u32| (self.taken[id as usize] as usize) < self.steps.len();
        let late: Vec<u32> = (0..self.taken.len() as u32).filter(behind).into_list();
        self.take(kernels, parameter, &late);
        self.steps.clear();
        self.taken.fill(0);
        Ok(())
    }

    /// Records that every row was stepped elsewhere: all are up to date, and none counts as fresh any more.
    pub fn stirred(&mut self) {
        self.stirred.fill(true);
    }

    /// Replays what rows missed; `late` ascends.
    fn take(&mut self, kernels: Kernels, parameter: Parameter<'_, f32>, late: &[u32]) {
        let dim = self.dim;
        let Parameter { mut param, mut first, mut second, .. } = parameter;
        let mut at = 0;
        let mut missed = 0;
        let mut work = with_room(late.len());
        for &id in late {
            let id = id as usize;
            missed += self.steps.len() - self.taken[id] as usize;
            work.put((
                id,
                Parameter {
                    param: cut(&mut param, (id - at) * dim, dim),
                    first: cut(&mut first, (id - at) * dim, dim),
                    second: cut(&mut second, (id - at) * dim, dim),
                    third: &mut [],
                },
            ));
            at = id + 1;
        }
        let bytes = dim * (3 * size_of::<f32>() + missed / late.len().max(1));
        parallel_rows(&mut work, 1, bytes, |_, work| {
            for (id, Parameter { param, first, second, .. }) in work {
                self.replay(kernels, *id, Parameter { param, first, second, third: &mut [] });
            }
        });
        for &id in late {
            self.taken[id as usize] = self.steps.len() as u32;
        }
    }
}

/// Cuts off `len` elements after the first `skip`; `rest` becomes what follows them.
fn cut<'a>(rest: &mut &'a mut [f32], skip: usize, len: usize) -> &'a mut [f32] {
    let (_, from) = std::mem::take(rest).split_at_mut(skip);
    let (row, after) = from.split_at_mut(len);
    *rest = after;
    row
}
