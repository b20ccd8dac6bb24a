//! Tensor arithmetic. `arithmetic` is the type in which it is computed: float32, float64 or int64.

use crate::node::borrow::{Operand, size, sizes};
use crate::node::borrowed_word::Word;
use crate::node::guard::{Failure, status};
use bytemuck::Pod;
use napi_derive::napi;
use tokenbed_core::ops::Around;
use tokenbed_core::ops::along::{softmax, softmax_back};
use tokenbed_core::ops::binary::{Binary, binary, binary_dense};
use tokenbed_core::ops::convert::convert;
use tokenbed_core::ops::copy::{Layout, copy};
use tokenbed_core::ops::matmul::{Matrices, Product, matmul};
use tokenbed_core::ops::reduce::{Reduce, reduce};
use tokenbed_core::ops::unary::{Unary, unary, unary_back};
use tokenbed_core::{DType, Error};
use tokenbed_kernels::dispatch;

/// Runs `$body` with `$t` bound to the type of the class.
macro_rules! with_class {
    ($class:expr, $t:ident => $body:expr) => {
        match $class.0 {
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
            other => return Err(Error::DType(format!("arithmetic in {} is not supported", other.name())).into()),
        }
    };
}

/// Does the same as [`with_class`], for operations that are defined on floats.
macro_rules! with_float {
    ($class:expr, $t:ident => $body:expr) => {
        match $class.0 {
            DType::Float32 => {
                type $t = f32;
                $body
            }
            DType::Float64 => {
                type $t = f64;
                $body
            }
            other => return Err(Error::DType(format!("this function does not take {}", other.name())).into()),
        }
    };
}
pub(crate) use {with_class, with_float};

/// Converts elements from one type to another.
#[napi(catch_unwind)]
pub fn convert_elements(from_type: Word<DType>, from: Operand, to_type: Word<DType>, to: Operand) -> bool {
    status(|| Ok(convert(from_type.0, from.shared()?, to_type.0, to.exclusive(&[&from])?)?))
}

/// Elements, with the offset of a block among them and its stride in each dimension.
#[napi(object, object_to_js = false)]
pub struct StridedOperand {
    pub elements: Operand,
    pub offset: f64,
    #[napi(ts_type = "Float64Array")]
    pub strides: Operand,
}

impl StridedOperand {
    fn at(&self) -> Result<(usize, Vec<usize>), Failure> {
        Ok((size(self.offset)?, sizes(self.strides.shared()?)?))
    }
}

/// Runs `$body` with `$t` bound to the unsigned integer type of this many bytes.
macro_rules! with_width {
    ($width:expr, $t:ident => $body:expr) => {
        match $width {
            1 => {
                type $t = u8;
                $body
            }
            2 => {
                type $t = u16;
                $body
            }
            4 => {
                type $t = u32;
                $body
            }
            8 => {
                type $t = u64;
                $body
            }
            width => return Err(Error::DType(format!("elements must be 1, 2, 4 or 8 bytes wide, not {width}")).into()),
        }
    };
}

pub(crate) use with_width;

/// Copies a block of `shape` from one layout to another; elements have `width` bytes.
#[napi(catch_unwind)]
pub fn copy_elements(width: u32, shape: &[f64], from: StridedOperand, to: StridedOperand) -> bool {
    status(|| {
        let (shape, (from_offset, from_strides), (to_offset, to_strides)) = (sizes(shape)?, from.at()?, to.at()?);
        let from_at = Layout { offset: from_offset, strides: &from_strides };
        let to_at = Layout { offset: to_offset, strides: &to_strides };
        let (from, to) = (from.elements, to.elements);
        with_width!(width, T => Ok(copy::<T>(&shape, from.shared()?, from_at, to.exclusive(&[&from])?, to_at)?))
    })
}

/// Copies `count` adjacent elements of `width` bytes from one place to another.
#[napi(catch_unwind)]
pub fn copy_run(width: u32, count: f64, from: Operand, from_offset: f64, to: Operand, to_offset: f64) -> bool {
    status(|| {
        let (shape, strides) = ([size(count)?], [1]);
        let from_at = Layout { offset: size(from_offset)?, strides: &strides };
        let to_at = Layout { offset: size(to_offset)?, strides: &strides };
        with_width!(width, T => Ok(copy::<T>(&shape, from.shared()?, from_at, to.exclusive(&[&from])?, to_at)?))
    })
}

/// Applies an operation to two operands. Those of the result's shape have no `layouts`; where an operand is broadcast,
/// these are the shape of the result, the strides of `a` and those of `b`, one after the other: repeated dimensions
/// have stride 0.
#[napi(catch_unwind)]
pub fn binary_elements(
    op: Word<Binary>,
    arithmetic: Word<DType>,
    a: Operand,
    b: Operand,
    out: Operand,
    #[napi(ts_arg_type = "Float64Array | null")] layouts: Option<Operand>,
) -> bool {
    status(|| {
        let kernels = dispatch::active();
        with_class!(arithmetic, T => {
            let out = out.exclusive::<T>(&[&a, &b])?;
            let (a, b) = (a.shared()?, b.shared()?);
            let Some(layouts) = layouts else { return Ok(binary_dense(kernels, op.0, a, b, out)?) };
            let layouts = sizes(layouts.shared()?)?;
            let (shape, strides) = layouts.split_at(layouts.len() / 3);
            let (a_strides, b_strides) = strides.split_at(shape.len());
            let [a_at, b_at] = [a_strides, b_strides].map(|strides| Layout { offset: 0, strides });
            Ok(binary(kernels, op.0, shape, (a, a_at), (b, b_at), out)?)
        })
    })
}

