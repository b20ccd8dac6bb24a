//! Arithmetic of tensors. `arithmetic` is the type that it runs in: the code of float32, float64 or int64.

use crate::node::borrow::{Operand, size, sizes};
use crate::node::guard::{Failure, status};
use napi_derive::napi;
use tokenbed_core::ops::Around;
use tokenbed_core::ops::along::{softmax, softmax_back};
use tokenbed_core::ops::binary::{Binary, binary};
use tokenbed_core::ops::convert::convert;
use tokenbed_core::ops::copy::{Layout, copy};
use tokenbed_core::ops::matmul::{Matrices, Product, matmul};
use tokenbed_core::ops::reduce::{Reduce, reduce};
use tokenbed_core::ops::unary::{Unary, unary, unary_back};
use tokenbed_core::{DType, Error};
use tokenbed_kernels::dispatch;

pub(crate) fn dtype(code: u32) -> Result<DType, Failure> {
    DType::from_code(code).ok_or_else(|| Error::DType(format!("no element type has the code {code}")).into())
}

/// The op of a code.
fn op<T: Copy>(all: &[T], code: u32) -> Result<T, Failure> {
    all.get(code as usize).copied().ok_or_else(|| Error::Usage(format!("no op has the code {code}")).into())
}

/// Runs `$body` with `$t` bound to the type of the class.
macro_rules! with_class {
    ($class:expr, $t:ident => $body:expr) => {
        match dtype($class)? {
            DType::Float32 => {
                type $t = f32;
                $body
            }
            DType::Float64 => {
                type $t = f64;
                $body
            }
            DType::Int64 => {
                type $t = i64;
                $body
            }
            other => return Err(Error::DType(format!("no arithmetic runs in {}", other.name())).into()),
        }
    };
}

/// As [`with_class`], for what is defined on floats.
macro_rules! with_float {
    ($class:expr, $t:ident => $body:expr) => {
        match crate::tensor::elements::dtype($class)? {
            DType::Float32 => {
                type $t = f32;
                $body
            }
            DType::Float64 => {
                type $t = f64;
                $body
            }
            other => return Err(Error::DType(format!("no such function of {}", other.name())).into()),
        }
    };
}
pub(crate) use with_float;

/// Elements of one type to another.
#[napi(catch_unwind)]
pub fn convert_elements(from_type: u32, from: Operand, to_type: u32, to: Operand) -> bool {
    status(|| Ok(convert(dtype(from_type)?, from.shared()?, dtype(to_type)?, to.exclusive(&[&from])?)?))
}

/// A block of `shape` from one layout to another; elements of `width` bytes.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "flat arguments cross cheaply")]
pub fn copy_elements(
    width: u32,
    shape: &[f64],
    from: Operand,
    from_offset: f64,
    from_strides: &[f64],
    to: Operand,
    to_offset: f64,
    to_strides: &[f64],
) -> bool {
    status(|| {
        let (shape, from_strides, to_strides) = (sizes(shape)?, sizes(from_strides)?, sizes(to_strides)?);
        let from_at = Layout { offset: size(from_offset)?, strides: &from_strides };
        let to_at = Layout { offset: size(to_offset)?, strides: &to_strides };
        match width {
            1 => copy::<u8>(&shape, from.shared()?, from_at, to.exclusive(&[&from])?, to_at)?,
            2 => copy::<u16>(&shape, from.shared()?, from_at, to.exclusive(&[&from])?, to_at)?,
            4 => copy::<u32>(&shape, from.shared()?, from_at, to.exclusive(&[&from])?, to_at)?,
            8 => copy::<u64>(&shape, from.shared()?, from_at, to.exclusive(&[&from])?, to_at)?,
            _ => return Err(Error::DType(format!("no element is {width} bytes wide")).into()),
        }
        Ok(())
    })
}

/// Two operands under `shape`, by strides of 0 where they repeat.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "flat arguments cross cheaply")]
pub fn binary_elements(
    code: u32,
    arithmetic: u32,
    shape: &[f64],
    a: Operand,
    a_strides: &[f64],
    b: Operand,
    b_strides: &[f64],
    out: Operand,
) -> bool {
    status(|| {
        let (shape, a_strides, b_strides) = (sizes(shape)?, sizes(a_strides)?, sizes(b_strides)?);
        let a_at = Layout { offset: 0, strides: &a_strides };
        let b_at = Layout { offset: 0, strides: &b_strides };
        with_class!(arithmetic, T => {
            let out = out.exclusive::<T>(&[&a, &b])?;
            Ok(binary(dispatch::active(), op(&Binary::ALL, code)?, &shape, (a.shared()?, a_at), (b.shared()?, b_at), out)?)
        })
    })
}

