//! Optimizer steps and gradient clipping.

use crate::layers::embedding::SCRATCH;
use crate::layers::row_grad::GradOperand;
use crate::node::borrow::{Operand, size, sizes};
use crate::node::borrowed_word::{OnBadId, Word};
use crate::node::external::External;
use crate::node::guard::{Failure, guard, status};
use crate::node::options::Given;
use crate::node::process::threads;
use bytemuck::Pod;
use napi::bindgen_prelude::Object;
use napi_derive::napi;
use std::cell::{Cell, RefCell};
use tokenbed_core::{DType, Error};
use tokenbed_kernels::dispatch;
use tokenbed_memory::{Gather, Slice};
use tokenbed_nn::optim::lazy::Lazy;
use tokenbed_nn::optim::{Idle, Manner, Optimizer, Parameter, Whole, clip, dense, rows};

/// An optimizer with its options, as JavaScript holds it. Each group of parameters has one.
pub struct Rule(Cell<Optimizer>);

/// How an optimizer with these options treats parameters.
#[napi(object, object_from_js = false)]
pub struct OptimizerManner {
    /// The names of its state tensors.
    pub state: Vec<&'static str>,
    /// Whether state has one number per row.
    pub by_row: bool,
    /// Whether a step sees a whole parameter, and takes dense gradients alone.
    pub whole: bool,
    /// Whether state is kept for the rows and columns of the last two dimensions: the first two of its tensors, or the
    /// third for a parameter without two dimensions.
    pub factored: bool,
    /// The initial value of state.
    pub initial: f64,
    /// Whether it only takes gradients in rows.
    pub rows_alone: bool,
    /// Whether rows without a gradient change too, and may catch up later.
    pub catches_up: bool,
}

/// Makes the optimizer with this name from all of its options, which are checked.
#[napi(catch_unwind)]
pub fn optimizer_new(name: String, options: Object<'_>) -> Option<External<Rule>> {
    guard(|| Ok(External::new(Rule(Cell::new(Optimizer::read(&name, &Given(options))?)))))
}

/// Replaces an optimizer's options, for example with a schedule's next learning rate.
#[napi(catch_unwind)]
pub fn optimizer_set(rule: &External<Rule>, name: String, options: Object<'_>) -> bool {
    status(|| {
        rule.0.set(Optimizer::read(&name, &Given(options))?);
        Ok(())
    })
}

/// How an optimizer treats parameters.
#[napi(catch_unwind)]
pub fn optimizer_manner(rule: &External<Rule>) -> Option<OptimizerManner> {
    guard(|| {
        let Manner { state, by_row, whole, initial, rows_alone, idle, .. } = rule.0.get().manner();
        let catches_up = idle == Idle::CatchesUp;
        let (factored, whole) = (whole == Some(Whole::Factored), whole.is_some());
        Ok(OptimizerManner { state: state.to_list(), by_row, whole, factored, initial, rows_alone, catches_up })
    })
}

/// A parameter and its state, both of which a step writes.
#[napi(object, object_to_js = false)]
pub struct ParameterOperand {
    pub param: Operand,
    pub first: Option<Operand>,
    pub second: Option<Operand>,
    pub third: Option<Operand>,
}

impl ParameterOperand {
    /// Borrows the elements to be written. None of them may overlap each other or the operands in `read`.
    fn exclusive<'a, F: Pod>(&'a self, read: &[&Operand]) -> Result<Parameter<'a, F>, Failure> {
        let all = [Some(&self.param), self.first.as_ref(), self.second.as_ref(), self.third.as_ref()];
        let one = |at: usize| -> Result<&'a mut [F], Failure> {
            let Some(operand) = all[at] else { return Ok(&mut []) };
            let others = all.iter().enumerate().filter(|(i, _)| *i != at).filter_map(|(_, operand)| *operand);
            let beside: Vec<&Operand> = read.iter().copied().chain(others).into_list();
            operand.exclusive(&beside)
        };
        Ok(Parameter { param: one(0)?, first: one(1)?, second: one(2)?, third: one(3)? })
    }
}

/// Runs `$body` with `$t` bound to the type of the word.
macro_rules! with_real {
    ($dtype:expr, $t:ident => $body:expr) => {
        match $dtype.0 {
            DType::Float32 => {
                type $t = f32;
                $body
            }
            DType::Float64 => {
                type $t = f64;
                $body
            }
            _ => return Err(Error::DType("an optimizer takes float32 or float64 parameters".into()).into()),
        }
    };
}

/// Does step `at` of an optimizer on all elements of a parameter with `rows` rows.
#[napi(catch_unwind)]
pub fn optim_dense(
    rule: &External<Rule>,
    at: f64,
    parameter: ParameterOperand,
    rows: f64,
    grad: Operand,
    dtype: Word<DType>,
) -> bool {
    status(|| {
        threads()?;
        with_real!(dtype, F => {
            let parameter = parameter.exclusive::<F>(&[&grad])?;
            Ok(dense::step(dispatch::active(), (&rule.0.get(), at as u64), parameter, grad.shared()?, size(rows)?)?)
        })
    })
}

