//! Bags, and lookups in tables of small elements. `format` and `out_format` are the places of layouts in
//! `RowFormat::ALL` and `OutFormat::ALL`, `mode` one in `Mode::ALL`.

use crate::layers::async_forward::{Job, Work, elements, work};
use crate::layers::embedding::bad_ids;
use crate::node::borrow::{Operand, size};
use crate::node::buffers::Handle;
use crate::node::external::External;
use crate::node::guard::{Failure, status};
use crate::node::process::threads;
use napi_derive::napi;
use std::cell::RefCell;
use tokenbed_core::Error;
use tokenbed_core::ids::{BadIds, IdBuf};
use tokenbed_core::storage::Part;
use tokenbed_kernels::dispatch;
use tokenbed_kernels::ops::lookup::bag::Mode;
use tokenbed_kernels::rows::format::{OutFormat, RowFormat, RowTable};
use tokenbed_memory::Slice;
use tokenbed_nn::bag::{self, Division, Request, Scratch};

thread_local! {
    /// Room for ids that are not 32 bits wide and for offsets, kept between calls.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// What stands at a place among all there are.
pub(crate) fn of_code<T: Copy>(all: &[T], code: u32) -> Result<T, Failure> {
    all.get(code as usize).copied().ok_or_else(|| Error::Usage(format!("no code {code}")).into())
}

pub(crate) fn rows_of<'a>(format: u32, weight: &'a Operand, rows: f64, dim: f64) -> Result<RowTable<'a>, Failure> {
    Ok(bag::table(of_code(&RowFormat::ALL, format)?, weight.shared()?, size(rows)?, size(dim)?)?)
}

/// Where bags begin and end: at offsets, or `bags` of `length` ids.
pub(crate) fn division(
    offsets: Option<&Operand>,
    with_end: bool,
    bags: f64,
    length: f64,
) -> Result<Division<'_>, Failure> {
    Ok(match offsets {
        Some(offsets) => Division::Offsets { begins: offsets.ids()?, with_end },
        None => Division::Even { bags: size(bags)?, length: size(length)? },
    })
}

/// out (ids, dim) = the values of weight (rows, dim)[ids].
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "flat arguments cross cheaply")]
pub fn rows_forward(
    format: u32,
    weight: Operand,
    rows: f64,
    dim: f64,
    ids: Operand,
    bad: f64,
    out_format: u32,
    out: Operand,
) -> bool {
    status(|| {
        threads()?;
        SCRATCH.with_borrow_mut(|scratch| {
            Ok(bag::lookup(
                dispatch::active(),
                rows_of(format, &weight, rows, dim)?,
                (ids.ids()?, bad_ids(bad)?),
                scratch,
                (of_code(&OutFormat::ALL, out_format)?, out.exclusive(&[&weight, &ids])?),
            )?)
        })
    })
}

/// out (bags, dim) = the rows of weight (rows, dim) that each bag names, summed, averaged or the largest: bags begin at
/// `offsets`, or are `bags` of `length` ids. `padding` is the row that counts for nothing, or -1.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "flat arguments cross cheaply")]
pub fn bag_forward(
    format: u32,
    weight: Operand,
    rows: f64,
    dim: f64,
    ids: Operand,
    bad: f64,
    offsets: Option<Operand>,
    with_end: bool,
    bags: f64,
    length: f64,
    weights: Option<Operand>,
    padding: f64,
    mode: u32,
    out_format: u32,
    out: Operand,
) -> bool {
    status(|| {
        threads()?;
        let division = division(offsets.as_ref(), with_end, bags, length)?;
        let padding = if padding < 0.0 { None } else { Some(size(padding)? as u32) };
        let request = Request {
            ids: (ids.ids()?, bad_ids(bad)?),
            division,
            weights: weights.as_ref().map(Operand::shared).transpose()?,
            padding,
            mode: of_code(&Mode::ALL, mode)?,
        };
        let read = [&weight, &ids, offsets.as_ref().unwrap_or(&ids), weights.as_ref().unwrap_or(&ids)];
        let out = (of_code(&OutFormat::ALL, out_format)?, out.exclusive(&read)?);
        let rows = rows_of(format, &weight, rows, dim)?;
        SCRATCH.with_borrow_mut(|scratch| Ok(bag::forward(dispatch::active(), rows, request, scratch, out)?))
    })
}

