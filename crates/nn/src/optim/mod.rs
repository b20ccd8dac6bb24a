//! Optimizers: what each does with a gradient, on a whole parameter ([`dense`]), on rows of a table ([`rows`]), and on
//! rows that are brought up to date when they are next needed ([`lazy`]).
//!
//! An optimizer is one file and one line of [`optimizers!`]: its options with their defaults, how they become the
//! numbers of a step, and how it treats rows. The arithmetic of a step on one element is in
//! `kernels::ops::learn::optim`. A step of [`Adafactor`] and [`Muon`] needs the whole parameter ([`WholeRule`]), and
//! its arithmetic is in their files.

mod adafactor;
mod adagrad;
mod adam;
pub mod clip;
pub mod dense;
pub mod lazy;
mod lion;
mod muon;
mod power;
mod rmsprop;
mod row_adagrad;
pub mod rows;
mod sgd;
mod sparse_adam;

pub use adafactor::Adafactor;
pub use adagrad::Adagrad;
pub use adam::{Adam, AdamW, AdamWNumbers};
pub use lion::Lion;
pub use muon::{AdjustLr, Muon};
pub use rmsprop::RmsProp;
pub use row_adagrad::RowWiseAdagrad;
pub use sgd::Sgd;
pub use sparse_adam::SparseAdam;

use crate::options::{Field, Options, Values};
use tokenbed_core::{Error, Result};
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_kernels::ops::learn::optim::{Slots, Update};
use tokenbed_kernels::real::Real;
use tokenbed_memory::{Gather, filled};

/// An optimizer of one kind, with its options.
pub trait Rule: Options {
    /// The rule of step `step` (the first is 1), with its numbers rounded once to the parameter's type.
    fn update<F: Real>(&self, step: u64) -> Update<F>;

    /// How it treats a parameter.
    fn manner(&self) -> Manner;
}

/// An optimizer of one kind whose steps see a whole parameter: the sums of its rows and columns, or its product with
/// another matrix.
pub trait WholeRule: Options {
    /// Does step `step` (the first is 1) with a gradient for every element.
    ///
    /// # Errors
    /// [`Error::Shape`] for sizes that do not fit, before anything is written.
    fn step<F: Real>(
        &self,
        kernels: Kernels,
        step: u64,
        parameter: Parameter<'_, F>,
        grad: &[F],
        shape: &[usize],
    ) -> Result<()>;

    /// How it treats a parameter.
    fn manner(&self) -> Manner;
}

/// What a parameter must be like if a step sees the whole of it, and the shape of its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// A matrix. State has its shape.
    Matrix,
    /// Anything. Of two or more dimensions, the first two states have a number for each row and for each column of the
    /// last two; of fewer, only the third state is kept, which has the parameter's shape.
    Factored,
}

/// How an optimizer treats a parameter, as far as the code shared by all optimizers needs to know.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Manner {
    /// The names of its state tensors in `stateDict`: none to three.
    pub state: &'static [&'static str],
    /// Whether state has one number for each row instead of each element.
    pub by_row: bool,
    /// For a [`WholeRule`], what a parameter must be like.
    pub whole: Option<Whole>,
    /// The initial value of state.
    pub initial: f64,
    /// Whether it only takes gradients in rows, and refuses dense ones.
    pub rows_alone: bool,
    /// Whether it climbs: the gradient is negated before all else.
    pub maximize: bool,
    /// What a step does to a row for which it has no gradient.
    pub idle: Idle,
}

impl Manner {
    /// The manner without state, in which rows without a gradient stay as they are.
    const PLAIN: Manner = Manner {
        state: &[],
        by_row: false,
        whole: None,
        initial: 0.0,
        rows_alone: false,
        maximize: false,
        idle: Idle::Stays,
    };
}

/// The state of the optimizers that keep moments.
const MOMENTS: &[&str] = &["expAvg", "expAvgSq"];

/// An optimizer as users know it.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// Its name in TypeScript.
    pub name: &'static str,
    /// Its description, in sentences.
    pub about: &'static str,
    /// Its options.
    pub fields: Vec<Field>,
}

