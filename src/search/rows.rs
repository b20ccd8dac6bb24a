//! The rows of a search, as they cross the border.

use crate::layers::async_forward::elements;
use crate::node::borrow::{Operand, size};
use crate::node::borrowed_word::Word;
use crate::node::buffers::Handle;
use crate::node::guard::Failure;
use napi_derive::napi;
use tokenbed_core::storage::{Part, Storage};
use tokenbed_core::{Error, Result as CoreResult};
use tokenbed_kernels::rows::format::RowFormat;
use tokenbed_nn::search::rows::{Kind, SearchRows};

/// What rows consist of, and how many there are.
#[napi(object, object_to_js = false)]
pub struct RowsOperand {
    /// The layout; without one, rows are of bits or of signed bytes.
    pub format: Option<Word<RowFormat>>,
    pub bits: bool,
    pub rows: f64,
    /// The number of elements in a row, or of bits.
    pub dim: f64,
}

/// The same, checked.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    kind: Kind,
    pub(crate) rows: usize,
    pub(crate) dim: usize,
}

impl Shape {
    pub(crate) fn new(operand: &RowsOperand) -> Result<Self, Failure> {
        let kind = match (&operand.format, operand.bits) {
            (Some(format), _) => Kind::Table(format.0),
            (None, true) => Kind::Bits,
            (None, false) => Kind::Signed,
        };
        Ok(Self { kind, rows: size(operand.rows)?, dim: size(operand.dim)? })
    }

    pub(crate) fn over<'a>(&self, weight: &'a Operand) -> Result<SearchRows<'a>, Failure> {
        Ok(SearchRows::new(self.kind, weight.shared()?, self.rows, self.dim)?)
    }
}

/// Rows that are held beyond a call.
pub(crate) struct HeldRows {
    weight: Part,
    shape: Shape,
}

impl HeldRows {
    pub(crate) fn new(operand: &RowsOperand, weight: &Handle) -> Result<Self, Failure> {
        Ok(Self { weight: weight.hold()?, shape: Shape::new(operand)? })
    }

    pub(crate) fn rows(&self) -> Result<SearchRows<'_>, Failure> {
        Ok(SearchRows::new(self.shape.kind, elements(&self.weight)?, self.shape.rows, self.shape.dim)?)
    }

    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }
}

/// Memory for a result of `count` elements of four or eight bytes.
pub(crate) fn room(count: usize, each: usize) -> CoreResult<Storage> {
    let bytes = count.checked_mul(each);
    Storage::result(bytes.ok_or_else(|| Error::Shape(format!("{count} results of {each} bytes are too many")))?)
}

/// The elements of such memory.
pub(crate) fn part<T: bytemuck::Pod>(result: &mut Storage) -> Result<&mut [T], Failure> {
    Ok(result.elements_mut().ok_or_else(|| Error::Shape("the result is not aligned".into()))?)
}
