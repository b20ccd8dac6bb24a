//! Bags of ids.

use crate::layers::async_forward::{Job, work};
use crate::layers::embedding::BAG_SCRATCH;
use crate::layers::lookup::{HeldRows, Lookup};
use crate::node::borrow::{Operand, size};
use crate::node::buffers::Handle;
use crate::node::external::External;
use crate::node::guard::{Failure, status};
use crate::node::process::threads;
use crate::node::work::Work;
use napi_derive::napi;
use tokenbed_core::ids::IdBuf;
use tokenbed_kernels::dispatch;
use tokenbed_kernels::ops::lookup::bag::Mode;
use tokenbed_memory::Slice;
use tokenbed_nn::bag::{self, Division, Request};

/// out (bags, dim) = the sum, mean or maximum of the table's rows that each bag names. Bags begin at `offsets`, with or
/// without the end of the last one, or all have the same number of ids. `weights` holds a factor for each id. `weight`
/// holds the rows, if the lookup does not keep them.
#[napi(catch_unwind)]
pub fn bag_forward(
    lookup: &External<Lookup>,
    ids: Operand,
    offsets: Option<Operand>,
    weights: Option<Operand>,
    out: Operand,
    weight: Option<Operand>,
) -> bool {
    status(|| {
        threads()?;
        let weight = lookup.weight(weight.as_ref())?;
        let request = lookup.request(&ids, offsets.as_ref(), weights.as_ref(), lookup.vectors_of(&out))?;
        let read = [&weight, &ids, offsets.as_ref().unwrap_or(&ids), weights.as_ref().unwrap_or(&ids)];
        let out = (lookup.result, out.exclusive(&read)?);
        let rows = lookup.table(&weight)?;
        BAG_SCRATCH.with_borrow_mut(|scratch| Ok(bag::forward(dispatch::active(), rows, request, scratch, out)?))
    })
}

/// A lookup of bags that holds everything it reads.
struct HeldBags {
    rows: HeldRows,
    begins: Option<IdBuf>,
    bags: usize,
    weights: Option<Vec<f32>>,
    padding: Option<u32>,
    mode: Mode,
}

impl Job for HeldBags {
    fn size(&self) -> (usize, usize) {
        (self.bags, self.rows.row_bytes())
    }

    fn write(&self, go_on: &dyn Fn() -> bool, out: &mut [u8]) -> Result<bool, Failure> {
        let ids = self.rows.ids.all();
        let division = match &self.begins {
            Some(begins) => Division::Offsets { begins: begins.all(), with_end: begins.all().len() > self.bags },
            None => Division::Even { bags: self.bags, length: ids.len() / self.bags.max(1) },
        };
        let request = Request {
            ids: (ids, self.rows.bad),
            division,
            weights: self.weights.as_deref(),
            padding: self.padding,
            mode: self.mode,
        };
        Ok(bag::forward_in_blocks(dispatch::active(), self.rows.table()?, request, go_on, (self.rows.out, out))?)
    }
}

/// What `bagForward` computes for this number of bags, as work to be queued. Rust must own the rows.
#[napi(catch_unwind)]
pub fn bag_work(
    lookup: &External<Lookup>,
    weight: &External<Handle>,
    ids: Operand,
    offsets: Option<Operand>,
    weights: Option<Operand>,
    bags: f64,
) -> Option<External<Work>> {
    work(|| {
        let (padding, mode) = lookup.pooling()?;
        let begins = offsets.map(|offsets| Ok::<_, Failure>(offsets.ids()?.into())).transpose()?;
        let weights = weights.map(|weights| Ok::<_, Failure>(weights.shared()?.to_list())).transpose()?;
        Ok(HeldBags { rows: lookup.hold(weight, &ids)?, begins, bags: size(bags)?, weights, padding, mode })
    })
}
