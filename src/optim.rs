//! Steps of optimizers, and gradients kept small.

use crate::layers::embedding::SCRATCH;
use crate::layers::row_grad::GradOperand;
use crate::node::borrow::{Operand, size};
use crate::node::borrowed_word::OnBadId;
use crate::node::external::External;
use crate::node::guard::{Failure, guard, status};
use crate::node::process::threads;
use bytemuck::Pod;
use napi_derive::napi;
use std::cell::RefCell;
use tokenbed_core::{DType, Error};
use tokenbed_kernels::table;
use tokenbed_memory::Gather;
use tokenbed_nn::optim::lazy::Lazy;
use tokenbed_nn::optim::{Adagrad, Adam, Decay, Optimizer, Parameter, RowAdagrad, Sgd, SparseAdam, clip, dense, rows};

/// An optimizer as TypeScript writes it: which, and its numbers in the order of its fields.
fn optimizer(kind: u32, numbers: &[f64]) -> Result<Optimizer, Failure> {
    Ok(match (kind, numbers) {
        (0, &[lr, momentum, nesterov, weight_decay]) => {
            Optimizer::Sgd(Sgd { lr, momentum, nesterov: nesterov != 0.0, weight_decay })
        }
        (1 | 2, &[lr, beta1, beta2, eps, weight_decay]) => {
            let decay = if kind == 1 { Decay::Gradient } else { Decay::Parameter };
            Optimizer::Adam(Adam { lr, betas: (beta1, beta2), eps, weight_decay, decay })
        }
        (3, &[lr, beta1, beta2, eps]) => Optimizer::SparseAdam(SparseAdam { lr, betas: (beta1, beta2), eps }),
        (4, &[lr, eps, weight_decay]) => Optimizer::Adagrad(Adagrad { lr, eps, weight_decay }),
        (5, &[lr, eps]) => Optimizer::RowAdagrad(RowAdagrad { lr, eps }),
        _ => return Err(Error::Usage(format!("no optimizer {kind} has {} numbers", numbers.len())).into()),
    })
}

/// A parameter and its state; nothing of them overlaps anything, nor what is `read` beside them.
struct Operands<'a> {
    param: &'a Operand,
    first: &'a Operand,
    second: &'a Operand,
}

impl<'a> Operands<'a> {
    fn exclusive<F: Pod>(&self, read: &[&Operand]) -> Result<Parameter<'a, F>, Failure> {
        let Operands { param, first, second } = *self;
        let beside = |others: [&'a Operand; 2]| -> Vec<&Operand> { read.iter().copied().chain(others).into_list() };
        Ok(Parameter {
            param: param.exclusive(&beside([first, second]))?,
            first: first.exclusive(&beside([param, second]))?,
            second: second.exclusive(&beside([param, first]))?,
        })
    }
}

/// Runs `$body` with `$t` bound to the type of the code.
macro_rules! with_real {
    ($dtype:expr, $t:ident => $body:expr) => {
        match DType::from_code($dtype) {
            Some(DType::Float32) => {
                type $t = f32;
                $body
            }
            Some(DType::Float64) => {
                type $t = f64;
                $body
            }
            _ => return Err(Error::DType("optimizers step float32 and float64".into()).into()),
        }
    };
}

/// Step `at` of an optimizer on all elements of a parameter of `rows` rows.
#[allow(clippy::too_many_arguments, reason = "one crossing a parameter")]
#[napi(catch_unwind)]
pub fn optim_dense(
    kind: u32,
    numbers: Operand,
    at: f64,
    dtype: u32,
    rows: f64,
    param: Operand,
    grad: Operand,
    first: Option<Operand>,
    second: Option<Operand>,
) -> bool {
    status(|| {
        threads()?;
        let optimizer = optimizer(kind, numbers.shared()?)?;
        let (first, second) = (first.unwrap_or(Operand::NOTHING), second.unwrap_or(Operand::NOTHING));
        let operands = Operands { param: &param, first: &first, second: &second };
        with_real!(dtype, F => {
            let parameter = operands.exclusive::<F>(&[&grad])?;
            Ok(dense::step(table::active(), (&optimizer, at as u64), parameter, grad.shared()?, size(rows)?)?)
        })
    })
}

/// Step `at` of an optimizer on a table of `rows` rows, of which the gradient has some.
#[allow(clippy::too_many_arguments, reason = "one crossing a parameter")]
#[napi(catch_unwind)]
pub fn optim_rows(
    kind: u32,
    numbers: Operand,
    at: f64,
    rows: f64,
    param: Operand,
    first: Option<Operand>,
    second: Option<Operand>,
    grad: GradOperand,
) -> bool {
    status(|| {
        threads()?;
        let optimizer = optimizer(kind, numbers.shared()?)?;
        let (first, second) = (first.unwrap_or(Operand::NOTHING), second.unwrap_or(Operand::NOTHING));
        let operands = Operands { param: &param, first: &first, second: &second };
        let parameter = operands.exclusive::<f32>(&grad.reads())?;
        grad.with(|grad| Ok(rows::step(table::active(), (&optimizer, at as u64), parameter, grad, size(rows)?)?))
    })
}