/// A table of any layout and ids, held.
struct HeldRows {
    format: RowFormat,
    table: Part,
    rows: usize,
    dim: usize,
    ids: IdBuf,
    bad: BadIds,
    out: OutFormat,
}

impl HeldRows {
    fn table(&self) -> Result<RowTable<'_>, Failure> {
        Ok(bag::table(self.format, elements(&self.table)?, self.rows, self.dim)?)
    }

    fn row_bytes(&self) -> usize {
        self.dim * self.out.size()
    }
}

impl Job for HeldRows {
    fn size(&self) -> (usize, usize) {
        (self.ids.all().len(), self.row_bytes())
    }

    fn write(&self, go_on: &dyn Fn() -> bool, out: &mut [u8]) -> Result<bool, Failure> {
        let ids = (self.ids.all(), self.bad);
        Ok(bag::lookup_in_blocks(dispatch::active(), self.table()?, ids, go_on, (self.out, out))?)
    }
}

fn held_rows(
    format: u32,
    weight: &Handle,
    (rows, dim): (f64, f64),
    (ids, bad): (&Operand, f64),
    out_format: u32,
) -> Result<HeldRows, Failure> {
    Ok(HeldRows {
        format: of_code(&RowFormat::ALL, format)?,
        table: weight.hold()?,
        rows: size(rows)?,
        dim: size(dim)?,
        ids: ids.ids()?.into(),
        bad: bad_ids(bad)?,
        out: of_code(&OutFormat::ALL, out_format)?,
    })
}

/// What `rowsForward` computes, to be looked up.
#[napi(catch_unwind)]
pub fn rows_work(
    format: u32,
    weight: &External<Handle>,
    rows: f64,
    dim: f64,
    ids: Operand,
    bad: f64,
    out_format: u32,
) -> Option<External<Work>> {
    work(|| held_rows(format, weight, (rows, dim), (&ids, bad), out_format))
}

/// Bags of rows, held.
struct HeldBags {
    rows: HeldRows,
    begins: Option<IdBuf>,
    with_end: bool,
    bags: usize,
    length: usize,
    weights: Option<Vec<f32>>,
    padding: Option<u32>,
    mode: Mode,
}

impl Job for HeldBags {
    fn size(&self) -> (usize, usize) {
        (self.bags, self.rows.row_bytes())
    }

    fn write(&self, go_on: &dyn Fn() -> bool, out: &mut [u8]) -> Result<bool, Failure> {
        let division = match &self.begins {
            Some(begins) => Division::Offsets { begins: begins.all(), with_end: self.with_end },
            None => Division::Even { bags: self.bags, length: self.length },
        };
        let request = Request {
            ids: (self.rows.ids.all(), self.rows.bad),
            division,
            weights: self.weights.as_deref(),
            padding: self.padding,
            mode: self.mode,
        };
        Ok(bag::forward_in_blocks(dispatch::active(), self.rows.table()?, request, go_on, (self.rows.out, out))?)
    }
}

/// What `bagForward` computes, to be looked up.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "flat arguments cross cheaply")]
pub fn bag_work(
    format: u32,
    weight: &External<Handle>,
    rows: f64,
    dim: f64,
    ids: Operand,
    bad: f64,
    offsets: Option<Operand>,
    with_end: bool,
    bags: f64,
    length: f64,
    weights: Option<Operand>,
    padding: f64,
    mode: u32,
    out_format: u32,
) -> Option<External<Work>> {
    work(|| {
        let begins = offsets.map(|offsets| Ok::<_, Failure>(offsets.ids()?.into())).transpose()?;
        let weights = weights.map(|weights| Ok::<_, Failure>(weights.shared()?.to_list())).transpose()?;
        Ok(HeldBags {
            rows: held_rows(format, weight, (rows, dim), (&ids, bad), out_format)?,
            begins,
            with_end,
            bags: size(bags)?,
            length: size(length)?,
            weights,
            padding: if padding < 0.0 { None } else { Some(size(padding)? as u32) },
            mode: of_code(&Mode::ALL, mode)?,
        })
    })
}