/// Applies an operation to each element of one operand.
#[napi(catch_unwind)]
pub fn unary_elements(op: Word<Unary>, arithmetic: Word<DType>, x: Operand, out: Operand) -> bool {
    status(|| {
        with_float!(arithmetic, T => {
            Ok(unary(dispatch::active(), op.0, x.shared::<T>()?, out.exclusive::<T>(&[&x])?)?)
        })
    })
}

/// The backward pass: `saved` is the operand or the result, depending on the op.
#[napi(catch_unwind)]
pub fn unary_back_elements(
    op: Word<Unary>,
    arithmetic: Word<DType>,
    saved: Operand,
    grad: Operand,
    out: Operand,
) -> bool {
    status(|| {
        with_float!(arithmetic, T => {
            let out = out.exclusive::<T>(&[&saved, &grad])?;
            Ok(unary_back(dispatch::active(), op.0, saved.shared::<T>()?, grad.shared::<T>()?, out)?)
        })
    })
}

/// How many times `of` elements fit into an operand; 0 if they cannot, which the op refuses.
pub(crate) fn times<T: Pod>(x: &Operand, of: usize) -> Result<usize, Failure> {
    Ok(x.shared::<T>()?.len() / of.max(1))
}

/// Reduces the middle dimension of (outer, n, inner). n follows from the number of elements.
#[napi(catch_unwind)]
pub fn reduce_elements(
    op: Word<Reduce>,
    arithmetic: Word<DType>,
    outer: f64,
    inner: f64,
    x: Operand,
    out: Operand,
) -> bool {
    status(|| {
        let (outer, inner) = (size(outer)?, size(inner)?);
        with_class!(arithmetic, T => {
            let around = Around { outer, n: times::<T>(&x, outer.saturating_mul(inner))?, inner };
            Ok(reduce(dispatch::active(), op.0, around, x.shared::<T>()?, out.exclusive::<T>(&[&x])?)?)
        })
    })
}

/// Softmax or its logarithm along the middle of (outer, n, inner). outer follows from the number of elements.
#[napi(catch_unwind)]
pub fn softmax_elements(log: bool, arithmetic: Word<DType>, n: f64, inner: f64, x: Operand, out: Operand) -> bool {
    status(|| {
        let (n, inner) = (size(n)?, size(inner)?);
        with_float!(arithmetic, T => {
            let around = Around { outer: times::<T>(&x, n.saturating_mul(inner))?, n, inner };
            Ok(softmax(dispatch::active(), log, around, x.shared::<T>()?, out.exclusive::<T>(&[&x])?)?)
        })
    })
}

/// The position of the dimension that is worked along, with elements as (outer, n, inner).
#[napi(object, object_to_js = false)]
pub struct AlongOperand {
    pub n: f64,
    pub inner: f64,
}

/// The backward pass of softmax, from the result `y` and its gradient.
#[napi(catch_unwind)]
pub fn softmax_back_elements(
    log: bool,
    arithmetic: Word<DType>,
    along: AlongOperand,
    y: Operand,
    grad: Operand,
    out: Operand,
) -> bool {
    status(|| {
        let (n, inner) = (size(along.n)?, size(along.inner)?);
        with_float!(arithmetic, T => {
            let around = Around { outer: times::<T>(&y, n.saturating_mul(inner))?, n, inner };
            let out = out.exclusive::<T>(&[&y, &grad])?;
            Ok(softmax_back(dispatch::active(), log, around, y.shared::<T>()?, grad.shared::<T>()?, out)?)
        })
    })
}

/// Multiplies batches of (rows, inner) * (inner, columns), each the sum of `terms` products. `a_of` and `b_of` give the
/// index of the matrix of each product. The matrices of a transposed side are stored as their transposes.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "hot: scripts/rules/border.mjs")]
pub fn matmul_elements(
    arithmetic: Word<DType>,
    rows: f64,
    inner: f64,
    columns: f64,
    terms: f64,
    a: Operand,
    a_of: &[f64],
    a_transposed: bool,
    b: Operand,
    b_of: &[f64],
    b_transposed: bool,
    out: Operand,
) -> bool {
    status(|| {
        let product = Product { rows: size(rows)?, inner: size(inner)?, columns: size(columns)? };
        let (a_of, b_of) = (sizes(a_of)?, sizes(b_of)?);
        with_class!(arithmetic, T => {
            let out = out.exclusive::<T>(&[&a, &b])?;
            let a = Matrices { elements: a.shared::<T>()?, of: &a_of, transposed: a_transposed };
            let b = Matrices { elements: b.shared::<T>()?, of: &b_of, transposed: b_transposed };
            Ok(matmul(dispatch::active(), product, size(terms)?, a, b, out)?)
        })
    })
}
