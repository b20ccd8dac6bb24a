//! Bags of ids.

use crate::layers::async_forward::{Job, work};
use crate::layers::embedding::BAG_SCRATCH;
use crate::layers::lookup::{HeldRows, Lookup};
use crate::node::borrow::{Operand, size};
use crate::node::borrowed_word::Word;
use crate::node::buffers::Handle;
use crate::node::external::{External, Given};
use crate::node::guard::{Failure, status};
use crate::node::process::threads;
use crate::node::work::Work;
use napi_derive::napi;
use std::cell::RefCell;
use tokenbed_core::ids::IdBuf;
use tokenbed_kernels::dispatch;
use tokenbed_kernels::ops::lookup::bag::Mode;
use tokenbed_kernels::rows::format::OutFormat;
use tokenbed_memory::{List, Slice, with_room};
use tokenbed_nn::bag::{self, Division, Request, Scratch};

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

/// The bags of one feature, and the table that they are looked up in.
#[napi(object, object_to_js = false)]
pub struct FeatureOperand {
    pub lookup: Given<Lookup>,
    /// The rows, if the lookup does not keep them.
    pub weight: Option<Operand>,
    pub ids: Operand,
    /// Where bags begin, with or without the end of the last one; without offsets all have the same number of ids.
    pub offsets: Option<Operand>,
    /// A factor for each id.
    pub weights: Option<Operand>,
}

/// out (bags, all columns) = the vectors of the bags of each feature, side by side. All features have this number of
/// bags.
#[napi(catch_unwind)]
pub fn bags_forward(features: Vec<FeatureOperand>, bags: f64, format: Word<OutFormat>, out: Operand) -> bool {
    status(|| {
        threads()?;
        let bags = size(bags)?;
        let mut tables = with_room(features.len());
        for feature in &features {
            tables.put(feature.lookup.weight(feature.weight.as_ref())?);
        }
        let mut read = with_room(4 * features.len());
        let mut given = with_room(features.len());
        for (i, (feature, weight)) in features.iter().zip(&tables).enumerate() {
            let FeatureOperand { lookup, ids, offsets, weights, .. } = feature;
            let (offsets, weights) = (offsets.as_ref(), weights.as_ref());
            let request = lookup.request(ids, offsets, weights, bags).map_err(|failure| failure.of_feature(i))?;
            given.put((lookup.table(weight)?, request));
            read.put_all([weight, ids, offsets.unwrap_or(ids), weights.unwrap_or(ids)]);
        }
        let out = (format.0, out.exclusive(&read)?);
        BAGS_SCRATCH.with_borrow_mut(|scratch| {
            bag::forward_beside(dispatch::active(), &given, scratch, out)
                .map_err(|(feature, error)| Failure::from(error).of_feature(feature))
        })
    })
}

thread_local! {
    /// Buffers of each feature.
    static BAGS_SCRATCH: RefCell<Vec<Scratch>> = RefCell::default();
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
        let out = (self.rows.out, out);
        Ok(bag::forward_in_blocks(dispatch::active(), self.rows.table()?, self.request(), go_on, out)?)
    }
}

impl HeldBags {
    fn new(
        lookup: &Lookup,
        weight: &Handle,
        ids: &Operand,
        (offsets, weights): (Option<&Operand>, Option<&Operand>),
        bags: usize,
    ) -> Result<Self, Failure> {
        let (padding, mode) = lookup.pooling()?;
        let begins = offsets.map(|offsets| Ok::<_, Failure>(offsets.ids()?.into())).transpose()?;
        let weights = weights.map(|weights| Ok::<_, Failure>(weights.shared()?.to_list())).transpose()?;
        Ok(Self { rows: lookup.hold(weight, ids)?, begins, bags, weights, padding, mode })
    }

    fn request(&self) -> Request<'_> {
        let ids = self.rows.ids.all();
        let division = match &self.begins {
            Some(begins) => Division::Offsets { begins: begins.all(), with_end: begins.all().len() > self.bags },
            None => Division::Even { bags: self.bags, length: ids.len() / self.bags.max(1) },
        };
        Request {
            ids: (ids, self.rows.bad),
            division,
            weights: self.weights.as_deref(),
            padding: self.padding,
            mode: self.mode,
        }
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
    work(|| HeldBags::new(lookup, weight, &ids, (offsets.as_ref(), weights.as_ref()), size(bags)?))
}

/// The bags of one feature, and its table, for work that outlives the call.
#[napi(object, object_to_js = false)]
pub struct FeatureOfWork {
    pub lookup: Given<Lookup>,
    /// The rows.
    pub weight: Given<Handle>,
    pub ids: Operand,
    /// Where bags begin, with or without the end of the last one; without offsets all have the same number of ids.
    pub offsets: Option<Operand>,
    /// A factor for each id.
    pub weights: Option<Operand>,
}

/// A lookup of several features that holds everything it reads.
struct HeldFeatures {
    features: Vec<HeldBags>,
    bags: usize,
    out: OutFormat,
}

impl Job for HeldFeatures {
    fn size(&self) -> (usize, usize) {
        let width = |feature: &HeldBags| feature.rows.dim.saturating_mul(self.out.size());
        (self.bags, self.features.iter().map(width).fold(0, usize::saturating_add))
    }

    fn write(&self, go_on: &dyn Fn() -> bool, out: &mut [u8]) -> Result<bool, Failure> {
        let mut given = with_room(self.features.len());
        for feature in &self.features {
            given.put((feature.rows.table()?, feature.request()));
        }
        bag::forward_beside_in_blocks(dispatch::active(), &given, go_on, (self.out, out))
            .map_err(|(feature, error)| Failure::from(error).of_feature(feature))
    }
}

/// What `bagsForward` computes, as work to be queued. Rust must own the rows.
#[napi(catch_unwind)]
pub fn bags_work(features: Vec<FeatureOfWork>, bags: f64, format: Word<OutFormat>) -> Option<External<Work>> {
    work(|| {
        let bags = size(bags)?;
        let mut held = with_room(features.len());
        for (i, FeatureOfWork { lookup, weight, ids, offsets, weights }) in features.iter().enumerate() {
            let made = HeldBags::new(lookup, weight, ids, (offsets.as_ref(), weights.as_ref()), bags);
            held.put(made.map_err(|failure| failure.of_feature(i))?);
        }
        Ok(HeldFeatures { features: held, bags, out: format.0 })
    })
}