/// Does step `at` of an optimizer on a whole parameter of this shape.
#[napi(catch_unwind)]
pub fn optim_whole(
    rule: &External<Rule>,
    at: f64,
    parameter: ParameterOperand,
    shape: &[f64],
    grad: Operand,
    dtype: Word<DType>,
) -> bool {
    status(|| {
        threads()?;
        let shape = sizes(shape)?;
        with_real!(dtype, F => {
            let parameter = parameter.exclusive::<F>(&[&grad])?;
            Ok(rule.0.get().step_whole(dispatch::active(), at as u64, parameter, grad.shared()?, &shape)?)
        })
    })
}

/// Does step `at` of an optimizer on a table with `rows` rows, some of which have a gradient.
#[napi(catch_unwind)]
pub fn optim_rows(rule: &External<Rule>, at: f64, parameter: ParameterOperand, rows: f64, grad: GradOperand) -> bool {
    status(|| {
        threads()?;
        let parameter = parameter.exclusive::<f32>(&grad.reads())?;
        grad.with(|grad| Ok(rows::step(dispatch::active(), (&rule.0.get(), at as u64), parameter, grad, size(rows)?)?))
    })
}

/// The steps that rows of a table have missed, as JavaScript holds them.
pub struct LazyRows(RefCell<Lazy>);

/// The bytes remembered for each row: the steps that it has taken, and whether it ever had a gradient.
const BYTES_OF_A_LAZY_ROW: usize = size_of::<u32>() + size_of::<bool>();

/// The state for a table whose rows are all up to date. `fresh` means that no row ever had a gradient.
#[napi(catch_unwind)]
pub fn lazy_new(rows: f64, dim: f64, fresh: bool) -> Option<External<LazyRows>> {
    guard(|| {
        let (rows, dim) = (size(rows)?, size(dim)?);
        let lazy = LazyRows(RefCell::new(Lazy::new(rows, dim, fresh)));
        Ok(External::new_with_size_hint(lazy, rows * BYTES_OF_A_LAZY_ROW))
    })
}

/// Does step `at` of Adam or AdamW on the rows of a gradient; the other rows catch up later.
#[napi(catch_unwind)]
pub fn lazy_step(
    lazy: &External<LazyRows>,
    rule: &External<Rule>,
    at: f64,
    parameter: ParameterOperand,
    grad: GradOperand,
) -> bool {
    status(|| {
        threads()?;
        let parameter = parameter.exclusive::<f32>(&grad.reads())?;
        grad.with(|grad| {
            Ok(lazy.0.borrow_mut().step(dispatch::active(), (&rule.0.get(), at as u64), parameter, grad)?)
        })
    })
}

/// Brings the rows that `ids` names up to date. The operands are passed flat: every lookup in such a table calls this,
/// and an object would cost as much as the rest of a small call.
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
        let parameter = ParameterOperand { param, first: Some(first), second: Some(second), third: None };
        let parameter = parameter.exclusive::<f32>(&[&ids])?;
        SCRATCH.with_borrow_mut(|scratch| {
            let ids = (ids.ids()?, bad.0);
            Ok(lazy.0.borrow_mut().catch_up(dispatch::active(), parameter, ids, scratch.ids())?)
        })
    })
}

/// Brings all rows up to date. `stir` says that all rows count as having had a gradient from here on.
#[napi(catch_unwind)]
pub fn lazy_flush(lazy: &External<LazyRows>, parameter: ParameterOperand, stir: bool) -> bool {
    status(|| {
        threads()?;
        let mut lazy = lazy.0.borrow_mut();
        lazy.flush(dispatch::active(), parameter.exclusive::<f32>(&[])?)?;
        if stir {
            lazy.stirred();
        }
        Ok(())
    })
}

/// The sum of squares, in f64, of rows of `dim` elements; 0 if there are no rows.
#[napi(catch_unwind)]
pub fn sum_squares(dtype: Word<DType>, values: Operand, dim: f64) -> Option<f64> {
    guard(|| {
        threads()?;
        with_real!(dtype, F => Ok(clip::sum_squares::<F>(dispatch::active(), values.shared()?, size(dim)?)?))
    })
}

/// The sum of squares, in f64, of a gradient's rows.
#[napi(catch_unwind)]
pub fn sum_squares_of_rows(grad: GradOperand) -> Option<f64> {
    guard(|| {
        threads()?;
        grad.with(|grad| Ok(clip::sum_squares_of_rows(dispatch::active(), grad)))
    })
}

/// Multiplies every element by a factor, in place.
#[napi(catch_unwind)]
pub fn scale_values(dtype: Word<DType>, values: Operand, factor: f64) -> bool {
    status(|| {
        threads()?;
        with_real!(dtype, F => {
            clip::scale::<F>(values.exclusive(&[])?, factor);
            Ok(())
        })
    })
}

/// Clamps every element to `-limit ..= limit`, in place.
#[napi(catch_unwind)]
pub fn clamp_values(dtype: Word<DType>, values: Operand, limit: f64) -> bool {
    status(|| {
        threads()?;
        with_real!(dtype, F => {
            clip::clamp::<F>(values.exclusive(&[])?, limit);
            Ok(())
        })
    })
}

/// The sum of the powers `p` of all magnitudes, in f64, or the largest magnitude if `p` is infinite.
#[napi(catch_unwind)]
pub fn sum_powers(dtype: Word<DType>, values: Operand, p: f64) -> Option<f64> {
    guard(|| {
        threads()?;
        with_real!(dtype, F => Ok(clip::sum_powers::<F>(values.shared()?, p)))
    })
}
