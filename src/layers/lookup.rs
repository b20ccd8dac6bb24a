//! The table of a layer, as the native side keeps it between calls. Whatever stays the same crosses the border once,
//! because every argument has a cost.

use crate::layers::async_forward::elements;
use crate::node::borrow::{Operand, size};
use crate::node::borrowed_word::{OnBadId, Word};
use crate::node::buffers::{Handle, Hold};
use crate::node::external::External;
use crate::node::guard::{Failure, guard};
use napi_derive::napi;
use tokenbed_core::Error;
use tokenbed_core::ids::{BadIds, IdBuf};
use tokenbed_core::storage::Part;
use tokenbed_kernels::ops::lookup::bag::Mode;
use tokenbed_kernels::rows::format::{OutFormat, RowFormat, RowTable};
use tokenbed_nn::bag::{self, Division, Request};

/// A table as it crosses the border when a [`Lookup`] is made.
#[napi(object, object_to_js = false)]
pub struct TableOperand {
    /// The rows, if Rust owns their memory; rows in V8's memory are passed to each call.
    pub weight: Option<Hold>,
    pub format: Word<RowFormat>,
    pub rows: f64,
    pub dim: f64,
    pub on_bad_id: OnBadId,
    /// The row that bags ignore and that gets no gradient.
    pub padding: Option<f64>,
    /// Set for tables of bags.
    pub mode: Option<Word<Mode>>,
    /// The element type of results.
    pub result: Word<OutFormat>,
}

/// A table as JavaScript holds it. It does not keep the rows alive.
pub struct Lookup {
    weight: Option<Hold>,
    pub(crate) format: RowFormat,
    pub(crate) rows: usize,
    pub(crate) dim: usize,
    pub(crate) bad: BadIds,
    pub(crate) padding: Option<u32>,
    mode: Option<Mode>,
    pub(crate) result: OutFormat,
}

/// Checks the number of a row.
fn row(number: f64) -> Result<u32, Failure> {
    u32::try_from(size(number)?).map_err(|_| Error::Usage(format!("row {number} is out of range")).into())
}

/// Makes a lookup from what a table keeps between calls.
#[napi(catch_unwind)]
pub fn lookup_new(table: TableOperand) -> Option<External<Lookup>> {
    guard(|| {
        Ok(External::new(Lookup {
            rows: size(table.rows)?,
            dim: size(table.dim)?,
            padding: table.padding.map(row).transpose()?,
            weight: table.weight,
            format: table.format.0,
            bad: table.on_bad_id.0,
            mode: table.mode.map(|mode| mode.0),
            result: table.result.0,
        }))
    })
}

impl Lookup {
    /// The rows for this call: the kept ones, or else the `given` ones.
    pub(crate) fn weight(&self, given: Option<&Operand>) -> Result<Operand, Failure> {
        match (given, &self.weight) {
            (Some(given), _) => Ok(given.again()),
            (None, Some(kept)) => kept.operand(),
            (None, None) => Err(Error::Usage("the rows of the table are missing".into()).into()),
        }
    }

    pub(crate) fn table<'a>(&self, weight: &'a Operand) -> Result<RowTable<'a>, Failure> {
        Ok(bag::table(self.format, weight.shared()?, self.rows, self.dim)?)
    }

    /// Whether both rows and results are float32, in which case a lookup only copies.
    pub(crate) fn is_plain(&self) -> bool {
        self.format == RowFormat::Float32 && self.result == OutFormat::Float32
    }

    fn mode(&self) -> Result<Mode, Failure> {
        self.mode.ok_or_else(|| Error::Usage("the table has no mode for bags".into()).into())
    }

    /// The number of vectors that fit into an output.
    pub(crate) fn vectors_of(&self, out: &Operand) -> usize {
        out.bytes() / (self.dim * self.result.size()).max(1)
    }

    /// The request for `bags` bags, which either begin at offsets or all have the same number of ids.
    pub(crate) fn request<'a>(
        &self,
        ids: &'a Operand,
        offsets: Option<&'a Operand>,
        weights: Option<&'a Operand>,
        bags: usize,
    ) -> Result<Request<'a>, Failure> {
        let ids = ids.ids()?;
        let division = match offsets {
            Some(offsets) => {
                let begins = offsets.ids()?;
                // One offset more than there are bags: the last one is the end of the last bag.
                Division::Offsets { with_end: begins.len() > bags, begins }
            }
            None => Division::Even { bags, length: ids.len() / bags.max(1) },
        };
        Ok(Request {
            ids: (ids, self.bad),
            division,
            weights: weights.map(Operand::shared).transpose()?,
            padding: self.padding,
            mode: self.mode()?,
        })
    }

    /// The table and the ids, held beyond this call.
    pub(crate) fn hold(&self, weight: &Handle, ids: &Operand) -> Result<HeldRows, Failure> {
        Ok(HeldRows {
            format: self.format,
            table: weight.hold()?,
            rows: self.rows,
            dim: self.dim,
            ids: ids.ids()?.into(),
            bad: self.bad,
            out: self.result,
        })
    }

    /// How bags are pooled, for work that outlives this call.
    pub(crate) fn pooling(&self) -> Result<(Option<u32>, Mode), Failure> {
        Ok((self.padding, self.mode()?))
    }
}

/// A table of any layout, and ids, all held.
pub(crate) struct HeldRows {
    pub format: RowFormat,
    pub table: Part,
    pub rows: usize,
    pub dim: usize,
    pub ids: IdBuf,
    pub bad: BadIds,
    pub out: OutFormat,
}

impl HeldRows {
    pub(crate) fn table(&self) -> Result<RowTable<'_>, Failure> {
        Ok(bag::table(self.format, elements(&self.table)?, self.rows, self.dim)?)
    }

    pub(crate) fn row_bytes(&self) -> usize {
        self.dim * self.out.size()
    }
}
