//! Optimizers: what each makes of a gradient, on a whole parameter ([`dense`]), on rows of a table ([`rows`]), and on rows
//! that are brought up to date when they are next needed ([`lazy`]).
//!
//! An optimizer is one file and one arm of [`Optimizer`]: its numbers as users write them, in f64, and what becomes of
//! them at a step. What a step does to an element stands in `kernels::ops::optim`.

mod adagrad;
mod adam;
pub mod clip;
pub mod dense;
pub mod lazy;
mod power;
mod row_adagrad;
pub mod rows;
mod sgd;
mod sparse_adam;

pub use adagrad::Adagrad;
pub use adam::{Adam, Decay};
pub use row_adagrad::RowAdagrad;
pub use sgd::Sgd;
pub use sparse_adam::SparseAdam;

use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::ops::learn::optim::{Slots, Update};
use tokenbed_kernels::real::Real;
use tokenbed_memory::Gather;

/// An optimizer and its numbers for one parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// Stochastic gradient descent.
    Sgd(Sgd),
    /// Adam and AdamW.
    Adam(Adam),
    /// Adam on rows alone.
    SparseAdam(SparseAdam),
    /// Adagrad.
    Adagrad(Adagrad),
    /// Adagrad with one sum of squares a row.
    RowAdagrad(RowAdagrad),
}

impl Optimizer {
    /// The rule of step `step`, the first being 1, its numbers rounded once to the parameter's type.
    pub fn update<F: Real>(&self, step: u64) -> Update<F> {
        match self {
            Optimizer::Sgd(it) => it.update(step),
            Optimizer::Adam(it) => Update::Adam(it.update(step)),
            Optimizer::SparseAdam(it) => Update::SparseAdam(it.update(step)),
            Optimizer::Adagrad(it) => Update::Adagrad(it.update()),
            Optimizer::RowAdagrad(it) => Update::RowAdagrad(it.update()),
        }
    }

    /// What a row without a gradient does at a step.
    pub fn idle(&self) -> Idle {
        let stays = match self {
            Optimizer::Sgd(it) => it.momentum == 0.0 && it.weight_decay == 0.0,
            Optimizer::Adam(_) => false,
            Optimizer::SparseAdam(_) => true,
            Optimizer::Adagrad(it) => it.weight_decay == 0.0,
            Optimizer::RowAdagrad(_) => true,
        };
        if stays { Idle::Stays } else { Idle::Moves }
    }
}

/// What becomes of a row at a step that has no gradient for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// Nothing, to the bit: a step may leave it out.
    Stays,
    /// Decay or momentum moves it.
    Moves,
}

/// A parameter and its state, which a step writes.
#[derive(Debug)]
pub struct Parameter<'a, F> {
    /// The elements.
    pub param: &'a mut [F],
    /// State: for each element, each row, or nothing, as the rule says.
    pub first: &'a mut [F],
    /// The same.
    pub second: &'a mut [F],
}

impl<'a, F: Real> Parameter<'a, F> {
    fn check(&self, update: &Update<F>, rows: usize, dim: usize) -> Result<()> {
        let (first, second) = update.state(dim);
        let fits = |len: usize, width: usize| rows.checked_mul(width) == Some(len);
        if fits(self.param.len(), dim) && fits(self.first.len(), first) && fits(self.second.len(), second) {
            return Ok(());
        }
        let sizes = [self.param.len(), self.first.len(), self.second.len()];
        Err(Error::Shape(format!("{sizes:?} elements are no parameter of {rows} x {dim} and its state")))
    }

    /// It in pieces of so many elements, the last perhaps shorter; of rules whose state is a row's, a row.
    fn pieces(self, update: &Update<F>, len: usize) -> Vec<Parameter<'a, F>> {
        let Parameter { param, mut first, mut second } = self;
        let mut piece = |param: &'a mut [F]| {
            let (a, b) = update.state(param.len());
            let (a, rest) = std::mem::take(&mut first).split_at_mut(a);
            first = rest;
            let (b, rest) = std::mem::take(&mut second).split_at_mut(b);
            second = rest;
            Parameter { param, first: a, second: b }
        };
        param.chunks_mut(len.max(1)).map(&mut piece).into_list()
    }

    /// Steps it.
    fn step(&mut self, kernels: Kernels, update: &Update<F>, grad: &[F]) {
        kernels.update(update, Slots { param: self.param, grad, first: self.first, second: self.second });
    }

    /// The elements `from .. from + len`, for rules that look at an element alone.
    fn part(&mut self, update: &Update<F>, from: usize, len: usize) -> Parameter<'_, F> {
        let (first, second) = update.state(len);
        let start = |state: usize| if state == 0 { 0 } else { from };
        Parameter {
            param: &mut self.param[from..][..len],
            first: &mut self.first[start(first)..][..first],
            second: &mut self.second[start(second)..][..second],
        }
    }
}