/// Makes [`Optimizer`] from two lists of rules, each with the name that users know it by: those that step on elements
/// or rows, and those that step on whole parameters.
macro_rules! optimizers {
    ($($name:literal: $rule:ident,)+; whole: $($whole_name:literal: $whole:ident,)+) => {
        /// An optimizer and its options for one parameter.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum Optimizer {
            $(#[doc = concat!("[`", stringify!($rule), "`].")] $rule($rule),)+
            $(#[doc = concat!("[`", stringify!($whole), "`].")] $whole($whole),)+
        }

        impl Optimizer {
            /// All optimizers, as users know them.
            pub fn definitions() -> Vec<Definition> {
                Vec::from([
                    $(Definition { name: $name, about: $rule::ABOUT, fields: $rule::fields() },)+
                    $(Definition { name: $whole_name, about: $whole::ABOUT, fields: $whole::fields() },)+
                ])
            }

            /// The optimizer with this name, with the options that JavaScript passed.
            ///
            /// # Errors
            /// [`Error::Usage`] for an unknown name and for missing options; TypeScript has already checked both.
            pub fn read(name: &str, options: &dyn Values) -> Result<Self> {
                match name {
                    $($name => Ok(Optimizer::$rule($rule::read(options)?)),)+
                    $($whole_name => Ok(Optimizer::$whole($whole::read(options)?)),)+
                    _ => Err(Error::Usage(format!("no optimizer is called \"{name}\""))),
                }
            }

            /// The rule of step `step` (the first is 1), with its numbers rounded once to the parameter's type.
            ///
            /// # Errors
            /// [`Error::Usage`] for an optimizer that steps on whole parameters.
            pub fn update<F: Real>(&self, step: u64) -> Result<Update<F>> {
                match self {
                    $(Optimizer::$rule(it) => Ok(it.update(step)),)+
                    $(Optimizer::$whole(_) => {
                        Err(Error::Usage(concat!($whole_name, " steps on whole parameters, not on their rows").into()))
                    })+
                }
            }

            /// Does step `step` (the first is 1) on a whole parameter, if that is what the optimizer steps on.
            ///
            /// # Errors
            /// [`Error::Shape`] for sizes that do not fit; [`Error::Usage`] for an optimizer that steps on elements.
            pub fn step_whole<F: Real>(
                &self,
                kernels: Kernels,
                step: u64,
                parameter: Parameter<'_, F>,
                grad: &[F],
                shape: &[usize],
            ) -> Result<()> {
                match self {
                    $(Optimizer::$rule(_) => Err(Error::Usage(concat!($name, " steps on elements").into())),)+
                    $(Optimizer::$whole(it) => it.step(kernels, step, parameter, grad, shape),)+
                }
            }

            /// How it treats a parameter.
            pub fn manner(&self) -> Manner {
                match self {
                    $(Optimizer::$rule(it) => it.manner(),)+
                    $(Optimizer::$whole(it) => it.manner(),)+
                }
            }
        }
    };
}

optimizers! {
    "SGD": Sgd,
    "Adam": Adam,
    "AdamW": AdamW,
    "SparseAdam": SparseAdam,
    "Adagrad": Adagrad,
    "RowWiseAdagrad": RowWiseAdagrad,
    "RMSprop": RmsProp,
    "Lion": Lion,
    ;
    whole:
    "Adafactor": Adafactor,
    "Muon": Muon,
}

/// What a step does to a row for which it has no gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// The row keeps its bits, so a step may leave it out.
    Stays,
    /// Decay or momentum changes it.
    Moves,
    /// Decay or moments change it, and it may take the steps that it missed later ([`lazy`]).
    CatchesUp,
}

/// A parameter and its state, both of which a step writes.
#[derive(Debug)]
pub struct Parameter<'a, F> {
    /// The elements.
    pub param: &'a mut [F],
    /// State: one number per element, one per row, or empty, as the rule requires.
    pub first: &'a mut [F],
    /// The second state, likewise.
    pub second: &'a mut [F],
    /// The third state, likewise.
    pub third: &'a mut [F],
}

impl<'a, F: Real> Parameter<'a, F> {
    fn check(&self, update: &Update<F>, rows: usize, dim: usize) -> Result<()> {
        let [first, second, third] = update.state(dim);
        let sizes = [self.param.len(), self.first.len(), self.second.len(), self.third.len()];
        let wanted = [dim, first, second, third].map(|width| rows.checked_mul(width));
        if sizes.map(Some) == wanted {
            return Ok(());
        }
        Err(Error::Shape(format!(
            "buffers of {sizes:?} elements do not match a parameter of {rows} x {dim} and its state"
        )))
    }

    /// Cuts the parameter into pieces of `len` elements, of which the last may be shorter. If the rule's state is per
    /// row, a piece is a row.
    fn pieces(self, update: &Update<F>, len: usize) -> Vec<Parameter<'a, F>> {
        let Parameter { param, first, second, third } = self;
        let mut rest = [first, second, third];
        let mut piece = |param: &'a mut [F]| {
            let mut lengths = update.state(param.len()).into_iter();
            let [first, second, third] = rest.each_mut().map(|rest| {
                let (part, after) = std::mem::take(rest).split_at_mut(lengths.next().unwrap_or(0));
                *rest = after;
                part
            });
            Parameter { param, first, second, third }
        };
        param.chunks_mut(len.max(1)).map(&mut piece).into_list()
    }

    /// Does a step on this parameter.
    fn step(&mut self, kernels: Kernels, update: &Update<F>, grad: &[F]) {
        let Parameter { param, first, second, third } = self;
        kernels.update(update, Slots { param, grad, first, second, third });
    }

    /// The elements `from .. from + len`, for rules that treat each element alone.
    fn part(&mut self, update: &Update<F>, from: usize, len: usize) -> Parameter<'_, F> {
        let [first, second, third] = update.state(len);
        let start = |state: usize| if state == 0 { 0 } else { from };
        Parameter {
            param: &mut self.param[from..][..len],
            first: &mut self.first[start(first)..][..first],
            second: &mut self.second[start(second)..][..second],
            third: &mut self.third[start(third)..][..third],
        }
    }
}

/// PyTorch's `lerp`: `weight` of the way from `start` to `end`, measured from the nearer end.
fn lerp<F: Real>(start: F, end: F, weight: F) -> F {
    let way = end - start;
    if weight.abs() < F::round(0.5) { weight.fused(way, start) } else { (weight - F::ONE).fused(way, end) }
}

/// Gradients as a step reads them: as they are, or negated for an optimizer that climbs.
struct Direction<F> {
    negated: Option<Vec<F>>,
}

impl<F: Real> Direction<F> {
    /// For gradients of up to `most` elements at a time.
    fn new(maximize: bool, most: usize) -> Self {
        Self { negated: maximize.then(|| filled(F::ZERO, most)) }
    }

    fn of<'a>(&'a mut self, grad: &'a [F]) -> &'a [F] {
        let Some(negated) = &mut self.negated else { return grad };
        negated.iter_mut().zip(grad).for_each(|(to, &g)| *to = -g);
        &negated[..grad.len()]
    }
}
