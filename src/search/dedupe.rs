//! Groups of near copies.

use super::rows::{HeldRows, RowsOperand, Shape, part, room};
use crate::node::borrow::Operand;
use crate::node::buffers::Handle;
use crate::node::external::External;
use crate::node::guard::{Failure, status};
use crate::node::process::threads;
use crate::node::work::{self, Errand, GoOn, Work};
use napi_derive::napi;
use tokenbed_core::storage::Storage;
use tokenbed_kernels::dispatch;
use tokenbed_nn::search::dedupe::dedupe;

/// firsts (rows) of uint32 = the first row of each row's group.
#[napi(catch_unwind)]
pub fn dedupe_rows(rows: RowsOperand, weight: Operand, threshold: f64, firsts: Operand) -> bool {
    status(|| {
        threads()?;
        let rows = Shape::new(&rows)?.over(&weight)?;
        dedupe(dispatch::active(), rows, threshold, (&|| true, &|_| ()), firsts.exclusive(&[&weight])?)?;
        Ok(())
    })
}

struct HeldCopies {
    rows: HeldRows,
    threshold: f64,
}

impl Errand for HeldCopies {
    fn run(self: Box<Self>, go_on: &GoOn) -> Result<Vec<Storage>, Failure> {
        let mut firsts = room(self.rows.shape().rows, size_of::<u32>())?;
        let rows = self.rows.rows()?;
        let watched = (&(|| go_on.is_wanted()) as _, &(|done| go_on.tell(done)) as _);
        let finished = dedupe(dispatch::active(), rows, self.threshold, watched, part(&mut firsts)?)?;
        if finished { Ok(Vec::from([firsts])) } else { Err(Failure::aborted()) }
    }
}

/// What `dedupeRows` computes, as work to be queued.
#[napi(catch_unwind)]
pub fn dedupe_work(rows: RowsOperand, weight: &External<Handle>, threshold: f64) -> Option<External<Work>> {
    work::work(|| {
        threads()?;
        Ok(HeldCopies { rows: HeldRows::new(&rows, weight)?, threshold })
    })
}