/// One operand, element by element.
#[napi(catch_unwind)]
pub fn unary_elements(code: u32, arithmetic: u32, x: Operand, out: Operand) -> bool {
    status(|| {
        with_float!(arithmetic, T => {
            Ok(unary(dispatch::active(), op(&Unary::ALL, code)?, x.shared::<T>()?, out.exclusive::<T>(&[&x])?)?)
        })
    })
}

/// The way back: `saved` is the operand or the result, as the op has it.
#[napi(catch_unwind)]
pub fn unary_back_elements(code: u32, arithmetic: u32, saved: Operand, grad: Operand, out: Operand) -> bool {
    status(|| {
        with_float!(arithmetic, T => {
            let out = out.exclusive::<T>(&[&saved, &grad])?;
            Ok(unary_back(dispatch::active(), op(&Unary::ALL, code)?, saved.shared::<T>()?, grad.shared::<T>()?, out)?)
        })
    })
}

/// Along the middle of (outer, n, inner).
#[napi(catch_unwind)]
pub fn reduce_elements(code: u32, arithmetic: u32, outer: f64, n: f64, inner: f64, x: Operand, out: Operand) -> bool {
    status(|| {
        let around = Around { outer: size(outer)?, n: size(n)?, inner: size(inner)? };
        with_class!(arithmetic, T => {
            Ok(reduce(dispatch::active(), op(&Reduce::ALL, code)?, around, x.shared::<T>()?, out.exclusive::<T>(&[&x])?)?)
        })
    })
}

/// Softmax or its logarithm along the middle of (outer, n, inner).
#[napi(catch_unwind)]
pub fn softmax_elements(log: bool, arithmetic: u32, outer: f64, n: f64, inner: f64, x: Operand, out: Operand) -> bool {
    status(|| {
        let around = Around { outer: size(outer)?, n: size(n)?, inner: size(inner)? };
        with_float!(arithmetic, T => Ok(softmax(dispatch::active(), log, around, x.shared::<T>()?, out.exclusive::<T>(&[&x])?)?))
    })
}

/// The way back, from the result `y` and its gradient.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "flat arguments cross cheaply")]
pub fn softmax_back_elements(
    log: bool,
    arithmetic: u32,
    outer: f64,
    n: f64,
    inner: f64,
    y: Operand,
    grad: Operand,
    out: Operand,
) -> bool {
    status(|| {
        let around = Around { outer: size(outer)?, n: size(n)?, inner: size(inner)? };
        with_float!(arithmetic, T => {
            let out = out.exclusive::<T>(&[&y, &grad])?;
            Ok(softmax_back(dispatch::active(), log, around, y.shared::<T>()?, grad.shared::<T>()?, out)?)
        })
    })
}

/// Batches of (rows, inner) * (inner, columns), each the sum of `terms`: `a_of` and `b_of` name the matrix of each; bit 0 of
/// `transposed` says that those of `a` are written as their transposes, bit 1 of `b`.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "flat arguments cross cheaply")]
pub fn matmul_elements(
    arithmetic: u32,
    sizes_of: &[f64],
    terms: f64,
    transposed: u32,
    a: Operand,
    a_of: &[f64],
    b: Operand,
    b_of: &[f64],
    out: Operand,
) -> bool {
    status(|| {
        let &[rows, inner, columns] = &sizes(sizes_of)?[..] else {
            return Err(Error::Usage("matmul: three sizes are needed".into()).into());
        };
        let product = Product { rows, inner, columns };
        let (a_of, b_of) = (sizes(a_of)?, sizes(b_of)?);
        with_class!(arithmetic, T => {
            let out = out.exclusive::<T>(&[&a, &b])?;
            let a = Matrices { elements: a.shared::<T>()?, of: &a_of, transposed: transposed & 1 == 1 };
            let b = Matrices { elements: b.shared::<T>()?, of: &b_of, transposed: transposed & 2 == 2 };
            Ok(matmul(dispatch::active(), product, size(terms)?, a, b, out)?)
        })
    })
}