/// What rows of a table have missed, as JavaScript holds it.
pub struct LazyRows(RefCell<Lazy>);

/// What is remembered of a row: the steps that it has taken, and whether it ever had a gradient.
const BYTES_OF_A_LAZY_ROW: usize = size_of::<u32>() + size_of::<bool>();

/// For a table whose rows are all up to date; `fresh` where none ever had a gradient.
#[napi(catch_unwind)]
pub fn lazy_new(rows: f64, dim: f64, fresh: bool) -> Option<External<LazyRows>> {
    guard(|| {
        let (rows, dim) = (size(rows)?, size(dim)?);
        let lazy = LazyRows(RefCell::new(Lazy::new(rows, dim, fresh)));
        Ok(External::new_with_size_hint(lazy, rows * BYTES_OF_A_LAZY_ROW))
    })
}

/// Step `at` of Adam (1) or AdamW (2) on the rows of a gradient; the others are to catch up.
#[allow(clippy::too_many_arguments, reason = "one crossing a parameter")]
#[napi(catch_unwind)]
pub fn lazy_step(
    lazy: &External<LazyRows>,
    kind: u32,
    numbers: Operand,
    at: f64,
    param: Operand,
    first: Operand,
    second: Operand,
    grad: GradOperand,
) -> bool {
    status(|| {
        threads()?;
        let Optimizer::Adam(adam) = optimizer(kind, numbers.shared()?)? else {
            return Err(Error::Usage(format!("optimizer {kind} does not catch up")).into());
        };
        let operands = Operands { param: &param, first: &first, second: &second };
        let parameter = operands.exclusive::<f32>(&grad.reads())?;
        grad.with(|grad| Ok(lazy.0.borrow_mut().step(table::active(), (&adam, at as u64), parameter, grad)?))
    })
}

/// Brings the rows that ids name up to date.
#[napi(catch_unwind)]
pub fn lazy_catch_up(
    lazy: &External<LazyRows>,
    param: Operand,
    first: Operand,
    second: Operand,
    ids: Operand,
    bad: OnBadId,
) -> bool {
    status(|| {
        threads()?;
        let operands = Operands { param: &param, first: &first, second: &second };
        let parameter = operands.exclusive::<f32>(&[&ids])?;
        SCRATCH.with_borrow_mut(|scratch| {
            let ids = (ids.ids()?, bad.0);
            Ok(lazy.0.borrow_mut().catch_up(table::active(), parameter, ids, scratch.ids())?)
        })
    })
}

/// Brings all rows up to date. `stir` says that all will have had a gradient from here on.
#[napi(catch_unwind)]
pub fn lazy_flush(lazy: &External<LazyRows>, param: Operand, first: Operand, second: Operand, stir: bool) -> bool {
    status(|| {
        threads()?;
        let operands = Operands { param: &param, first: &first, second: &second };
        let mut lazy = lazy.0.borrow_mut();
        lazy.flush(table::active(), operands.exclusive::<f32>(&[])?)?;
        if stir {
            lazy.stirred();
        }
        Ok(())
    })
}

/// The sum of the squares, in f64, of rows of `dim` elements; 0 where there are no rows.
#[napi(catch_unwind)]
pub fn sum_squares(dtype: u32, values: Operand, dim: f64) -> Option<f64> {
    guard(|| {
        threads()?;
        with_real!(dtype, F => Ok(clip::sum_squares::<F>(table::active(), values.shared()?, size(dim)?)?))
    })
}

/// The same of the rows of a gradient.
#[napi(catch_unwind)]
pub fn sum_squares_of_rows(grad: GradOperand) -> Option<f64> {
    guard(|| {
        threads()?;
        grad.with(|grad| Ok(clip::sum_squares_of_rows(table::active(), grad)))
    })
}

/// Every element times a factor, in place.
#[napi(catch_unwind)]
pub fn scale_values(dtype: u32, values: Operand, factor: f64) -> bool {
    status(|| {
        threads()?;
        with_real!(dtype, F => {
            clip::scale::<F>(values.exclusive(&[])?, factor);
            Ok(())
        })
    })
}

/// Every element within `-limit ..= limit`, in place.
#[napi(catch_unwind)]
pub fn clamp_values(dtype: u32, values: Operand, limit: f64) -> bool {
    status(|| {
        threads()?;
        with_real!(dtype, F => {
            clip::clamp::<F>(values.exclusive(&[])?, limit);
            Ok(())
        })
    })
}
