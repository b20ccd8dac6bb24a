//! Lookups.

use crate::layers::async_forward::{Job, elements, floats, work};
use crate::layers::lookup::{HeldRows, Lookup};
use crate::node::borrow::{Operand, size};
use crate::node::buffers::Handle;
use crate::node::external::External;
use crate::node::guard::{Failure, status};
use crate::node::process::threads;
use crate::node::work::Work;
use napi_derive::napi;
use std::cell::RefCell;
use tokenbed_kernels::dispatch;
use tokenbed_kernels::rows::format::{OutFormat, RowFormat};
use tokenbed_nn::bag;
use tokenbed_nn::embedding::{self, Table};
use tokenbed_nn::max_norm;
use tokenbed_nn::token_position::Scratch;

thread_local! {
    /// A buffer for ids that are not 32 bits wide, reused between calls.
    pub(crate) static SCRATCH: RefCell<Scratch> = RefCell::default();
    /// The reused buffers of lookups in tables of small elements, and of bags.
    pub(crate) static BAG_SCRATCH: RefCell<bag::Scratch> = RefCell::default();
}

pub(crate) fn table<'a>(weight: &'a Operand, rows: f64, dim: f64) -> Result<Table<'a>, Failure> {
    Ok(Table::new(weight.shared()?, size(rows)?, size(dim)?)?)
}

/// out (ids, dim) = table (rows, dim)[ids]. `weight` holds the rows, if the lookup does not keep them.
#[napi(catch_unwind)]
pub fn embedding_forward(lookup: &External<Lookup>, ids: Operand, out: Operand, weight: Option<Operand>) -> bool {
    status(|| {
        threads()?;
        let weight = lookup.weight(weight.as_ref())?;
        if lookup.is_plain() {
            let table = Table::new(weight.shared()?, lookup.rows, lookup.dim)?;
            let (ids_of, out) = (ids.ids()?, out.exclusive(&[&weight, &ids])?);
            return SCRATCH.with_borrow_mut(|scratch| {
                Ok(embedding::forward(dispatch::active(), table, ids_of, lookup.bad, scratch.ids(), out)?)
            });
        }
        let (table, out) = (lookup.table(&weight)?, (lookup.result, out.exclusive(&[&weight, &ids])?));
        BAG_SCRATCH.with_borrow_mut(|scratch| {
            Ok(bag::lookup(dispatch::active(), table, (ids.ids()?, lookup.bad), scratch, out)?)
        })
    })
}

/// Rescales the rows of a float32 table that `ids` names, so that their p-norm is at most maxNorm.
#[napi(catch_unwind)]
pub fn embedding_renormalize(
    lookup: &External<Lookup>,
    ids: Operand,
    max_norm: f64,
    p: f64,
    weight: Option<Operand>,
) -> bool {
    status(|| {
        let weight = lookup.weight(weight.as_ref())?;
        SCRATCH.with_borrow_mut(|scratch| {
            Ok(max_norm::renormalize(
                dispatch::active(),
                (weight.exclusive(&[&ids])?, lookup.rows, lookup.dim),
                (ids.ids()?, lookup.bad),
                (max_norm, p),
                scratch.ids(),
            )?)
        })
    })
}

impl Job for HeldRows {
    fn size(&self) -> (usize, usize) {
        (self.ids.all().len(), self.row_bytes())
    }

    fn write(&self, go_on: &dyn Fn() -> bool, out: &mut [u8]) -> Result<bool, Failure> {
        let ids = (self.ids.all(), self.bad);
        if self.format == RowFormat::Float32 && self.out == OutFormat::Float32 {
            let table = Table::new(elements(&self.table)?, self.rows, self.dim)?;
            return Ok(embedding::forward_in_blocks(dispatch::active(), table, ids, go_on, floats(out)?)?);
        }
        Ok(bag::lookup_in_blocks(dispatch::active(), self.table()?, ids, go_on, (self.out, out))?)
    }
}

/// What `embeddingForward` computes, as work to be queued. Rust must own the rows.
#[napi(catch_unwind)]
pub fn embedding_work(lookup: &External<Lookup>, weight: &External<Handle>, ids: Operand) -> Option<External<Work>> {
    work(|| lookup.hold(weight, &ids))
}
