//! Choices of elements: by a condition, by their indices, and by their order.

use crate::node::borrow::{Operand, size};
use crate::node::borrowed_word::Word;
use crate::node::guard::{Failure, guard, status};
use crate::tensor::elements::{AlongOperand, times, with_class, with_width};
use napi_derive::napi;
use tokenbed_core::ids::{BadIds, resolve};
use tokenbed_core::ops::Around;
use tokenbed_core::ops::choose::choose;
use tokenbed_core::ops::take::{Picks, put, take};
use tokenbed_core::ops::top::{Extreme, top};
use tokenbed_core::{DType, Error};
use tokenbed_kernels::dispatch;
use tokenbed_memory::Slice;

/// Elements of `a` where the condition is not 0, else of `b`; all have the same number of elements, of `width` bytes.
#[napi(catch_unwind)]
pub fn choose_elements(width: u32, condition: Operand, a: Operand, b: Operand, out: Operand) -> bool {
    status(|| {
        with_width!(width, T => {
            let out = out.exclusive::<T>(&[&condition, &a, &b])?;
            Ok(choose(condition.shared::<u8>()?, a.shared::<T>()?, b.shared::<T>()?, out)?)
        })
    })
}

/// Indices into the dimension of size `along.n`, `count` for each place: the same for all of them, or one each.
#[napi(object, object_to_js = false)]
pub struct PicksOperand {
    pub indices: Operand,
    pub count: f64,
    pub each: bool,
}

/// Checks the indices, and runs `run` with them.
fn with_picks<T>(
    PicksOperand { indices, count, each }: &PicksOperand,
    n: usize,
    run: impl FnOnce(Picks<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut scratch = Vec::new();
    let ids = indices.ids()?;
    let indices = resolve(dispatch::active(), ids, n, BadIds::Throw, &mut scratch).map_err(Failure::of_index)?;
    run(Picks { indices: indices.ids(), m: size(*count)?, each: *each })
}

/// Takes elements of `width` bytes from the middle of (outer, n, inner) by their indices.
#[napi(catch_unwind)]
pub fn take_elements(width: u32, along: AlongOperand, picks: PicksOperand, x: Operand, out: Operand) -> bool {
    status(|| {
        let (n, inner) = (size(along.n)?, size(along.inner)?);
        with_picks(&picks, n, |picks| {
            with_width!(width, T => {
                let around = Around { outer: times::<T>(&x, n.saturating_mul(inner))?, n, inner };
                Ok(take(around, picks, x.shared::<T>()?, out.exclusive::<T>(&[&x])?)?)
            })
        })
    })
}

/// Adds the gradient of what `take_elements` took to where it came from.
#[napi(catch_unwind)]
pub fn put_elements(
    arithmetic: Word<DType>,
    along: AlongOperand,
    picks: PicksOperand,
    grad: Operand,
    out: Operand,
) -> bool {
    status(|| {
        let (n, inner) = (size(along.n)?, size(along.inner)?);
        with_picks(&picks, n, |picks| {
            with_class!(arithmetic, T => {
                let around = Around { outer: times::<T>(&out, n.saturating_mul(inner))?, n, inner };
                Ok(put(around, picks, grad.shared::<T>()?, out.exclusive::<T>(&[&grad])?)?)
            })
        })
    })
}

/// What `top_elements` writes: as many values and their indices, as int32.
#[napi(object, object_to_js = false)]
pub struct TopResults {
    pub values: Operand,
    pub indices: Operand,
}

/// Finds the first `k` elements of the middle of (outer, n, inner), in order.
#[napi(catch_unwind)]
pub fn top_elements(
    extreme: Word<Extreme>,
    arithmetic: Word<DType>,
    k: f64,
    along: AlongOperand,
    x: Operand,
    results: TopResults,
) -> bool {
    status(|| {
        let (k, n, inner) = (size(k)?, size(along.n)?, size(along.inner)?);
        with_class!(arithmetic, T => {
            let around = Around { outer: times::<T>(&x, n.saturating_mul(inner))?, n, inner };
            let values = results.values.exclusive::<T>(&[&x])?;
            let indices = results.indices.exclusive::<i32>(&[&x, &results.values])?;
            Ok(top(extreme.0, k, around, x.shared::<T>()?, values, indices)?)
        })
    })
}

/// Draws one category for each sample, from the running totals of weights: `totals` (rows, categories) in float64,
/// `samples` (rows, count) uniform in [0, 1), `out` (rows, count) the first category whose total is at least the
/// sample.
#[napi(catch_unwind)]
pub fn sample_elements(totals: Operand, categories: f64, samples: Operand, out: Operand) -> Option<bool> {
    guard(|| {
        let categories = size(categories)?;
        let (totals, samples) = (totals.shared::<f64>()?.to_list(), samples.shared::<f64>()?);
        let out = out.exclusive::<i32>(&[])?;
        let rows = totals.len().checked_div(categories).unwrap_or(0);
        let count = samples.len().checked_div(rows).unwrap_or(0);
        if out.len() != samples.len() || rows * count != samples.len() || i32::try_from(categories).is_err() {
            return Err(Error::Shape("samples and results must have one element for each draw".into()).into());
        }
        let draws = samples.chunks_exact(count.max(1)).zip(out.chunks_exact_mut(count.max(1)));
        for (totals, (samples, out)) in totals.chunks_exact(categories.max(1)).zip(draws) {
            for (&sample, out) in samples.iter().zip(out) {
                *out = totals.partition_point(|&total| total < sample).min(categories - 1) as i32;
            }
        }
        Ok(true)
    })
}
