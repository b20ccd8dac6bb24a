//! Passes over rows and elements: what tensors compute, forward and backward.
//!
//! Plain Rust, whose results define themselves: the body is one, compiled once an instruction set, and compilers make
//! vectors of its loops. Nothing in it is reordered or contracted by them, so the bits are the same on all. One entry in
//! the table serves all passes: their loops are long, and a batch pays one indirect call.

use super::along::{self, Entropy, EntropyBack, Softmax, SoftmaxBack};
use super::norm_rows::{self, NormBack, NormRows};
use super::pointwise::{self, Binary, Dropout, Unary, UnaryBack};
use super::thin::{self, Thin};
use super::total::{self, Total};
use crate::dispatch::Kernels;
use crate::real::Real;

/// A pass with its operands.
#[derive(Debug)]
#[allow(missing_docs, reason = "each is described where its operands are")]
pub enum Pass<'a, T> {
    Unary(Unary<'a, T>),
    UnaryBack(UnaryBack<'a, T>),
    Binary(Binary<'a, T>),
    Dropout(Dropout<'a, T>),
    Softmax(Softmax<'a, T>),
    SoftmaxBack(SoftmaxBack<'a, T>),
    Entropy(Entropy<'a, T>),
    EntropyBack(EntropyBack<'a, T>),
    NormRows(NormRows<'a, T>),
    NormBack(NormBack<'a, T>),
    Thin(Thin<'a, T>),
    Total(Total<'a, T>),
}

impl Kernels {
    /// Runs a pass over f32. Operands of other sizes than it says end it early or panic: the caller's bug, not its user's.
    pub fn pass(&self, pass: Pass<'_, f32>) {
        // SAFETY: this table is only handed out where its instruction set runs.
        unsafe { (self.pass)(pass) }
    }
}

/// As it is compiled for every instruction set.
#[inline(always)]
pub(crate) fn body<T: Real>(pass: Pass<'_, T>) {
    match pass {
        Pass::Unary(op) => pointwise::unary(op),
        Pass::UnaryBack(op) => pointwise::unary_back(op),
        Pass::Binary(op) => pointwise::binary(op),
        Pass::Dropout(op) => pointwise::dropout(op),
        Pass::Softmax(op) => along::softmax(op),
        Pass::SoftmaxBack(op) => along::softmax_back(op),
        Pass::Entropy(op) => along::entropy(op),
        Pass::EntropyBack(op) => along::entropy_back(op),
        Pass::NormRows(op) => norm_rows::norm_rows(op),
        Pass::NormBack(op) => norm_rows::norm_back(op),
        Pass::Thin(op) => thin::thin(op),
        Pass::Total(op) => total::total(op),
    }
}

/// As the table of plain Rust has it.
pub(crate) unsafe fn reference(pass: Pass<'_, f32>) {
    body(pass);
}
